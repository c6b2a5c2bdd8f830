"""SIM-o with WavLM, CAM++ and d-vectors, and the rule that no network may condition a model and score it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from syncvoice.audio import write_wav
from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.metrics.scorer import ScoreError, Sources
from syncvoice.metrics.voice.campplus import CamplusMiniScorer, CamplusZhEnScorer
from syncvoice.metrics.voice.dvector import DvectorEncoder, DvectorSimilarityScorer, log_mel, prepare
from syncvoice.metrics.voice.similarity import Encoder, SilentSound
from syncvoice.metrics.voice.wavlm import WavlmEncoder, WavlmSimilarityScorer
from syncvoice.networks.ecapa import WavLMSpeakerEncoder
from syncvoice.networks.wav2vec2 import TrunkConfig
from syncvoice.networks.wavlm import WavLM
from syncvoice.study.load import load_study
from tests.unit.real_sounds import grid_clips, grid_sound, recording
from tests.unit.spoken import noise, speech, utterance

ROOT = Path(__file__).parents[2]
ENCODER = ROOT / "weights" / "speaker_encoder.safetensors"
CONVOLUTIONS = tuple((24, kernel, stride) for _, kernel, stride in TrunkConfig.convolutions)
SMALL = TrunkConfig(32, 48, 4, 2, CONVOLUTIONS, frame_norm=True, norm_first=True, position_kernel=16, position_groups=4)


def dvector_state(attentive: bool) -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    parts = {"lstm": torch.nn.LSTM(40, 16, 2, batch_first=True), "embedding": torch.nn.Linear(16, 8)}
    if attentive:
        parts["linear"] = torch.nn.Linear(8, 1)
    return torch.nn.ModuleDict(parts).state_dict()


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SimpleNamespace]:
    folder = tmp_path_factory.mktemp("references")
    found = {}
    for voice, sex in (("f2", "female"), ("f4", "female"), ("m1", "male")):
        write_wav(folder / f"{voice}.wav", speech(voice, 1).audio, 24_000)
        found[f"ref_{voice}"] = SimpleNamespace(
            audio=folder / f"{voice}.wav", speaker=voice, sex=sex, split="reference"
        )
    return found


@pytest.fixture(scope="module")
def campplus() -> CamplusMiniScorer:
    if not ENCODER.exists():
        pytest.skip("weights/speaker_encoder.safetensors is not there")
    return CamplusMiniScorer.from_sources(Sources(ENCODER.parent))


@pytest.fixture(scope="module", params=["wavlm", "dvector", "campplus"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    if request.param == "wavlm":
        torch.manual_seed(1)
        return WavlmEncoder(WavLMSpeakerEncoder(WavLM(SMALL, 32, 40)).eval())
    if request.param == "dvector":
        return DvectorEncoder(dvector_state(attentive=True))
    return request.getfixturevalue("campplus").encoder


def test_every_network_gives_similarities_in_range(encoder: Encoder, references: dict[str, SimpleNamespace]) -> None:
    scorer = WavlmSimilarityScorer(encoder, references)
    sound = speech("f2", 1).audio
    scores = {score.metric: score.value for score in scorer.score(utterance(sound, reference="ref_f2", speaker="f2"))}
    assert set(scores) == {"sim_o.wavlm_ecapa", "sim_o_other.wavlm_ecapa", "sim_margin.wavlm_ecapa"}
    assert scores["sim_margin.wavlm_ecapa"] == scores["sim_o.wavlm_ecapa"] - scores["sim_o_other.wavlm_ecapa"]
    assert scores["sim_o.wavlm_ecapa"] == pytest.approx(1, abs=2e-3)  # its own recording, as 16-bit file
    assert -1 <= scores["sim_o_other.wavlm_ecapa"] < scores["sim_o.wavlm_ecapa"]


def test_every_network_refuses_silence_and_nothing(encoder: Encoder) -> None:
    with pytest.raises(SilentSound, match="silent"):
        encoder.embed(np.zeros(16_000, np.float32))
    with pytest.raises(ScoreError):
        encoder.embed(np.zeros(0, np.float32))
    with pytest.raises(ScoreError, match="silent|samples"):
        encoder.embed(noise(399 / 16_000, 0.3, 16_000))


def test_campplus_needs_some_frames(campplus: CamplusMiniScorer) -> None:
    with pytest.raises(ScoreError, match="8 frames of 10 ms, CAM"):
        campplus.encoder.embed(noise(0.1, 0.3, 16_000))


def test_embeddings_have_length_one_and_repeat(encoder: Encoder) -> None:
    sound = noise(1.5, 0.1, 16_000)
    first = encoder.embed(sound)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(first, encoder.embed(sound))


def test_campplus_tells_real_speakers_apart(campplus: CamplusMiniScorer) -> None:
    """The shipped encoder has heard espeak only; another speaker must still be less alike."""
    own = [campplus.encoder.embed(grid_sound("s1", name)) for name in grid_clips("s1")[:3]]
    others = [campplus.encoder.embed(grid_sound(who, grid_clips(who)[0])) for who in ("s3", "s10", "s22")]
    same = np.mean([own[0] @ own[1], own[0] @ own[2], own[1] @ own[2]])
    assert same > np.mean([a @ b for a in own for b in others]) + 0.05


def test_campplus_scores_read_speech(campplus: CamplusMiniScorer) -> None:
    sounds = [recording(f"librispeech_test-other/{name}.flac") for name in
              ("1688/1688-142285-0000", "1688/1688-142285-0001", "1998/1998-15444-0000")]  # fmt: skip
    first, same, other = (campplus.encoder.embed(sound) for sound in sounds)
    assert first @ same > first @ other


@pytest.mark.parametrize("attentive", [False, True])
def test_dvector_pools_the_last_frame_or_all(attentive: bool) -> None:
    state = dvector_state(attentive)
    lstm = torch.nn.LSTM(40, 16, 2, batch_first=True)
    lstm.load_state_dict({name.removeprefix("lstm."): value for name, value in state.items() if "lstm" in name})
    mels = torch.randn(1, 30, 40)
    with torch.inference_mode():
        states = lstm(mels)[0][0] @ state["embedding.weight"].T + state["embedding.bias"]
        expected = states[-1]
        if attentive:
            weights = (states.tanh() @ state["linear.weight"][0] + state["linear.bias"]).softmax(0)
            expected = (weights[:, None] * states.tanh()).sum(0)
        torch.testing.assert_close(DvectorEncoder(state).pooled(mels)[0], expected)


def test_dvector_mels_equal_torchaudio() -> None:
    shim = pytest.importorskip("syncvoice.torchaudio_shim")
    audio = noise(0.5, 0.2, 16_000)
    peer = shim.torchaudio.transforms.MelSpectrogram(16_000, n_fft=400, hop_length=160, f_min=50.0, n_mels=40)
    expected = torch.log(peer(torch.from_numpy(audio)).T + 1e-9)
    np.testing.assert_allclose(log_mel(audio), expected, atol=1e-4)


def test_dvector_level_and_silence() -> None:
    sound = noise(1.0, 0.1, 16_000)
    padded = np.concatenate([np.zeros(16_000, np.float32), 0.2 * sound, np.zeros(8_000, np.float32)])
    assert np.abs(prepare(padded)).max() == pytest.approx(10 ** (-3 / 20))
    assert len(prepare(padded)) == len(sound)
    with pytest.raises(UserError, match="need keys lstm"):
        DvectorEncoder({"weights": torch.ones(1)})


@pytest.mark.parametrize("scorer", [WavlmSimilarityScorer, DvectorSimilarityScorer, CamplusZhEnScorer])
def test_missing_weights_are_one_sentence(scorer: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    with pytest.raises(UserError, match=rf"^sim_o.{scorer.NAME} needs the weights \w+: put [^.].*at .*assets"):
        scorer.from_sources(Sources(tmp_path, assets=tmp_path / "assets"))


def test_dvector_weights_are_found_under_their_asset_name(tmp_path: Path) -> None:
    from syncvoice.records.weights import save_weights

    save_weights(tmp_path / "dvector.safetensors", dvector_state(attentive=True), half=False)
    scorer = DvectorSimilarityScorer.from_sources(Sources(tmp_path, assets=tmp_path))
    assert scorer.encoder.embed(noise(1, 0.1, 16_000)).shape == (8,)
    assert len(scorer.weights_sha256) == 64


@pytest.mark.parametrize(
    ("encoder_file", "metric"),
    [
        ("weights/speaker_encoder.safetensors", "sim_o.campplus_mini"),
        ("resources/assets/campplus_zh_en", "sim_o.campplus_zh_en"),
        ("resources/assets/campplus_voxceleb.bin", "sim_o.campplus_voxceleb"),
    ],
)
def test_no_network_conditions_and_scores(encoder_file: str, metric: str) -> None:
    config = ROOT / "config"
    values = yaml.safe_load((config / "tiny.yaml").read_text())
    for recipe in values.setdefault("recipes", {}).values():
        recipe.pop("speaker_encoder", None)
    values.setdefault("weights", {})["speaker_encoder"] = encoder_file
    task = next(iter(values["tasks"]))
    values["tasks"][task]["metrics"] = [*values["tasks"][task]["metrics"], metric]
    with pytest.raises(UserError, match=f"{metric} scores with .*also conditions a model"):
        load_study(values, config, "study.yaml")
    values["weights"]["speaker_encoder"] = "resources/assets/another_network"
    assert metric in load_study(values, config, "study.yaml").tasks[task].metrics


def test_every_outside_network_is_in_the_registry() -> None:
    from syncvoice.assets import read_registry

    registry = read_registry(ROOT / "config" / "assets.yaml")
    for file in METRIC_FILES.values():
        assert set(file.assets) <= set(registry), file.id
