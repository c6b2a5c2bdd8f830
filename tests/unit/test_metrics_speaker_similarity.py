"""GE2E embeddings with the weights of Resemblyzer, and the similarity scorer."""

import sys
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from syncvoice.audio import write_wav
from syncvoice.mel_filters import mel_filters
from syncvoice.metrics.scorer import NotApplicable, ScoreError
from syncvoice.metrics.voice.ge2e import Ge2eScorer, SpeakerEncoder
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer
from syncvoice.networks.ge2e import cut_silence, mel_spectrogram, partial_starts, prepare
from tests.unit.real_sounds import grid_clips, grid_sound
from tests.unit.spoken import at_16k, noise, speech, utterance


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return SpeakerEncoder.installed()


@pytest.fixture(scope="module")
def scorer(encoder: SpeakerEncoder, tmp_path_factory: pytest.TempPathFactory) -> SpeakerSimilarityScorer:
    folder = tmp_path_factory.mktemp("references")
    references = {}
    for voice, sex in (("f2", "female"), ("f4", "female"), ("aunty", "female"), ("m1", "male")):
        path = folder / f"{voice}.wav"
        write_wav(path, speech(voice, 1).audio, 24_000)
        references[f"ref_{voice}"] = SimpleNamespace(audio=path, speaker=voice, sex=sex, split="reference")
    return Ge2eScorer(encoder, references)


def values(scorer: SpeakerSimilarityScorer, audio: np.ndarray, **row: str) -> dict[str, float]:
    fields = {"reference": "ref_f2", "speaker": "f2", **row}
    return {score.metric.split(".")[0]: score.value for score in scorer.score(utterance(audio, **fields))}


def slaney_filters() -> np.ndarray:
    return mel_filters(400, 40, 16_000, scale="slaney", by_area=True).numpy().T


def test_mel_filters_are_slaney_triangles() -> None:
    filters = slaney_filters()
    assert filters.shape == (40, 201) and filters.min() == 0
    peaks = filters.argmax(1) * 40  # Hz
    assert (np.diff(peaks) >= 0).all()
    assert peaks[0] < 120 and 7000 < peaks[-1] < 8000


def test_mel_spectrogram_finds_a_tone() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    mel = mel_spectrogram(tone)
    assert mel.shape == (101, 40)
    centre = slaney_filters()[mel[50].argmax()].argmax() * 40
    assert abs(centre - 1000) <= 80


@pytest.mark.parametrize(("samples", "starts"), [(16_000, [0]), (48_000, [0, 77, 154]), (60_000, [0, 77, 154, 231])])
def test_partials(samples: int, starts: list[int]) -> None:
    assert partial_starts(samples) == starts


def test_quiet_sound_is_raised_loud_sound_is_not() -> None:
    audio = at_16k(speech("f2").audio)
    rms = np.sqrt(np.mean(np.square(audio)))
    raised = prepare(audio * (0.001 / rms))
    assert np.abs(raised).max() > 5 * np.abs(audio * (0.001 / rms)).max()
    assert np.abs(prepare(audio * (0.2 / rms))).max() == pytest.approx(np.abs(audio * (0.2 / rms)).max())


def test_long_silence_is_cut() -> None:
    audio = np.concatenate([noise(1.0, sample_rate=16_000), np.zeros(32_000, np.float32)])
    assert 16_000 <= len(cut_silence(audio)) < 22_000


def test_embedding_has_length_one_and_repeats(encoder: SpeakerEncoder) -> None:
    audio = at_16k(speech("f2").audio)
    first = encoder.embed(audio)
    assert first.shape == (256,) and (first >= 0).all()
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(first, encoder.embed(audio))


def test_network_and_partials_equal_the_package(encoder: SpeakerEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resemblyzer itself, without the two packages that its import wants and its network does not."""
    for name in ("webrtcvad", "librosa"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "scipy.ndimage.morphology", ModuleType("morphology"))
    sys.modules["scipy.ndimage.morphology"].binary_dilation = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("resemblyzer.voice_encoder")
    theirs = package.VoiceEncoder("cpu", verbose=False)
    audio = prepare(at_16k(speech("f2").audio))
    wave_slices, mel_slices = theirs.compute_partial_slices(len(audio), 1.3, 0.75)
    assert partial_starts(len(audio)) == [cut.start for cut in mel_slices]
    mel = mel_spectrogram(np.pad(audio, (0, max(0, wave_slices[-1].stop - len(audio)))))
    with torch.inference_mode():
        partials = theirs(torch.from_numpy(np.stack([mel[cut] for cut in mel_slices]))).numpy()
    mean = partials.mean(axis=0)
    np.testing.assert_allclose(encoder.embed_prepared(audio), mean / np.linalg.norm(mean), atol=1e-5)


def test_another_real_speaker_lowers_similarity(encoder: SpeakerEncoder) -> None:
    own = [encoder.embed(grid_sound("s1", name)) for name in grid_clips("s1")[:3]]
    others = [encoder.embed(grid_sound(who, grid_clips(who)[0])) for who in ("s2", "s3", "s4", "s10", "s22")]
    assert min(own[0] @ own[1], own[0] @ own[2], own[1] @ own[2]) > max(a @ b for a in own for b in others)


def test_own_reference_recording_is_perfect(scorer: SpeakerSimilarityScorer) -> None:
    assert values(scorer, speech("f2", 1).audio)["sim_o"] == pytest.approx(1, abs=1e-3)


def test_another_speaker_lowers_similarity(scorer: SpeakerSimilarityScorer) -> None:
    same = values(scorer, speech("f2", 0).audio)
    other = values(scorer, speech("m1", 0).audio)
    assert same["sim_o"] > other["sim_o"] + 0.1
    assert same["sim_o"] > same["sim_o_other"] + 0.05


def test_noise_is_like_nobody(scorer: SpeakerSimilarityScorer) -> None:
    assert values(scorer, noise(2.0))["sim_o"] < 0.6


def test_without_other_voices_of_the_sex_there_is_no_floor(scorer: SpeakerSimilarityScorer) -> None:
    assert set(values(scorer, speech("m1").audio, sex="male", reference="ref_m1", speaker="m1")) == {"sim_o"}


def test_silence_and_missing_references_are_rows_not_crashes(scorer: SpeakerSimilarityScorer) -> None:
    with pytest.raises(SilentSound, match="silent"):
        values(scorer, np.zeros(24_000))
    with pytest.raises(ScoreError, match="in no manifest"):
        values(scorer, noise(1.0), reference="nobody")
    with pytest.raises(NotApplicable, match="no reference"):
        values(scorer, noise(1.0), reference="")


def test_weights_are_the_installed_ones(scorer: SpeakerSimilarityScorer) -> None:
    import importlib.util

    folder = importlib.util.find_spec("resemblyzer").submodule_search_locations[0]
    from syncvoice.files import sha256_of

    assert scorer.weights_sha256 == sha256_of(Path(folder) / "pretrained.pt")
