"""The front-end and pooling of the VoiceFilter d-vector; on real speech, the values that were measured with it."""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.metrics.scorer import Sources
from syncvoice.metrics.voice.dvector_voicefilter import ASSET, DvectorEncoder, VoiceFilterSimilarityScorer, log_mel
from syncvoice.metrics.voice.similarity import SilentSound
from syncvoice.places import find_weights
from tests.unit.clip_files import real_data
from tests.unit.real_sounds import recording


class Session:
    """Returns the mean spectrum of every window, and keeps what it was given."""

    def run(self, outputs: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.windows = inputs["mel_window"]
        return [self.windows.mean(axis=1)]


def tone(hertz: float, seconds: float) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * hertz * np.arange(round(16_000 * seconds)) / 16_000).astype(np.float32)


def test_log_mel_knows_level_and_pitch() -> None:
    low, high = log_mel(tone(300, 1.0)), log_mel(tone(3000, 1.0))
    assert low.shape == (1 + (16_000 - 512) // 160, 40)
    assert low.mean(0).argmax() < high.mean(0).argmax()
    np.testing.assert_allclose(log_mel(10 * tone(300, 1.0))[:, 5] - low[:, 5], 2.0, atol=1e-3)


@pytest.mark.parametrize(("seconds", "windows"), [(0.2, 1), (0.83, 1), (1.3, 2), (2.5, 5)])
def test_windows_overlap_by_half_and_short_sounds_are_padded(seconds: float, windows: int) -> None:
    encoder = DvectorEncoder(Session(), "")
    found = encoder.embed(tone(300, seconds))
    assert encoder._session.windows.shape == (windows, 80, 40) and encoder._session.windows.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_silence_has_no_voice() -> None:
    with pytest.raises(SilentSound):
        DvectorEncoder(Session(), "").embed(np.zeros(16_000, np.float32))


def test_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCVOICE_ASSETS", str(tmp_path))
    with pytest.raises(UserError, match="voicefilter_dvector"):
        VoiceFilterSimilarityScorer.from_sources(Sources(assets=tmp_path, weights=tmp_path))


@pytest.mark.skipif(find_weights(ASSET) is None, reason="the weights are fetched, not shipped")
def test_real_voices_are_told_apart() -> None:
    """Three sentences of each of ten readers of LibriSpeech: 0.879 within a voice and 0.313 between two."""
    folder = real_data("speech") / "librispeech_test-other"
    files = [path.relative_to(real_data("speech")) for path in sorted(folder.rglob("*.flac"))]
    encoder = VoiceFilterSimilarityScorer.from_sources(Sources(weights=Path("weights"))).encoder
    voices = np.array([path.parts[1] for path in files])
    embeddings = np.stack([encoder.embed(recording(str(path))) for path in files])
    similarity = embeddings @ embeddings.T
    first, second = np.triu_indices(len(files), 1)
    same = voices[first] == voices[second]
    values = similarity[first, second]
    assert values[same].mean() == pytest.approx(0.879, abs=0.005)
    assert values[~same].mean() == pytest.approx(0.313, abs=0.005)
    assert values[same].min() > values[~same].max()
