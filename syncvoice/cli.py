"""The command line: `syncvoice COMMAND ...`. Each command is one module in `syncvoice.commands`."""

import argparse
import errno
import importlib
import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from syncvoice.errors import PASSING, ChangedFile, UserError
from syncvoice.outputs import check_outputs

COMMANDS = {
    "dub": "dub one video with a text and a reference voice",
    "speak": "say a text in the voice of a recording, without a video",
    "corpus": "make one split of the embedded corpus MiniDub",
    "doctor": "say what works on this machine, and what a study lacks on it",
    "prepare": "say what a study or a folder of recordings holds and lacks (--check)",
    "prepare-shard": "decode, track and crop the clips of one shard, write its manifest",
    "merge-manifests": "join the manifests of all shards of a split",
    "features": "compute one cached feature for one shard",
    "tasks": "write the list of utterances of a dubbing task",
    "resolve-recipe": "write the resolved settings of a recipe",
    "speak-pool": "make or extend the pool of natural speech for the start weights",
    "measure-voices": "make the table of stock voices that dub finds the nearest one in",
    "pretrain": "make one of the shipped start weights from nothing",
    "train": "fine-tune a recipe",
    "export": "write the weights that inference needs from a training checkpoint",
    "generate": "generate the speech of an experiment",
    "mux": "put generated speech on its video",
    "score": "score any folder of speech, or speech on a task",
    "score-task": "score the speech of one row on one task with one scorer (a job of the workflow)",
    "check-syncnet": "check whether a small SyncNet may score tables",
    "tabulate": "make a table from score files",
    "compare": "say which differences between rows survive correction",
    "listening-test": "make a listening-test page, or read its answers back into tables",
    "probe": "measure what lip and face features tell about the sound",
    "alignment-report": "measure forced alignment against known word times",
    "plot": "draw a plot",
    "contact-sheet": "draw clips of a split as prepared: faces, mouths, sound, and what was excluded",
    "publish": "keep a run's tables and plots, put its figures into the README",
    "inspect-checkpoint": "say what a weight file holds, without running anything in it",
    "describe-model": "write down which extractors the features of an older model came from",
    "average-checkpoints": "average the weights between two training checkpoints of public ZipVoice",
    "gallery": "make the page that plays all rows side by side",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status (0 done, 2 a problem that the user can mend, 1 the system's)."""
    argv = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a letter shows its code instead
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = argparse.ArgumentParser(prog="syncvoice", description=__doc__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=text, description=text)
        if argv[:1] == [name]:  # only the chosen command's module is imported
            module = importlib.import_module("syncvoice.commands." + name.replace("-", "_"))
            module.configure(subparser)
            subparser.set_defaults(run=module.run)
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
