"""A step of the backbone's pre-training: batches padded to few shapes against batches of all lengths.

    python -m benchmarks.pretraining --out results/reference/benchmarks/pretraining.json

The settings of config/pretrain/backbone.yaml on clips of random features whose lengths are those of speech (1 to 4 s,
half of them behind a reference); both kinds of batches train the same network in turns, bfloat16, one thread, each with
the steps that it needs to meet most of its shapes first.
"""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from syncvoice.cli import KEPT_PROGRAMS

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KEPT_PROGRAMS)  # as the command line does

import numpy as np
import torch
import yaml

from benchmarks.common import CLOCKS, add_arguments, medians_of, write_result
from syncvoice.model.syncvoice import SyncVoiceConfig
from syncvoice.model.zipformer import ZipformerLayer
from syncvoice.pretraining.backbone import BackbonePretraining, Batches, Clip, train_step
from syncvoice.pretraining.optimisers import optimisers
from syncvoice.pretraining.settings import BackboneRun, settings_of
from syncvoice.training import shapes

CLIPS, VOICES = 600, 30


def random_clips() -> list[Clip]:
    """Clips of noise with the lengths of speech: 94 mel frames and 12 symbols a second."""
    draw, clips = np.random.default_rng(1), []
    for index in range(CLIPS):
        frames = int(draw.uniform(94, 376))
        mel = draw.normal(-0.4, 0.3, (frames, 100)).astype(np.float16)
        hints = draw.random((frames * 25 // 94, 7)).astype(np.float16)
        tokens = draw.integers(1, 200, frames // 8).tolist()
        clips.append(Clip(mel, tokens, hints, np.zeros(frames, np.int16), f"voice{index % VOICES}", len(hints)))
    return clips


def trainer(settings: BackboneRun, clips: list[Clip], width: dict[str, int]) -> Callable[[], Any]:
    """A function that does one step.

    Args:
        settings: of the run.
        clips: to learn on.
        width: what lengths are multiples of, names of `syncvoice.training.shapes`.
    """
    torch.manual_seed(1)
    network = BackbonePretraining(SyncVoiceConfig.of(settings.config), settings.phone_stack)
    embeddings = {i: torch.randn(network.model.config.pretrained_speaker_dim) for i in range(len(clips))}
    batches = Batches(clips, settings, 1, embeddings)
    hidden = (w for m in network.modules() if isinstance(m, ZipformerLayer) for w in m.parameters())
    both = optimisers(network, settings.optimiser, settings.learning_rate, hidden, betas=(0.9, 0.98))
    stream: Iterator[Any] = iter(())

    def step() -> None:
        nonlocal stream
        with mock.patch.multiple(shapes, **width):
            batch = next(stream, None)
            if batch is None:
                stream = batches(1.0)
                batch = next(stream)
            loss, _ = train_step(network, batch, batches, settings, 0.5)
            loss.backward()
            for one in both:
                one.step()
                one.zero_grad()

    return step


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=30)
    parser.set_defaults(threads=1)
    parser.add_argument("--warm-up", type=int, default=40, help="steps before those that count")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    values = yaml.safe_load(Path("config/pretrain/backbone.yaml").read_text(encoding="utf-8"))
    settings = settings_of(BackboneRun, values, "backbone")
    clips = random_clips()
    kinds = {
        "all_lengths": {"FRAMES": 1, "TOKENS": 1},
        "few_shapes": {"FRAMES": shapes.FRAMES, "TOKENS": shapes.TOKENS},
    }
    steps = {name: trainer(settings, clips, width) for name, width in kinds.items()}
    found = medians_of(steps, args.runs, args.warm_up, CLOCKS[args.clock])
    result = {
        **{f"{name}_s": round(value, 2) for name, value in found.items()},
        "ratio": round(found["all_lengths"] / found["few_shapes"], 2),
    }
    print(result)
    write_result(args.out, {"runs": args.runs, "warm_up": args.warm_up, "clock": args.clock, **result})


if __name__ == "__main__":
    main()
