"""Distance curve, LSE-D, LSE-C and offset; the shipped network on freshly rendered clips of unseen voices."""

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice.errors import UserError
from syncvoice.metrics.lip_sync import syncnet_mini as module
from syncvoice.metrics.lip_sync.check import SyncClip, delayed, syncnet_check
from syncvoice.metrics.lip_sync.distances import (
    distance_curve,
    embed_lips,
    lip_sync,
    lip_sync_of,
    score_embeddings,
)
from syncvoice.metrics.lip_sync.syncnet_mini import mouth_frames, shrink
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Sources
from syncvoice.networks.syncnet import MINI, V2, SyncNet, SyncNetConfig, audio_windows, mfcc, n_windows
from tests.unit.spoken import noise, utterance

WEIGHTS = Path(__file__).parents[2] / "weights" / "syncnet.safetensors"


def embeddings(windows: int, seed: int = 0, size: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(windows, size)).astype(np.float32)


@pytest.fixture(scope="module")
def random_network() -> SyncNet:
    torch.manual_seed(0)
    return SyncNet(MINI).eval()


def test_equal_embeddings_are_perfect() -> None:
    result = lip_sync_of(distance_curve(embeddings(60), embeddings(60)))
    assert result.offset == 0 and result.in_sync
    assert result.lse_d < 1e-4
    assert result.lse_c > 3


def test_unrelated_embeddings_have_no_confidence() -> None:
    result = lip_sync_of(distance_curve(embeddings(400), embeddings(400, seed=1)))
    assert result.lse_c < 0.5
    assert result.lse_d > 3


@settings(max_examples=20, deadline=None)
@given(delay=st.integers(-15, 15))
def test_delay_of_k_frames_lowers_the_offset_by_k(delay: int) -> None:
    lips = embeddings(80)
    sounds = np.roll(lips, delay, axis=0)
    assert lip_sync_of(distance_curve(lips, sounds)).offset == -delay


def test_constant_delay_costs_little_distance_but_is_out_of_sync() -> None:
    lips = embeddings(200)
    late = lip_sync_of(distance_curve(lips, np.roll(lips, 6, axis=0)))
    assert late.lse_d < 0.2 * distance_curve(lips, lips).max()  # only the zero padding is left
    assert not late.in_sync


def test_curve_is_the_reference_definition() -> None:
    """Same numbers as torch's pairwise distance over zero-padded rows, as the published code defines it."""
    lips, sounds = embeddings(12), embeddings(12, seed=1)
    padded = torch.nn.functional.pad(torch.from_numpy(sounds), (0, 0, 15, 15))
    rows = [
        torch.nn.functional.pairwise_distance(torch.from_numpy(lips[[v]]).repeat(31, 1), padded[v : v + 31])
        for v in range(12)
    ]
    np.testing.assert_allclose(distance_curve(lips, sounds), torch.stack(rows).mean(0), rtol=1e-5)


def module_of_syncnet_python(name: str) -> ModuleType:
    """A module of the package, loaded by its file: the package's own import needs programs that we do not use."""
    package = importlib.util.find_spec("syncnet_python")
    if package is None:
        pytest.skip("package syncnet-python is not installed")
    path = Path(package.submodule_search_locations[0]) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"cross_check_{name}", path)
    loaded = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(loaded)
    except ImportError as error:
        pytest.skip(f"syncnet-python lacks a dependency: {error}")
    return loaded


def test_curve_agrees_with_the_package_syncnet_python() -> None:
    instance = module_of_syncnet_python("SyncNetInstance")
    lips, sounds = embeddings(20), embeddings(20, seed=1)
    rows = instance.calc_pdist(torch.from_numpy(lips), torch.from_numpy(sounds), vshift=15)
    np.testing.assert_allclose(distance_curve(lips, sounds), torch.stack(rows).mean(0), rtol=1e-5)


def test_network_agrees_with_the_package_syncnet_python() -> None:
    theirs = module_of_syncnet_python("SyncNetModel").S(num_layers_in_fc_layers=1024).eval()
    ours = SyncNet(V2).eval()
    ours.load_state_dict(theirs.state_dict())
    torch.manual_seed(1)
    lips, sound = torch.rand(1, 3, 7, 224, 224) * 255, torch.randn(3, 1, 13, 20)
    with torch.inference_mode():
        windows = torch.cat([theirs.forward_lip(lips[:, :, v : v + 5]) for v in range(3)])
        torch.testing.assert_close(ours.embed_lips(lips), windows, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.embed_audio(sound), theirs.forward_aud(sound), rtol=1e-4, atol=1e-4)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="expected two equal"):
        distance_curve(embeddings(5), embeddings(6))
    with pytest.raises(ValueError, match="expected two equal"):
        distance_curve(embeddings(0), embeddings(0))


@pytest.mark.parametrize(
    ("frames", "samples", "windows"), [(75, 48_000, 70), (75, 47_999, 69), (5, 48_000, 0), (3, 0, 0)]
)
def test_number_of_windows(frames: int, samples: int, windows: int) -> None:
    assert n_windows(frames, samples) == windows


def test_audio_window_v_starts_at_mfcc_frame_4v() -> None:
    audio = noise(1.0, sample_rate=16_000)
    windows = audio_windows(audio, 15)
    coefficients = mfcc(np.round(audio * 32767))
    assert windows.shape == (15, 1, 13, 20)
    np.testing.assert_allclose(windows[7, 0], coefficients[28:48].T, rtol=1e-5)


def test_lips_of_a_clip_equal_lips_window_by_window(random_network: SyncNet) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 48, 48), dtype=np.uint8)
    together = embed_lips(random_network, frames)
    assert together.shape == (5, 128)
    with torch.inference_mode():
        for v in range(5):
            window = torch.from_numpy(frames[v : v + 5]).float()[None, None]
            np.testing.assert_allclose(random_network.embed_lips(window)[0], together[v], atol=2e-5)


def test_embeddings_of_mini_lie_on_a_sphere(random_network: SyncNet) -> None:
    with torch.inference_mode():
        lengths = random_network.embed_audio(torch.randn(4, 1, 13, 20)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((4,), MINI.radius))


def test_too_short_clips_and_sounds_are_score_errors(random_network: SyncNet) -> None:
    with pytest.raises(ScoreError, match="5 frames"):
        embed_lips(random_network, np.zeros((5, 48, 48), np.uint8))
    lips = embed_lips(random_network, np.zeros((20, 48, 48), np.uint8))
    with pytest.raises(ScoreError, match="too short"):
        score_embeddings(lips, random_network, np.zeros(1000, np.float32))


def test_silence_gets_a_defined_score(random_network: SyncNet) -> None:
    result = lip_sync(random_network, np.zeros((40, 48, 48), np.uint8), np.zeros(25_600, np.float32))
    assert np.isfinite([result.lse_d, result.lse_c]).all()


def test_unknown_layout_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown SyncNet layout"):
        SyncNet(SyncNetConfig(layout="v3"))


def test_shrink_averages_blocks() -> None:
    frames = np.arange(2 * 96 * 96, dtype=np.uint64).reshape(2, 96, 96) % 251
    small = shrink(frames.astype(np.uint8), 48)
    assert small.shape == (2, 48, 48)
    assert small[1, 3, 4] == round(float(frames[1, 6:8, 8:10].mean()))
    assert shrink(frames.astype(np.uint8), 40).shape == (2, 40, 40)


def test_lips_of_a_clip_are_embedded_once(random_network: SyncNet, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(clip: object, size: int) -> np.ndarray:
        calls.append(clip)
        return np.zeros((50, size, size), np.uint8)

    monkeypatch.setattr(module, "mouth_frames", counted)
    scorer = module.SyncNetMiniScorer(random_network, Sources(Path("weights"), {"u1": SimpleNamespace(id="u1")}))
    scores = [scorer.score(utterance(noise(2.0))) for _ in range(2)]
    assert len(calls) == 1
    assert scores[0] == scores[1]
    assert [score.metric for score in scores[0]] == [
        f"{name}.syncnet_mini" for name in ("lse_d", "lse_c", "offset", "in_sync")
    ]


def test_clip_without_video_is_not_applicable() -> None:
    with pytest.raises(NotApplicable, match="no prepared video"):
        mouth_frames(SimpleNamespace(id="a", track=None), 48)


@pytest.mark.parametrize("delay", [-3, 0, 4])
def test_delayed_moves_sound_and_keeps_its_length(delay: int) -> None:
    audio = noise(1.0, sample_rate=16_000)
    moved = delayed(audio, delay)
    assert len(moved) == len(audio)
    kept = len(audio) - abs(delay) * 640
    start = max(0, delay) * 640
    np.testing.assert_array_equal(moved[start : start + kept], audio[max(0, -delay) * 640 :][:kept])
    assert not moved[:start].any()


def test_check_needs_two_clips(random_network: SyncNet) -> None:
    with pytest.raises(UserError, match="at least two clips"):
        syncnet_check(random_network, [])


def test_untrained_network_does_not_pass_the_check(random_network: SyncNet) -> None:
    random = np.random.default_rng(0)
    clips = [
        SyncClip(str(n), random.integers(0, 256, (40, 48, 48), dtype=np.uint8), random.normal(size=25_600).astype("f4"))
        for n in range(3)
    ]
    assert not syncnet_check(random_network, clips, delays=(-4, 4)).passed


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> list[SyncClip]:
    """Three rendered clips of unseen voices, tracked like any other video."""
    if not WEIGHTS.exists():
        pytest.skip("weights/syncnet.safetensors is not there")
    from syncvoice.minidub.corpus import make_shard
    from syncvoice.minidub.settings import CorpusJob
    from syncvoice.pretraining.syncnet import load_corpus

    split = {"clips": {"en": 3}, "voices": "unseen", "sentences": "test", "prosody_coupling": 1.0}
    folder = tmp_path_factory.mktemp("rendered")
    make_shard(CorpusJob(seed=77, splits={"check": split}), "check", 0, folder)
    return load_corpus(folder, 48)


def test_shipped_network_finds_delays_and_prefers_own_sound(rendered: list[SyncClip]) -> None:
    network = SyncNet.load(WEIGHTS)
    own, other = [], []
    for index, clip in enumerate(rendered):
        result = lip_sync(network, clip.frames, clip.audio)
        own.append(result)
        other.append(lip_sync(network, clip.frames, rendered[index - 1].audio))
        assert result.in_sync
        for delay in (-5, 5):
            assert abs(lip_sync(network, clip.frames, delayed(clip.audio, delay)).offset + delay) <= 1
    assert np.mean([r.lse_d for r in own]) < np.mean([r.lse_d for r in other]) - 1
    assert np.mean([r.lse_c for r in own]) > np.mean([r.lse_c for r in other]) + 1


def test_shipped_network_passed_its_check() -> None:
    if not WEIGHTS.exists():
        pytest.skip("weights/syncnet.safetensors is not there")
    from syncvoice.files import read_json, sha256_of
    from syncvoice.minidub.voices import UNSEEN_VOICES

    metadata = read_json(WEIGHTS.with_suffix(".json"))
    assert metadata["weights_sha256"] == sha256_of(WEIGHTS)
    figures = metadata["figures"]
    assert min(figures[name] for name in ("offset_within_1", "own_beats_other", "delays_recovered")) >= 0.95
    assert figures["passed"] is True
    assert not set(metadata["voices"]) & {voice.name for voice in UNSEEN_VOICES}


def test_mfcc_agrees_with_python_speech_features() -> None:
    theirs = pytest.importorskip("python_speech_features")
    for samples in (300, 16_000, 16_123):
        audio = np.round(noise(2.0, 0.2, 16_000)[:samples] * 32767).astype(np.float64)
        np.testing.assert_allclose(mfcc(audio), theirs.mfcc(audio, 16_000), atol=1e-6)
    np.testing.assert_allclose(mfcc(np.zeros(4000)), theirs.mfcc(np.zeros(4000), 16_000), atol=1e-6)
