"""`syncvoice listening-folders`: a listening test of folders of speech, without a study."""

import argparse
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from syncvoice.errors import UserError

log = logging.getLogger(__name__)
TASK = "own"
SOUNDS = frozenset((".wav", ".flac", ".ogg", ".mp3"))
TASK_COLUMNS = ("utterance", "clip", "text", "language", "speaker", "voice_seen", "reference")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--row",
        action="append",
        required=True,
        metavar="NAME=FOLDER",
        help="one row: its name and its sounds; twice or more",
    )
    parser.add_argument(
        "--references", type=Path, required=True, help="folder of the reference recordings, same names, or one for all"
    )
    parser.add_argument(
        "--pair", action="append", default=[], metavar="NAME,NAME", help="rows that are compared directly"
    )
    parser.add_argument("--title", default="Dubbed speech, a listening test", help="heading of the page")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the speech (default: en)")
    parser.add_argument("--clips", type=int, default=8, help="how many, chosen by name (default: 8)")
    parser.add_argument("--checks", type=int, default=3, help="items whose right answer is spoken (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="of choice and order (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="HTML file to write")
    parser.add_argument("--plan", type=Path, required=True, help="JSON file to write: what every item is (keep it)")


def run(args: argparse.Namespace) -> None:
    """Write the page and its plan.

    Raises:
        UserError: a folder is missing, or no clip has every row and a reference.
    """
    from syncvoice.commands.listening_test import write_test
    from syncvoice.reporting.listening_test import make_test
    from syncvoice.reporting.settings import ListeningTestJob
    from syncvoice.section import validated

    rows = rows_of(args.row)
    values = {
        "title": args.title, "task": TASK, "rows": list(rows), "pairs": [pair.split(",") for pair in args.pair],
        "clips": args.clips, "checks": args.checks, "seed": args.seed,
    }  # fmt: skip
    job = validated(ListeningTestJob, values, "listening-folders")
    sounds = {name: _sounds(folder) for name, folder in rows.items()}
    clips = sorted(set().union(*sounds.values()))
    single = args.references if args.references.is_file() else None
    references = dict.fromkeys(clips, single) if single else _sounds(args.references)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _lay_out(root, sounds, clips, args.language)
        write_test(args, *make_test(job, root, {clip: path for clip, path in references.items() if path is not None}))


def rows_of(named: list[str]) -> dict[str, Path]:
    """Read NAME=FOLDER options.

    Raises:
        UserError: one has no name, a name is given twice, or there is one row only.
    """
    rows: dict[str, Path] = {}
    for option in named:
        name, _, folder = option.partition("=")
        if not (name and folder) or name in rows:
            raise UserError(f"--row {option}: expected NAME=FOLDER, each name once, for example mine=dubbed/")
        rows[name] = Path(folder)
    if len(rows) < 2:
        raise UserError("a listening test needs at least two rows; give --row NAME=FOLDER once for each")
    return rows


def _sounds(folder: Path) -> dict[str, Path]:
    """Return the sounds of a folder by name.

    Raises:
        UserError: there is no such folder, or two files have one name.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the folder that holds the sounds")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if path.suffix.lower() not in SOUNDS or path.name.startswith("."):
            continue
        if name in found:
            raise UserError(f"{folder} holds two sounds named {name}; keep one")
        found[name] = path.resolve()
    return found


def _lay_out(root: Path, sounds: Mapping[str, Mapping[str, Path]], clips: list[str], language: str) -> None:
    """Write the tables that the page reads of a study; sounds stay where they are."""
    import csv

    from syncvoice.records.speech import write_speech

    (root / "tasks").mkdir()
    with open(root / "tasks" / f"{TASK}.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, TASK_COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {"utterance": clip, "clip": clip, "text": clip, "language": language, "voice_seen": "no", "reference": clip}
            for clip in clips
        )
    for name, files in sounds.items():
        rows = [{"utterance": clip, "point": "", "wav": str(path), "status": "ok"} for clip, path in files.items()]
        write_speech(root / "speech" / name / TASK, rows)
