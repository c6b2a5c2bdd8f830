"""The command line: `syncvoice COMMAND ...`. Each command is one module in `syncvoice.commands`."""

import argparse
import difflib
import errno
import importlib
import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from syncvoice import __version__
from syncvoice.errors import PASSING, ChangedFile, UserError
from syncvoice.outputs import check_outputs

GROUPS = {
    "For people": {
        "dub": "dub one video with a text and a reference voice",
        "speak": "say a text in the voice of a recording, without a video",
        "score": "score any folder of speech, or speech on a task",
        "compare": "say which differences between rows survive correction",
        "listening-folders": "make a listening-test page of folders of speech",
        "app": "dub one clip on a page in the browser, on this machine alone",
        "doctor": "say what works on this machine, and what a study lacks on it",
        "inspect-checkpoint": "say what a weight file holds, without running anything in it",
    },
    "For studies": {
        "prepare": "say what a study or a folder of recordings holds and lacks (--check)",
        "summary": "say what a finished study found and what to open",
        "listening-test": "make a listening-test page, or read its answers back into tables",
        "publish": "keep a run's tables and plots, put its figures into the README",
        "speak-pool": "make or extend the pool of natural speech for the start weights",
        "measure-voices": "make the table of stock voices that dub finds the nearest one in",
        "pretrain": "make one of the shipped start weights from nothing",
        "start-weights": "make start weights, and the model to dub with, of a fine-tuned model",
        "describe-model": "write down which extractors the features of an older model came from",
        "average-checkpoints": "average the weights between two training checkpoints of public ZipVoice",
    },
    "Jobs of the workflow (Snakemake runs them)": {
        "corpus": "make one split of the embedded corpus MiniDub",
        "perturb": "make clips of a split worse on purpose, as a split of its own",
        "prepare-shard": "decode, track and crop the clips of one shard, write its manifest",
        "merge-manifests": "join the manifests of all shards of a split",
        "treat-references": "copy reference recordings shorter, longer, noisy or as somebody else's",
        "features": "compute one cached feature for one shard",
        "tasks": "write the list of utterances of a dubbing task",
        "resolve-recipe": "write the resolved settings of a recipe",
        "train": "fine-tune a recipe",
        "import-checkpoint": "turn a checkpoint that somebody else trained into the model of a recipe",
        "export": "write the weights that inference needs from a training checkpoint",
        "generate": "generate the speech of an experiment",
        "join-parts": "join the speech of a row that several jobs spoke",
        "mux": "put generated speech on its video",
        "embed-lips": "look at the lips of a shard of clips once, for the lip-sync scores of all rows",
        "score-task": "score the speech of one row on one task with one scorer",
        "check-syncnet": "check whether a small SyncNet may score tables",
        "tabulate": "make a table from score files",
        "plot": "draw a plot",
        "gallery": "make the page that plays all rows side by side",
        "measure-cost": "measure time and memory of each part of dubbing, count operations at both sizes",
        "contact-sheet": "draw clips of a split as prepared: faces, mouths, sound, and what was excluded",
        "probe": "measure what lip and face features tell about the sound",
        "faces-lost": "count the clips and frames whose face is lost in perturbed video",
        "alignment-report": "measure forced alignment against known word times",
    },
}
COMMANDS = {name: text for commands in GROUPS.values() for name, text in commands.items()}
KEPT_PROGRAMS = (
    "32768"  # of oneDNN, for the shapes of a training; read when torch starts, see syncvoice/training/shapes.py
)
DESCRIPTION = "Dub videos, score speech, run studies. `syncvoice COMMAND --help` explains one command."


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 2 a problem that the user can mend, 1 the system's)."""
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT_PROGRAMS)
    argv = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a letter shows its code instead
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
        sys.stderr.write(f"syncvoice: no command {argv[0]!r}; {_nearest_command(argv[0])}\n")
        return 2
    parser = _parser(argv)
    if not argv:
        parser.print_help(sys.stderr)
        return 2
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr)
    again = marker_of_job()
    if again is not None and again.exists():  # an earlier attempt: nothing that Snakemake changes would help
        sys.stderr.write(again.read_text(encoding="utf-8"))
        return 2
    try:
        check_outputs(args)
        args.run(args)
    except (UserError, ChangedFile) as error:
        sys.stderr.write(f"syncvoice: {error}\n")
        if again is not None:
            again.write_text(f"syncvoice: {error}\n", encoding="utf-8")
        return 2
    except OSError as error:
        if error.errno not in PASSING:
            raise
        sys.stderr.write(f"syncvoice: {told(error)}\n")
        return 1
    return 0


def _parser(argv: list[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the arguments of the chosen one; only its module is imported."""
    parser = argparse.ArgumentParser(
        prog="syncvoice",
        description=DESCRIPTION,
        usage="syncvoice COMMAND ...",
        epilog=_listing(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"syncvoice {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, description=text, prog=f"syncvoice {name}")
        if argv[:1] == [name]:
            module = importlib.import_module("syncvoice.commands." + name.replace("-", "_"))
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
    return parser


def _listing() -> str:
    """Return all commands by group, one a line."""
    width = max(map(len, COMMANDS)) + 2
    parts = []
    for title, commands in GROUPS.items():
        parts.append("\n".join([f"{title}:", *(f"  {name.ljust(width)}{text}" for name, text in commands.items())]))
    return "\n\n".join(parts)


def _nearest_command(name: str) -> str:
    """Return a hint for a command that does not exist."""
    close = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "`syncvoice --help` lists the commands"


def marker_of_job() -> Path | None:
    """Return the file that says that only the user can mend what stopped a job; None outside the workflow.

    The workflow gives the number of the attempt and the job's log. The first attempt removes what an earlier run left;
    later ones, which Snakemake starts with more memory and time, end at once when the file is there.
    """
    attempt, _, log = os.environ.get("SYNCVOICE_TRY", "").partition(":")
    if not log:
        return None
    marker = Path(f"{log}.user_error")
    if attempt == "1":
        marker.unlink(missing_ok=True)
    return marker


def told(error: OSError) -> str:
    """Return a passing error of the system as a sentence."""
    where = error.filename or "a file"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{where} cannot be written: {error.strerror}; make room there and run the same command again"
    what = error.strerror or str(error)
    return f"{where}: {what}; this is the system's trouble, not the data's: mend it and run the same command again"


if __name__ == "__main__":
    sys.exit(main())
