"""Hours that a full study takes on one graphics card: operations counted here, over assumed rates.

    python -m benchmarks.study_estimates --out results/reference/benchmarks/study_estimates.json

Rows, tasks, recipes and scorers come from config/STUDY.yaml. Operations of training and sampling per second of audio
come from the result of `benchmarks.estimates`; those of scorers and of the face detector are counted here by
`torch.utils.flop_counter` on networks without values (device `meta`). Decoding and following faces runs on the CPU: its
clips per second come from the result of `benchmarks.prepare`. Numbers of clips are those of the data sets (CLIPS).
Hours are arithmetic over `--train-tflops`, `--generate-tflops` and `--score-tflops`: assumptions, not measurements. A
Markdown table is written beside the JSON file.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import write_result
from syncvoice.files import atomic_path, read_json
from syncvoice.study import load_study
from syncvoice.study.study import Study

CONFIG = Path("config")
RESULTS = Path("results/reference/benchmarks")
RATES = {"train": 50.0, "generate": 30.0, "score": 15.0}  # TFLOP/s that we assume: small batches reach less
TOKENS = 24  # of a transcript
DETECTED = (360, 288)  # pixels of a GRID frame


@dataclass(frozen=True)
class Clips:
    """Clips of a study: dubbed ones of each task's data set, all that are prepared, and their length in seconds."""

    dubbed: dict[str, int]
    prepared: int
    seconds: float


CLIPS = {  # GRID: 33 speakers, 100 test clips of 1000 each; LRS3 test; HDTF as in the paper (1,054), CN-CVS our guess
    "grid": Clips({"grid": 3_300}, 33_000, 3.0),
    "lrs3": Clips({"lrs3": 1_321}, 151_000, 5.0),
    "translation": Clips({"hdtf": 1_054, "cncvs": 1_000}, 380_000, 10.0),
}


def counted(call: Callable[[], object]) -> int:
    """Operations of a call."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


@lru_cache(maxsize=64)
def whisper_flop(size: str) -> int:
    """Operations of one window of 30 s and a transcript of TOKENS tokens, decoded with cached keys."""
    import whisper

    dims = {"base": (80, 512, 8, 6), "large_v3": (128, 1280, 20, 32)}[size]
    mels, width, heads, layers = dims
    with torch.device("meta"):
        encoder = whisper.model.AudioEncoder(mels, 1500, width, heads, layers)
        decoder = whisper.model.TextDecoder(51_866, 448, width, heads, layers)
        window, tokens = torch.zeros(1, mels, 3000), torch.zeros(1, TOKENS, dtype=torch.long)
        return counted(lambda: decoder(tokens, encoder(window)))


def wavlm_flop(seconds: float) -> int:
    """Operations of the speaker embedding of one sound."""
    from syncvoice.networks.ecapa import WavLMSpeakerEncoder

    with torch.device("meta"):
        encoder = WavLMSpeakerEncoder()
        return counted(lambda: encoder.trunk(torch.zeros(1, round(16_000 * seconds))))


def utmos_flop(seconds: float) -> int:
    """Operations of the naturalness of one sound."""
    from syncvoice.networks.utmos import UtmosStrong

    with torch.device("meta"):
        network = UtmosStrong()
        return counted(lambda: network(torch.zeros(1, round(16_000 * seconds))))


def syncnet_flop(seconds: float) -> tuple[int, int]:
    """Operations of SyncNet v2 for one clip: of its lips (once per clip), of a sound (once per row)."""
    from syncvoice.networks.syncnet import V2, SyncNet

    frames = round(25 * seconds)
    with torch.device("meta"):
        network = SyncNet(V2)
        lips = counted(lambda: network.embed_lips(torch.zeros(1, 3, frames, 224, 224)))
        sound = counted(lambda: network.embed_audio(torch.zeros(frames - 4, 1, 13, 20)))
    return lips, sound


def detector_flop(seconds: float) -> int:
    """Operations of S3FD over all frames of one clip."""
    from syncvoice.networks.s3fd import S3FD

    with torch.device("meta"):
        network = S3FD()
        return counted(lambda: network._maps(torch.zeros(1, 3, *DETECTED))) * round(25 * seconds)


@lru_cache(maxsize=64)
def scorer_flop(file: str, seconds: float) -> tuple[float, float]:
    """Operations of a metric file: for each row's sound, and once for a clip. Small scorers count as nothing."""
    if file.startswith("wer.whisper"):
        return whisper_flop(file.split(".")[1].removeprefix("whisper_")), 0
    if file == "sim_o.wavlm_ecapa":
        return wavlm_flop(seconds), wavlm_flop(seconds)
    if file == "mos.utmos_strong":
        return utmos_flop(seconds), 0
    if file.startswith("lse.syncnet_v2"):
        lips, sound = syncnet_flop(seconds)
        return sound, lips + detector_flop(seconds)
    return 0, 0


def study_flop(study: Study, clips: Clips, estimates: dict[str, Any]) -> dict[str, float]:
    """Operations of the stages of a study."""
    recipe_file = {"grid": "grid", "lrs3": "lrs3", "translation": "bilingual"}[study.name]
    line = next(row for row in estimates["recipes"] if row["recipe"] == recipe_file)
    per_audio = line["flop"] / (line["steps"] * line["batch_s"])
    trained = [recipe for recipe in study.recipes.values() if recipe.made_by == "train"]
    stages = dict.fromkeys(("train", "generate", "score"), 0.0)
    stages["train"] = sum(recipe.steps * recipe.batch_seconds * per_audio for recipe in trained)
    plain, guided = estimates["sampling_flop_per_s"].values()
    once: dict[tuple[str, str], float] = {}
    for experiment in study.experiments.values():
        points = 1
        for values in (experiment.sweep or {}).values():
            points *= len(values)
        guides = any(scale for condition, scale in experiment.asked_for().items() if condition != "text")
        for name in experiment.tasks:
            task = study.tasks[name]
            number = min(task.clips or clips.dubbed[task.dataset], clips.dubbed[task.dataset]) * points
            if experiment.kind in ("model", "zero_shot"):
                stages["generate"] += number * clips.seconds * (guided if guides else plain)
            for file in experiment.metrics or task.metrics:
                each, first = scorer_flop(file, clips.seconds)
                stages["score"] += number * each
                once[task.dataset, file] = clips.dubbed[task.dataset] * first
    stages["score"] += sum(once.values())
    return stages


def estimate(name: str, rates: dict[str, float], estimates: dict[str, Any], prepared_per_s: float) -> dict[str, Any]:
    """Operations and hours of a study."""
    values = yaml.safe_load((CONFIG / f"{name}.yaml").read_text(encoding="utf-8"))
    study, clips = load_study(values, CONFIG, name), CLIPS[name]
    flop = study_flop(study, clips, estimates)
    hours = {stage: total / (rates[stage] * 1e12) / 3600 for stage, total in flop.items()}
    hours["prepare"] = clips.prepared * clips.seconds / 3.0 / prepared_per_s / 3600
    return {"study": name, "rows": sum(len(e.tasks) for e in study.experiments.values()), "flop": flop, "hours": hours}


def markdown(result: dict[str, Any]) -> str:
    """Table of the result."""
    rates = result["assumed_tflops"]
    lines = [
        f"Operations counted, hours by assumption: {rates['train']:g} TFLOP/s in training, {rates['generate']:g} in"
        f" generation, {rates['score']:g} in scoring, on one card; preparing on two CPU cores, as measured.", "",
        "| Study | Rows over tasks | Prepare (h, CPU) | Train (h) | Generate (h) | Score (h) | In all (h) |",
        "| --- " * 7 + "|",
    ]  # fmt: skip
    for row in result["studies"]:
        h = row["hours"]
        stages = [h[stage] for stage in ("prepare", "train", "generate", "score")]
        lines.append(
            f"| {row['study']} | {row['rows']} | " + " | ".join(f"{v:.1f}" for v in (*stages, sum(stages))) + " |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Count, compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    for stage, rate in RATES.items():
        parser.add_argument(f"--{stage}-tflops", type=float, default=rate)
    parser.add_argument("--estimates", type=Path, default=RESULTS / "estimates.json")
    parser.add_argument("--prepare", type=Path, default=RESULTS / "prepare.json")
    args = parser.parse_args()
    rates = {stage: getattr(args, f"{stage}_tflops") for stage in RATES}
    estimates, measured = read_json(args.estimates), read_json(args.prepare)
    studies = [estimate(name, rates, estimates, measured["processes"]["2"]["clips_per_second"]) for name in CLIPS]
    result = {"benchmark": "study_estimates", "assumed_tflops": rates, "studies": studies}
    print(markdown(result))
    write_result(args.out, result)
    if args.out:
        with atomic_path(args.out.with_suffix(".md")) as temporary:
            temporary.write_text(markdown(result), encoding="utf-8")


if __name__ == "__main__":
    main()
