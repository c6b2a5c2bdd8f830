"""`syncvoice generate`: the speech of an experiment for one task."""

import argparse
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--kind", required=True, help="who speaks: model, zero_shot, ground_truth, vocoder_copy, noise")
    parser.add_argument("--experiment-settings", type=Path, required=True, help="settings of the row (JSON)")
    parser.add_argument("--task", type=Path, required=True, help="utterances (CSV)")
    parser.add_argument("--model", type=Path, help="folder of the trained model, for kind model")
    parser.add_argument("--candidates", type=Path, help="speech of a row of kind candidates, for kinds that choose")
    parser.add_argument(
        "--references", type=Path, nargs="*", default=[], help="manifests of treated references, for kinds that ask"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="clips of the task (.cuts.jsonl.gz)")
    parser.add_argument("--features-root", type=Path, required=True, help="folder that holds SPLIT/FEATURE/shard-*.h5")
    parser.add_argument("--out", type=Path, required=True, help="folder for WAV files and utterances.csv")
    parser.add_argument(
        "--part", metavar="K/N", default="0/1", help="speak one utterance in N only, from the Kth (from 0)"
    )


def run(args: argparse.Namespace) -> None:
    """Generate into a temporary folder beside `out`, which is then renamed; only the kind's module is imported.

    A killed job leaves that folder and its journal: the same job, with the same inputs and code, goes on after it.

    Raises:
        UserError: settings, model or features cannot be used.
    """
    import torch

    from syncvoice.errors import UserError
    from syncvoice.generation.work import Work, kind_module
    from syncvoice.journal import Journal
    from syncvoice.records.speech import write_speech
    from syncvoice.records.tasks import read_task
    from syncvoice.section import read_settings

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # set by the workflow from the study's config
    kind = kind_module(args.kind)
    if kind.NEEDS_RECIPE and args.model is None:
        raise UserError(f"kind {args.kind} needs a trained model; name its folder with --model")
    if getattr(kind, "CHOOSES", False) and args.candidates is None:
        raise UserError(f"kind {args.kind} chooses from another row's speech; name its folder with --candidates")
    settings = read_settings(args.experiment_settings, kind.Settings)
    partial = args.out.with_name(args.out.name + ".part")
    with Journal(partial / "made.jsonl", work_of_job(args, settings.model_dump(mode="json"))) as journal:
        whole = read_task(args.task)
        work = Work(
            part_of(whole, args.part), args.manifest, args.features_root, args.model, partial, journal, whole,
            args.candidates, tuple(args.references),
        )  # fmt: skip
        if not journal.entries:
            remove_sounds(partial)
        rows = kind.speak(settings, work) if work.utterances else []  # more parts than utterances leave some empty
        write_speech(partial, rows)
        journal.finish()
    shutil.rmtree(args.out, ignore_errors=True)
    partial.rename(args.out)


def part_of(utterances: list[T], part: str) -> list[T]:
    """Return the utterances of a part "K/N": every Nth, from the Kth.

    Raises:
        UserError: it is no part.
    """
    from syncvoice.errors import UserError

    found = re.fullmatch(r"(\d+)/([1-9]\d*)", part)
    if found is None or int(found[1]) >= int(found[2]):
        raise UserError(f"--part is {part!r}; expected K/N with K from 0 to N - 1, such as 0/4")
    return utterances[int(found[1]) :: int(found[2])]


def work_of_job(args: argparse.Namespace, settings: Mapping[str, Any]) -> str:
    """Return the digest of all that decides the sounds: inputs, weights that the settings name, arithmetic."""
    from syncvoice.device import device_kind
    from syncvoice.journal import work_of

    weights = [value for value in settings.values() if isinstance(value, str) and Path(value).is_file()]
    optional = [*(path for path in (args.model, args.candidates) if path), *args.references]
    inputs = [args.task, args.manifest, *optional, args.features_root, *weights]
    return work_of(inputs, settings, args.kind, args.part, device_kind(), os.environ.get("OMP_NUM_THREADS", ""))


def remove_sounds(folder: Path) -> None:
    """Remove what another job left in a folder, except the journal that was just begun."""
    for path in sorted(folder.rglob("*.wav")):
        path.unlink()
