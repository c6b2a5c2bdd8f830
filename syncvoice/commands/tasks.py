"""`syncvoice tasks`: write the list of utterances of a dubbing task."""

import argparse
from pathlib import Path

from syncvoice.datasets.tasks import TaskJob, make_task
from syncvoice.records.clips import clips_of
from syncvoice.records.tasks import write_task
from syncvoice.section import read_settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file with language, text, seed, clips")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the split to dub")
    parser.add_argument("--references", type=Path, required=True, help="manifest of the split that gives the voices")
    parser.add_argument("--out", type=Path, required=True, help="list to write (.csv)")


def run(args: argparse.Namespace) -> None:
    """Write the list."""
    job = read_settings(args.settings, TaskJob)
    write_task(args.out, make_task(clips_of(args.manifest), clips_of(args.references), job))
