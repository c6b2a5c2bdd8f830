"""Batches of the backbone: a clip is never its own reference, and a voice with a single clip is left out."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from syncvoice.pretraining.backbone import Batches, Clip, references
from syncvoice.pretraining.settings import BackboneRun, settings_of
from syncvoice.training.shapes import FRAMES, same_shapes, up_to

CONFIG = Path(__file__).resolve().parents[2] / "config" / "pretrain" / "backbone.yaml"
VOICES = ("anna", "anna", "anna", "ben", "ben", "single")


def clips() -> list[Clip]:
    made = []
    for index, voice in enumerate(VOICES):
        frames = 30 + index
        mel = np.full((frames, 100), index, np.float16)
        hints = np.zeros((8, 7), np.float16)
        made.append(Clip(mel, [index + 1] * 5, hints, np.full(frames, index, np.int16), voice, 8))
    return made


@pytest.mark.parametrize("per_voice", [1, 60])
def test_no_clip_is_its_own_reference(per_voice: int) -> None:
    values = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) | {"references_per_voice": per_voice}
    settings = settings_of(BackboneRun, values | {"drop_context": 0.0}, "backbone")
    embeddings = {i: torch.full((4,), float(i)) for group in references(clips(), per_voice).values() for i in group}
    batches = Batches(clips(), settings, 1, embeddings)
    seen = set()
    for _ in range(8):
        for batch in batches(1.0):
            for name, tokens, embedding in zip(
                batch.clip_ids, batch.script.tokens, batch.script.reference_embedding, strict=True
            ):
                reference, target = tokens[0] - 1, int(name)
                seen.add(target)
                assert reference != target and VOICES[reference] == VOICES[target]
                assert float(embedding[0]) == reference
    assert seen == ({1, 2, 4} if per_voice == 1 else {0, 1, 2, 3, 4})


def test_batches_have_few_shapes_and_every_clip() -> None:
    lengths = np.random.default_rng(1).integers(60, 600, 500).tolist()
    groups = same_shapes(lengths, 4200)
    assert sorted(i for _, group in groups for i in group) == list(range(500))
    assert all(width % FRAMES == 0 and max(lengths[i] for i in group) <= width for width, group in groups)
    assert all(width * len(group) <= 4200 for width, group in groups)
    assert len({(width, len(group)) for width, group in groups}) <= 600 // FRAMES + 1
    assert same_shapes([5000], 4200) == [(up_to(5000, FRAMES), [0])]
