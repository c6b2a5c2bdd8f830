"""`syncvoice tasks`: write the list of utterances of a dubbing task."""

import argparse
from pathlib import Path

from syncvoice.datasets.tasks import make_task
from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.records.clips import clips_of
from syncvoice.records.tasks import write_task

DEFAULTS = {
    "en_en": {"language": "en", "text": "own"},
    "en_en_uncoupled": {"language": "en", "text": "own"},
    "en_zh": {"language": "zh", "text": "translation"},
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", required=True, help="name of the task, for example en_en")
    parser.add_argument("--settings", type=Path, help="JSON file with language, text, seed, clips")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the split to dub")
    parser.add_argument("--references", type=Path, required=True, help="manifest of the split that gives the voices")
    parser.add_argument("--out", type=Path, required=True, help="list to write (.csv)")


def run(args: argparse.Namespace) -> None:
    """Write the list."""
    settings = DEFAULTS.get(args.task, {}) | (read_json(args.settings) if args.settings else {})
    for name in ("language", "text"):
        if name not in settings:
            raise UserError(f"settings of task '{args.task}' lack '{name}'; add it to the study")
    clips, references = clips_of(args.manifest), clips_of(args.references)
    utterances = make_task(
        clips,
        references,
        settings["language"],
        settings["text"],
        settings.get("seed", 0),
        settings.get("clips"),
        settings.get("voice_of", "same_speaker"),
    )
    write_task(args.out, utterances)
