"""`syncvoice score`: score any folder of speech, or another model's speech on a task of a study."""

import argparse
from pathlib import Path

from syncvoice.commands.named_weights import add_weight_options
from syncvoice.errors import UserError


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--metric", help="scoring job; with --generated a list of jobs and of lse, wer, sim, mos (the best one here)"
    )
    parser.add_argument("--task", type=Path, help="task file with the utterances (tasks/*.csv)")
    parser.add_argument("--speech", type=Path, help="folder of WAVs: utterances.csv or {utterance}.wav")
    parser.add_argument(
        "--manifest", type=Path, nargs="+", default=[], help="manifest of the task's clips (.cuts.jsonl.gz)"
    )
    parser.add_argument(
        "--references",
        type=Path,
        nargs="+",
        default=[],
        help="manifest of the reference recordings; with --generated their folder, or one recording for all",
    )
    folders = parser.add_argument_group("folders of files, without a study")
    folders.add_argument("--generated", type=Path, help="folder of generated WAV or MP4 files to score")
    folders.add_argument("--videos", type=Path, help="folder of the videos, same names (default: the generated videos)")
    folders.add_argument("--texts", type=Path, help="table with the columns utterance and text, or lines name|text")
    folders.add_argument("--subset", action="store_true", help="do not expect texts that have no generated file")
    folders.add_argument("--curves", type=Path, help="folder for the lip-sync curve of every clip (CSV and SVG)")
    parser.add_argument("--jpeg", action="store_true", help="SyncNet v2: re-encode crops as JPEG, as its own code does")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="SyncNet v2: type of its convolutions"
    )
    add_weight_options(parser)
    parser.add_argument("--out", type=Path, help="CSV file of scores; with --generated it may be left out")
    folders.add_argument(
        "--format",
        choices=("table", "csv", "json"),
        default="table",
        help="of the summary (default: table)",
    )
    folders.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def run(args: argparse.Namespace) -> None:
    """Score any folder, or the speech of one experiment on one task.

    Raises:
        UserError: an argument is missing, an input cannot be read, or nothing could be scored.
    """
    from syncvoice.commands.score_folders import score_folders
    from syncvoice.commands.score_task import score_task
    from syncvoice.metrics.registry import METRIC_FILES

    if args.generated is not None:
        score_folders(args)
        return
    if args.format != "table":
        raise UserError("--format prints the summary of a folder (--generated); the rows of a task are in --out")
    missing = [f"--{name}" for name in ("metric", "task", "speech", "out") if vars(args)[name] is None]
    if missing:
        raise UserError(f"syncvoice score needs {', '.join(missing)}, or a folder of speech with --generated")
    if args.metric not in METRIC_FILES:
        raise UserError(f"metric {args.metric} is unknown; choose one of {', '.join(sorted(METRIC_FILES))}")
    if not score_task(METRIC_FILES[args.metric].scorer, args, {"jpeg": args.jpeg, "dtype": args.dtype}):
        raise UserError(f"nothing of {args.speech} could be scored; the messages in {args.out} say why")
