"""The rows that a public TTS model speaks, with a TTS that beeps and a mesh that opens and shuts its mouth."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.audio import read_wav, write_wav
from syncvoice.generation.kinds import tts_fitted, tts_lip_timed
from syncvoice.generation.work import Work
from syncvoice.lip_timing.network import LipReader
from syncvoice.networks.kokoro import Kokoro
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.tasks import Utterance
from syncvoice.records.weights import save_weights, write_metadata
from syncvoice.timed_speech.speaking import speech_level
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import Track
from tests.unit.fake_tts import FakeTts
from tests.unit.test_lip_timing import CONFIG, mesh

N = 50
TEXT = "bin blue at f two now"
VOICES = {"female": "af_heart", "male": "am_adam"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with a track, one without, and random lip timing networks."""
    folder = tmp_path_factory.mktemp("rows")
    write_wav(folder / "a.wav", (0.2 * np.sin(np.arange(N * 960) * 0.04)).astype(np.float32), 24_000)
    with TrackWriter(folder / "tracks.h5") as writer:
        points = mesh(N).astype(np.float32)
        writer.add("seen", Track(points, np.ones(N, bool), np.zeros((N, 4), np.float32)), [], [])
    clips = [
        Clip(name, "test", "d", "p", "", "", "en", "grid", TEXT, None, folder / "a.wav", N, track=track)
        for name, track in (("seen", folder / "tracks.h5"), ("unseen", None))
    ]
    write_manifest(folder / "cuts.jsonl.gz", clips)
    torch.manual_seed(0)
    save_weights(folder / "lips.safetensors", LipReader(CONFIG).state_dict(), half=False)
    write_metadata(folder / "lips.safetensors", {"config": CONFIG})
    return folder


@pytest.fixture(autouse=True)
def _beeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kokoro, "from_assets", classmethod(lambda cls, path=None: FakeTts()))


def row(clip: str, text: str = TEXT, language: str = "en") -> Utterance:
    reference = ("r", "reference", "x", "en")
    return Utterance(f"{clip}_{language}", clip, "test", "d", text, language, "p", "", "", "grid", *reference, N)


def work(place: Path, out: Path, *rows: Utterance) -> Work:
    out.mkdir()
    return Work(list(rows), place / "cuts.jsonl.gz", place, None, out)


def test_fitted_speech_fills_the_video_as_loud_as_the_recording(place: Path, tmp_path: Path) -> None:
    settings = tts_fitted.Settings(experiment="tts_fitted", tts="tts", tts_voices=VOICES)
    (made,) = tts_fitted.speak(settings, work(place, tmp_path / "out", row("unseen")))
    assert made["status"] == "ok", made
    sound, _ = read_wav(tmp_path / "out" / str(made["wav"]), 24_000)
    assert len(sound) == N * 960 and speech_level(sound) == pytest.approx(0.2 / np.sqrt(2), rel=0.05)


def test_lip_timed_rows_follow_lips_or_mouth_and_say_what_is_missing(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syncvoice.timed_speech import fitting

    followed: list[str] = []
    place_words = fitting.word_spans

    def watched(*arguments):  # type: ignore[no-untyped-def]
        """Note what is followed."""
        followed.append(arguments[-1])
        return place_words(*arguments)

    monkeypatch.setattr(fitting, "word_spans", watched)
    settings = tts_lip_timed.Settings(
        experiment="x", tts="tts", tts_voices=VOICES, lip_timing=str(place / "lips.safetensors")
    )
    rows = [row("seen"), row("seen", "今天天气很好", "zh"), row("unseen")]
    own, translated, unseen = tts_lip_timed.speak(settings, work(place, tmp_path / "out", *rows))
    assert own["status"] == translated["status"] == "ok" and followed == ["lips", "mouth"]
    assert unseen["status"] == "failed" and "no tracked face" in str(unseen["message"])
    assert len(read_wav(tmp_path / "out" / str(own["wav"]), 24_000)[0]) == N * 960


def test_the_recordings_sound_decides_nothing_but_the_level(place: Path, tmp_path: Path) -> None:
    settings = tts_lip_timed.Settings(
        experiment="x", tts="tts", tts_voices=VOICES, lip_timing=str(place / "lips.safetensors")
    )
    first = tts_lip_timed.speak(settings, work(place, tmp_path / "one", row("seen")))
    kept = (place / "a.wav").read_bytes()
    gate = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], N * 960 // 5)
    write_wav(place / "a.wav", (0.1 * gate * np.sin(np.arange(N * 960) * 0.04)).astype(np.float32), 24_000)
    second = tts_lip_timed.speak(settings, work(place, tmp_path / "two", row("seen")))
    (place / "a.wav").write_bytes(kept)
    one, two = (read_wav(tmp_path / n / str(r[0]["wav"]), 24_000)[0] for n, r in (("one", first), ("two", second)))
    np.testing.assert_allclose(one / np.abs(one).max(), two / np.abs(two).max(), atol=2e-3)
