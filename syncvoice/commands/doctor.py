"""`syncvoice doctor [STUDY]`: one table of what works on this machine, and what a study lacks on it."""

import argparse
import sys
from pathlib import Path

from syncvoice.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("study", nargs="?", help="a study: its name, or its YAML file; without one the machine alone")


def run(args: argparse.Namespace) -> None:
    """Print the table.

    Raises:
        UserError: something that the study needs is wrong or missing; the table says what.
    """
    from syncvoice.assets import REGISTRY, read_registry
    from syncvoice.places import find_path
    from syncvoice.study import read_study
    from syncvoice.study.doctor import of_machine, of_study, read_anchors

    if args.study is None:
        findings = list(of_machine())
    else:
        named = Path(args.study)
        path = named if named.suffix in (".yaml", ".yml") else find_path(Path("config") / f"{args.study}.yaml")
        study = read_study(path)
        registry, anchors = read_registry(find_path(REGISTRY)), read_anchors(find_path("config/anchors.yaml"))
        findings = [*of_machine(study.device), *of_study(study, registry, anchors)]
    width = max(len(finding.what) for finding in findings)
    for finding in findings:
        sys.stdout.write(f"{finding.state:8}{finding.what.ljust(width)}  {finding.found}\n")
    bad = [finding for finding in findings if finding.state in ("missing", "wrong")]
    if bad:
        raise UserError(f"{len(bad)} of {len(findings)} are missing or wrong, see the table")
