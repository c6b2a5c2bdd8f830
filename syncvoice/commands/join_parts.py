"""`syncvoice join-parts`: the speech of a row from the parts that several jobs spoke."""

import argparse
import os
import shutil
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="speech folders")
    parser.add_argument("--out", type=Path, required=True, help="folder for WAV files and utterances.csv")


def run(args: argparse.Namespace) -> None:
    """Link or copy the sounds into one folder and join the tables; the folder appears when it is complete.

    Raises:
        UserError: a part lacks its table, or two hold the same utterance.
    """
    from syncvoice.errors import UserError
    from syncvoice.records.speech import read_speech, write_speech

    partial = args.out.with_name(args.out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for folder in args.parts:
        for row in read_speech(folder):
            key = (row["point"], row["utterance"])
            if key in rows:
                raise UserError(f"{folder} speaks utterance {row['utterance']!r}, which another part speaks too")
            rows[key] = row
            if row["wav"]:
                link_or_copy(folder / row["wav"], partial / row["wav"])
    write_speech(partial, [rows[key] for key in sorted(rows)])
    shutil.rmtree(args.out, ignore_errors=True)
    partial.rename(args.out)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; where the file system cannot, copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
