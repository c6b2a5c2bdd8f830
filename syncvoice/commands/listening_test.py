"""`syncvoice listening-test`: make the page of a listening test, or read its answers back into tables."""

import argparse
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("make", help="make the page and its plan")
    make.add_argument("--settings", type=Path, required=True, help="JSON file of the listening test")
    make.add_argument("--study-root", type=Path, required=True, help="results/{study}")
    make.add_argument(
        "--references", type=Path, nargs="+", required=True, help="manifests that hold the reference recordings"
    )
    make.add_argument("--out", type=Path, required=True, help="HTML file to write")
    make.add_argument("--plan", type=Path, required=True, help="JSON file to write: what every item is (keep it)")
    read = actions.add_parser("read", help="read answers into tables")
    read.add_argument("--plan", type=Path, required=True, help="plan of the page")
    read.add_argument("--answers", type=Path, nargs="+", required=True, help="JSON files, or folders of them")
    read.add_argument("--out-dir", type=Path, required=True, help="folder for listening_test.*")


def run(args: argparse.Namespace) -> None:
    """Make the page, or read the answers.

    Raises:
        UserError: an input is missing or broken.
    """
    make(args) if args.action == "make" else read(args)


def make(args: argparse.Namespace) -> None:
    """Write the page and its plan."""
    from syncvoice.records.clips import clips_of
    from syncvoice.reporting.listening_test import make_test
    from syncvoice.reporting.settings import ListeningTestJob
    from syncvoice.section import read_settings

    references = {clip.id: Path(clip.audio) for path in args.references for clip in clips_of(path)}
    write_test(args, *make_test(read_settings(args.settings, ListeningTestJob), args.study_root, references))


def write_test(args: argparse.Namespace, page: str, plan: dict[str, Any]) -> None:
    """Write a page and its plan."""
    from syncvoice.files import atomic_path, write_json

    write_json(args.plan, plan)
    with atomic_path(args.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    log.info("wrote %s: %.1f MB, %d items", args.out, len(page) / 1e6, len(plan["items"]))


def read(args: argparse.Namespace) -> None:
    """Write the tables of the answers."""
    from syncvoice.files import atomic_path, read_json
    from syncvoice.reporting import listening_answers
    from syncvoice.reporting.tables import write_csv

    result = listening_answers.evaluate(read_json(args.plan), listening_answers.answer_files(args.answers))
    for name, frame in result.frames.items():
        write_csv(args.out_dir / f"listening_test.{name}.csv", frame)
    with atomic_path(args.out_dir / "listening_test.md") as temporary:
        temporary.write_text(listening_answers.markdown(result), encoding="utf-8")
    log.info("%s: %s", args.out_dir / "listening_test.md", listening_answers.counted(result))
