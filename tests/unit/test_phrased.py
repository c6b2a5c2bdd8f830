"""A text over the phrases of a mouth that speaks another language."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.audio import write_wav
from syncvoice.clocks import mel_frames
from syncvoice.errors import UserError
from syncvoice.generation import by_recipe
from syncvoice.generation.kinds import model_phrased
from syncvoice.generation.phrased import parts_in_phrases, units_of
from syncvoice.generation.speech import Request, Voice
from syncvoice.generation.work import Work
from syncvoice.lip_timing import activity
from syncvoice.lip_timing.network import LipReader
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.tasks import Utterance
from syncvoice.records.weights import save_weights, write_metadata
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import Track
from tests.unit.test_lip_timing import CONFIG, mesh

N, TEXT = 50, "今天天气很好，我们去公园。"


def test_units_hold_every_symbol_and_end_behind_syllables_and_words() -> None:
    tokenizer = EmiliaTokenizer()
    tokens = tokenizer.tokens(TEXT, "zh")
    units = units_of(tokens)
    assert sum(count for count, _ in units) == len(tokens)
    assert [mark for _, mark in units if mark] == [",", "."] and len(units) == 11  # eleven characters
    english = tokenizer.tokens("the baby went home", "en")
    assert len(units_of(english)) == 4 and sum(count for count, _ in units_of(english)) == len(english)


def test_a_pause_of_the_mouth_falls_on_the_comma_and_holds_no_text() -> None:
    tokens = EmiliaTokenizer().tokens(TEXT, "zh")
    comma = tokens.index(",") + 1
    parts = parts_in_phrases(tokens, [(0.2, 1.0), (1.3, 1.9)], N)
    assert [count for count, _ in parts] == [0, comma, 0, len(tokens) - comma, 0]
    assert sum(frames for _, frames in parts) == mel_frames(N)
    assert [frames for _, frames in parts[:4]] == [19, 75, 28, 56]  # 93.75 frames per second


def test_more_phrases_than_words_are_joined_and_late_ones_end_with_the_video() -> None:
    parts = parts_in_phrases(["n0", "i3"], [(0.1, 0.5), (0.9, 1.2), (1.6, 2.4)], N)
    assert sum(count for count, _ in parts) == 2 and sum(frames for _, frames in parts) == mel_frames(N)
    assert all(frames >= 0 for _, frames in parts)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """A clip with a track, one without, and random lip timing networks."""
    write_wav(tmp_path / "a.wav", np.zeros(N * 960, np.float32), 24_000)
    with TrackWriter(tmp_path / "tracks.h5") as writer:
        writer.add("seen", Track(mesh(N).astype(np.float32), np.ones(N, bool), np.zeros((N, 4), np.float32)), [], [])
    clips = [
        Clip(name, "test", "d", "p", "", "", "en", "grid", "x", None, tmp_path / "a.wav", N, track=track)
        for name, track in (("seen", tmp_path / "tracks.h5"), ("unseen", None))
    ]
    write_manifest(tmp_path / "cuts.jsonl.gz", clips)
    torch.manual_seed(0)
    save_weights(tmp_path / "lips.safetensors", LipReader(CONFIG).state_dict(), half=False)
    write_metadata(tmp_path / "lips.safetensors", {"config": CONFIG})
    rows = [
        Utterance(f"{c.id}_zh", c.id, "test", "d", TEXT, "zh", "p", "", "", "grid", "r", "reference", "x", "en", N)
        for c in clips
    ]
    return Work(rows, tmp_path / "cuts.jsonl.gz", tmp_path, tmp_path, tmp_path)


def arranged(work: Work, monkeypatch: pytest.MonkeyPatch, phrases: list[tuple[float, float]] | None,
             clip: str) -> Request:  # fmt: skip
    """What becomes of a request when the mouth says `phrases`."""
    found: list[Request] = []
    tokens = EmiliaTokenizer().encode(TEXT, "zh")
    plain = Request(f"{clip}_zh", tokens, Voice([1], torch.zeros(4, 100), None), {}, N, 1)

    def spoken(settings: object, work: Work, arrange: "by_recipe.Arrange") -> list[dict[str, object]]:
        """Keep what would be spoken."""
        found.extend(arrange([plain], EmiliaTokenizer()))
        return []

    monkeypatch.setattr(by_recipe, "speak", spoken)
    monkeypatch.setattr(activity, "phrases_of", lambda *_: phrases)
    settings = model_phrased.Settings.model_construct(lip_timing=str(work.features_root / "lips.safetensors"))
    model_phrased.speak(settings, work)
    return found[0]


def test_the_row_speaks_in_the_phrases_of_its_clip_or_over_the_whole(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = arranged(work, monkeypatch, [(0.2, 0.9), (1.2, 1.8)], "seen")
    assert len(request.parts) == 5 and sum(count for count, _ in request.parts) == len(request.tokens)
    assert request.parts[0] == (0, 24)  # sound comes 55 ms after the mouth
    assert arranged(work, monkeypatch, None, "seen").parts == ()
    with pytest.raises(UserError, match="no tracked face"):
        arranged(work, monkeypatch, None, "unseen")
