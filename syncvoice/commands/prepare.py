"""`syncvoice prepare --check`: say what a study, or a folder of recordings, holds and lacks."""

import argparse
import sys
from pathlib import Path

from syncvoice.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--check", action="store_true", help="prepare nothing; say what is missing")
    parser.add_argument("--settings", type=Path, help="a study's YAML file")
    parser.add_argument("--dataset", help="a card (config/datasets/NAME.yaml), with --root")
    parser.add_argument("--root", type=Path, help="folder of that data set")
    parser.add_argument("--write-lists", type=Path, help="folder for lists of the clips of each split")


def run(args: argparse.Namespace) -> None:
    """Print what a study or a folder holds, and end with what it lacks.

    Raises:
        UserError: something is missing; one line each.
    """
    from syncvoice.datasets.card import cards_in, read_card, read_yaml
    from syncvoice.study import load_study
    from syncvoice.study.data import check_card, check_study, write_lists

    if not args.check:
        raise UserError("prepare looks only: add --check (the workflow prepares; see `syncvoice prepare-shard`)")
    if args.settings is None:
        if args.dataset is None:
            raise UserError("prepare --check needs --settings STUDY.yaml, or --dataset CARD with --root FOLDER")
        file = read_card(args.dataset)
        roots = {name: args.root or Path(entry.path or "") for name, entry in file.datasets.items()}
        results = {name: check_card(file, name, root) for name, root in roots.items()}
        reports = [report for report, _ in results.values()]
        found = {name: splits for name, (_, splits) in results.items()}
    else:
        values = read_yaml(args.settings) | ({f"{args.dataset}_root": str(args.root)} if args.root else {})
        study = load_study(values, args.settings.parent, str(args.settings))
        report, found = check_study(study, cards_in(args.settings.parent / "datasets"))
        reports = [report]
    for line in (line for report in reports for line in report.counts):
        sys.stdout.write(f"{line}\n")
    for name, splits in found.items() if args.write_lists else ():
        for path in write_lists(args.write_lists, name, splits):
            sys.stdout.write(f"{path} written\n")
    problems = [problem for report in reports for problem in report.problems]
    if problems:
        raise UserError("\n".join([f"{len(problems)} things are missing or wrong:", *problems]))
    sys.stdout.write("nothing is missing\n")
