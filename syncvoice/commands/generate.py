"""`syncvoice generate`: the speech of an experiment for one task."""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from syncvoice.features.cache import FeatureStore
    from syncvoice.records.tasks import Utterance


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--experiment-settings", type=Path, required=True, help="settings of the row (JSON)")
    parser.add_argument("--task", type=Path, required=True, help="utterances (CSV)")
    parser.add_argument("--model", required=True, help="folder of the trained model, or 'none'")
    parser.add_argument("--manifest", type=Path, required=True, help="clips of the task (.cuts.jsonl.gz)")
    parser.add_argument("--references", type=Path, required=True, help="clips that give the voices (.cuts.jsonl.gz)")
    parser.add_argument("--features-root", type=Path, required=True, help="folder that holds SPLIT/FEATURE/shard-*.h5")
    parser.add_argument("--out", type=Path, required=True, help="folder for WAV files and utterances.csv")


def run(args: argparse.Namespace) -> None:
    """Generate into a temporary folder beside `out`, which is then renamed."""
    import torch

    from syncvoice.files import read_json
    from syncvoice.generation.speech import write_rows
    from syncvoice.records.tasks import read_task

    torch.set_num_threads(int(_environment_threads()))
    settings, rows = read_json(args.experiment_settings), read_task(args.task)
    partial = args.out.with_name(args.out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    speak = _copies if settings["kind"] in ("ground_truth", "vocoder_copy", "noise") else _speech
    write_rows(partial / "utterances.csv", speak(args, settings, rows, partial))
    shutil.rmtree(args.out, ignore_errors=True)
    partial.rename(args.out)


def _environment_threads() -> int:
    """Threads that the job's environment grants (set by the workflow from the study's config)."""
    import os

    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def _copies(args: argparse.Namespace, settings: Mapping[str, Any], rows: "list[Utterance]", out: Path) -> list[dict]:
    """Rows without model."""
    from syncvoice.generation.speech import copy_of, save
    from syncvoice.model.vocoder import Vocoder
    from syncvoice.records.clips import clips_of
    from syncvoice.training.data import open_features

    clips = {clip.id: clip for clip in clips_of(args.manifest)}
    kind, vocoder = settings["kind"], None
    mels: Mapping[str, np.ndarray] = {}
    if kind == "vocoder_copy":
        vocoder = Vocoder.load(Path(settings["weights"]["vocoder"])).eval()
        mels = open_features(args.features_root / rows[0].split, ["mel"])["mel"]
    return [
        save(
            out,
            r.utterance,
            "",
            copy_of(kind, clips[r.clip], vocoder, mels[r.clip] if vocoder else None, settings["seed"]),
        )
        for r in rows
    ]


def _speech(args: argparse.Namespace, settings: Mapping[str, Any], rows: "list[Utterance]", out: Path) -> list[dict]:
    """Rows that a model speaks: every point of the sweep, every utterance."""
    from tqdm import tqdm

    from syncvoice.fast.precision import prepare_for_sampling
    from syncvoice.generation.speech import Sampling, points_of, save, synthesise
    from syncvoice.model.vocoder import Vocoder

    model = _model(args.model, settings)
    prepare_for_sampling(model.backbone, settings["precision"])
    vocoder = Vocoder.load(Path(settings["weights"]["vocoder"])).eval()
    requests, written = _requests(args, settings, rows, sorted(model.config.visual_dims))
    expansion = "average" if settings["kind"] == "zero_shot" else "segments"
    points = points_of(settings)
    with tqdm(total=len(points) * len(requests), desc=settings["experiment"], unit="clip", mininterval=5.0) as bar:
        for point, scales in points:
            sampling = Sampling(scales, settings["steps"], settings["t_shift"], settings["voice"], expansion)
            for request, sound, _ in synthesise(model, vocoder, requests, sampling):
                written.append(save(out, request.name, point, sound))
                bar.update()
    return sorted(written, key=lambda row: (row["point"], row["utterance"]))


def _model(folder: str, settings: Mapping[str, Any]) -> Any:
    """The trained model, or the start weights for a zero-shot row."""
    from syncvoice.training.start import load_model, model_from_start

    if settings["kind"] == "zero_shot":
        branches = ("pretrained", "learnable")
        return model_from_start(Path(settings["weights"]["backbone"]), {}, 1, branches).eval()
    return load_model(Path(folder))


def _requests(args: argparse.Namespace, settings: Mapping[str, Any], rows: "list[Utterance]", visual: list[str]
              ) -> tuple[list, list[dict]]:  # fmt: skip
    """Requests of all rows that can be spoken, and failed rows with the reason for the others."""
    from syncvoice.errors import UserError
    from syncvoice.generation.speech import RequestBuilder, swapped

    encoder = Path(settings["weights"]["speaker_encoder"]) if settings["voice"] == "speaker" else None
    builder = RequestBuilder(_stores(args.features_root, rows, visual), visual, settings["seed"], encoder)
    swap = settings["swap"]
    partners = swapped(rows, settings["seed"], swap) if swap != "none" else rows
    requests, failed = [], []
    for row, partner in zip(rows, partners, strict=True):
        text = partner.text if swap == "text" else row.text
        video = partner.clip if swap == "video" else row.clip
        try:
            requests.append(builder.request(row, text, video))
        except UserError as error:
            failed.append(
                {"utterance": row.utterance, "point": "", "wav": "", "status": "failed", "message": str(error)}
            )
    return requests, failed


def _stores(root: Path, rows: "list[Utterance]", visual: list[str]) -> "dict[str, dict[str, FeatureStore]]":
    """Open the features of the videos' and the references' splits."""
    from syncvoice.training.data import open_features

    stores: dict[str, dict] = {}
    for split in {row.split for row in rows}:
        stores[split] = open_features(root / split, visual)
    for split in {row.reference_split for row in rows if row.reference_split}:
        stores.setdefault(split, {}).update(open_features(root / split, ["mel", "speaker"]))
    return stores
