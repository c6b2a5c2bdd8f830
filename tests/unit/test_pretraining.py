"""Pre-training: every loss falls, runs are reproducible and resumable, provenance is complete."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.minidub.speech import Phone
from syncvoice.model.vocoder import HOP, Vocoder
from syncvoice.pretraining import data, loop, recogniser, settings, speaker_encoder, vocoder
from syncvoice.pretraining.settings import SpeechSource
from syncvoice.pretraining.speech_data import SpeechPool
from syncvoice.records import weights

CONFIG = Path(__file__).resolve().parents[2] / "config"
SPEAKER_CONFIG = {
    "embedding_size": 8,
    "growth": 4,
    "bn_size": 2,
    "init_channels": 8,
    "head_channels": 2,
    "layers": [1, 1, 1],
}
VOCODER_CONFIG = {"dim": 16, "intermediate": 32, "layers": 1, "refine": 2}


class TonePool:
    """A pool of four tones: voice and text tell the pitch; stands for the pool of synthetic speech."""

    voice = ("low", "high", "low", "high")
    text = ("a b", "我", "b a", "你")
    language = ("en", "zh", "en", "zh")

    def __init__(self, path: Path) -> None:
        path.write_bytes(b"tones")
        self.path = path
        self.n_samples = np.full(4, SAMPLE_RATE)

    def __len__(self) -> int:
        return 4

    def audio(self, index: int) -> np.ndarray:
        hertz = {"low": 200, "high": 900}[self.voice[index]] * (1 + 0.01 * index)
        return (0.2 * np.sin(2 * np.pi * hertz * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)

    def phones(self, index: int) -> tuple[Phone, ...]:
        return (Phone("_", 0.0, 0.2), Phone("a" if self.voice[index] == "low" else "i", 0.2, 1.0))

    provenance = SpeechPool.provenance


@pytest.fixture
def tones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TonePool:
    """Put the tones in the place of the pool, and leave out the checks that need espeak."""
    pool = TonePool(tmp_path / "pool.h5")
    for module in (data, speaker_encoder):
        monkeypatch.setattr(module, "open_pool", lambda settings: pool)
    for module in (vocoder, speaker_encoder, recogniser):
        monkeypatch.setattr(module, "evaluate", lambda model, settings: {"n": 0})
    monkeypatch.setattr(loop, "LOG_EVERY", 5)
    monkeypatch.setattr(loop, "WARM_UP_STEPS", 2)
    return pool


def _settings(**more: object) -> dict[str, object]:
    return {"seed": 5, "steps": 30, "learning_rate": 2e-2, "batch_size": 4, "pool": "unused", **more}


VOCODER = _settings(config=VOCODER_CONFIG, crop_frames=16)
SPEAKER = _settings(config=SPEAKER_CONFIG, crop_frames=[40, 60], noise=0.1)
RECOGNISER = _settings(config={"dim": 16, "blocks": 1, "kernel": 5, "expansion": 1, "dropout": 0.0})


@pytest.mark.parametrize(
    ("module", "settings", "column"),
    [(vocoder, VOCODER, "log_magnitude"), (speaker_encoder, SPEAKER, "loss"), (recogniser, RECOGNISER, "phone")],
)
def test_loss_falls_and_files_are_complete(
    tones: TonePool, tmp_path: Path, module: object, settings: dict, column: str
) -> None:
    out = tmp_path / "net.safetensors"
    module.run(settings, out, None, None)
    rows = loop._read_curve(out)
    assert [row["step"] for row in rows] == ["5", "10", "15", "20", "25", "30"]
    if module is not speaker_encoder:  # its margin grows during the run
        assert float(rows[-1][column]) < 0.8 * float(rows[0][column])
    metadata = weights.read_metadata(out)
    assert metadata["weights_sha256"] == sha256_of(out) and metadata["chain"][0]["finished"]
    assert metadata["voices"] == ["high", "low"] and not set(metadata["voices"]) & set(metadata["unseen_voices"])
    assert metadata["chain"][0]["settings"]["seed"] == 5 and metadata["figures"] == {"n": 0}


@pytest.mark.parametrize(
    ("module", "settings"), [(vocoder, VOCODER), (speaker_encoder, SPEAKER), (recogniser, RECOGNISER)]
)
def test_a_check_that_fails_does_not_cost_the_training(
    tones: TonePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, settings: dict
) -> None:
    def failing(*_: object) -> None:
        raise UserError("the network of the natural voices is not here")

    monkeypatch.setattr(module, "evaluate", failing)
    out = tmp_path / "net.safetensors"
    with pytest.raises(UserError):
        module.run({**settings, "steps": 6}, out, None, None)
    chain = weights.read_metadata(out)["chain"]
    assert chain[0]["steps"] == 6 and not chain[0]["finished"]


def test_same_settings_give_the_same_bytes_and_a_start_extends_the_chain(tones: TonePool, tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.safetensors" for name in ("a", "b", "c"))
    short = {**VOCODER, "steps": 6}
    vocoder.run(short, first, None, None)
    vocoder.run(short, second, None, None)
    assert first.read_bytes() == second.read_bytes()
    vocoder.run(short, third, first, None)
    chain = weights.read_metadata(third)["chain"]
    assert [run["start_sha256"] for run in chain] == [None, sha256_of(first)]
    assert chain[0]["seed"] != chain[1]["seed"]
    assert [row["run"] for row in loop._read_curve(third)] == ["0", "1"]


def test_time_limit_ends_a_run(tones: TonePool, tmp_path: Path) -> None:
    vocoder.run({**VOCODER, "steps": 10**9}, tmp_path / "a.safetensors", None, 0.01)
    assert 0 < weights.read_metadata(tmp_path / "a.safetensors")["chain"][0]["steps"] < 10**4


def test_missing_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config/pretrain/vocoder\.yaml: learning_rate"):
        vocoder.run({"seed": 1, "steps": 1, "config": {}}, tmp_path / "a.safetensors", None, None)


def test_phase_losses_ignore_whole_turns() -> None:
    torch.manual_seed(0)
    phase, magnitudes = 6 * torch.rand(1, 20, 8), torch.rand(1, 20, 8) + 0.1
    turned = phase + 2 * torch.pi * torch.randint(-2, 3, phase.shape)
    assert all(value < 1e-4 for value in vocoder.phase_losses(turned, phase, magnitudes).values())


def test_log_mel_equals_the_features_of_the_project() -> None:
    from syncvoice.features.mel import log_mel

    sound = np.random.default_rng(0).normal(0, 0.1, HOP * 20).astype(np.float32)
    ours = vocoder.log_mel(vocoder.magnitude(vocoder.spectrum(torch.from_numpy(sound)[None])))[0].T
    theirs = torch.as_tensor(log_mel(sound))
    torch.testing.assert_close(0.1 * ours[: len(theirs)], theirs[: len(ours)], atol=1e-3, rtol=0)


def test_decode_has_the_wanted_length_and_range() -> None:
    torch.manual_seed(0)
    net, mel = Vocoder(VOCODER_CONFIG).eval(), torch.rand(3, 12, 100)
    assert net.decode(mel, 4000).shape == (3, 4000) and net.decode(mel[0], 100).shape == (100,)
    assert net.decode(mel + 1, 3000).abs().max() <= 1.0
    torch.testing.assert_close(net.decode(mel, 2816)[1], net.decode(mel[1], 2816), atol=1e-5, rtol=0)


def test_refinement_makes_phases_fit_true_magnitudes() -> None:
    time = torch.arange(HOP * 40) / SAMPLE_RATE
    sound = (sum(torch.sin(2 * torch.pi * 180 * k * time) / k for k in range(1, 9)) * 0.1)[None]
    head = Vocoder(VOCODER_CONFIG).head
    true = vocoder.magnitude(vocoder.spectrum(sound))
    phase = torch.zeros_like(true)

    def error(candidate: torch.Tensor) -> float:
        found = vocoder.magnitude(vocoder.spectrum(head.sound(true.log(), candidate)))
        return (torch.linalg.vector_norm(found - true) / torch.linalg.vector_norm(true)).item()

    assert error(head.refined_phase(true.log(), phase, 32)) < 0.25 * error(phase)


def test_equal_error_rate() -> None:
    assert speaker_encoder.equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == 0.0
    assert speaker_encoder.equal_error_rate(np.array([0.1, 0.9]), np.array([0.2, 0.8])) == pytest.approx(0.5)


def test_phone_labels_follow_the_clock() -> None:
    phones = (Phone("_", 0.0, 0.1), Phone("a", 0.1, 0.3))
    labels = data.phone_labels(phones, 40)
    assert set(labels[:10]) == {0} and len(set(labels[10:30])) == 1 and labels[15] != 0 and set(labels[30:]) == {0}
    faster = data.phone_labels(phones, 20, speed=2.0)
    assert set(faster[:5]) == {0} and set(faster[5:15]) == {labels[15]}


def test_error_counts_are_edit_distances() -> None:
    assert recogniser.error_counts("bin blue at".split(), "bin red at f".split()) == 2
    assert recogniser.error_counts([], ["a"]) == 1 and recogniser.error_counts(list("abc"), []) == 3


def test_unseen_utterances_are_test_sentences_of_unseen_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.minidub.voices import PRETRAIN_VOICES, UNSEEN_VOICES

    monkeypatch.setattr(data.voices, "UNSEEN_VOICES", UNSEEN_VOICES[:2])
    found = list(data.unseen_utterances(SpeechSource(pool=str(tmp_path / "pool.h5"), seed=3), 1))
    assert len(found) == 6 and {u.language for u in found} == {"en", "zh"}
    assert not {u.voice for u in found} & {voice.name for voice in PRETRAIN_VOICES}
    assert len({(u.text, u.language) for u in found}) == 6


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("vocoder", "VocoderRun"),
        ("speaker_encoder", "SpeakerEncoderRun"),
        ("recogniser", "RecogniserRun"),
        ("backbone", "BackboneRun"),
        ("syncnet", "SyncNetRun"),
        ("syncnet_recordings", "SyncNetRun"),
    ],
)
def test_shipped_settings_fit_and_a_misspelt_key_is_named(name: str, section: str) -> None:
    values = yaml.safe_load((CONFIG / "pretrain" / f"{name}.yaml").read_text(encoding="utf-8"))
    checked = settings.settings_of(getattr(settings, section), values, name)
    assert checked.steps == values["steps"]
    with pytest.raises(UserError, match=rf"{name}\.yaml: unknown key stepz; did you mean 'steps'"):
        settings.settings_of(getattr(settings, section), {**values, "stepz": 1}, name)


def test_provenance_holds_no_folder() -> None:
    settings = {"pool": "/machine/pool_a", "more_pools": ["/machine/pool_b", "pool_c"], "steps": 3, "note": None}
    expected = {"pool": "pool_a", "more_pools": ["pool_b", "pool_c"], "steps": 3, "note": None}
    assert loop._without_folders(settings) == expected
