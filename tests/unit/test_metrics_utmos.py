"""UTMOS: composition, public layout, and its scorer."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.metrics.naturalness.utmos import UtmosScorer
from syncvoice.metrics.scorer import ScoreError, Sources
from syncvoice.networks.utmos import UtmosStrong
from syncvoice.networks.wav2vec2 import TrunkConfig
from tests.unit.spoken import noise, utterance

CONVOLUTIONS = tuple((24, kernel, stride) for _, kernel, stride in TrunkConfig.convolutions)
SMALL = TrunkConfig(32, 48, 4, 2, CONVOLUTIONS, position_kernel=16, position_groups=4)


@pytest.fixture(scope="module")
def network() -> UtmosStrong:
    torch.manual_seed(3)
    made = UtmosStrong(SMALL).eval()
    with torch.no_grad():
        made.domain_emb.normal_()
        made.judge_emb.normal_()
        made.projection[2].weight.mul_(50)  # scores that differ from sound to sound
    return made


@pytest.fixture(scope="module")
def scorer(network: UtmosStrong) -> UtmosScorer:
    return UtmosScorer(network)


def test_score_is_a_mean_over_frames_of_trunk_constants_blstm_and_projection(network: UtmosStrong) -> None:
    """The reference's steps, one frame after another."""
    audio = torch.randn(1, 5001, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        frames = network.wav2vec2(audio)[-1][0]
        joined = torch.stack([torch.cat([f, network.domain_emb[0], network.judge_emb[0]]) for f in frames])
        states = network.blstm(joined[None])[0][0]
        values = [network.projection[2](network.projection[0](state).relu()).item() for state in states]
        assert network(audio).item() == pytest.approx(2 * np.mean(values) + 3, abs=1e-5)


def test_public_layout_has_the_names_and_sizes_of_the_published_file() -> None:
    """Facts of the file: names of trunk, BLSTM, projection and constants; wav2vec 2.0 base."""
    with torch.device("meta"):
        state = UtmosStrong().state_dict()
    sizes = {
        "domain_emb": (1, 128),
        "judge_emb": (1, 128),
        "blstm.weight_ih_l0": (2048, 1024),
        "blstm.weight_hh_l0_reverse": (2048, 512),
        "projection.0.weight": (2048, 1024),
        "projection.2.weight": (1, 2048),
        "wav2vec2.feature_extractor.conv_layers.0.0.weight": (512, 1, 10),
        "wav2vec2.feature_extractor.conv_layers.0.2.weight": (512,),
        "wav2vec2.feature_extractor.conv_layers.6.0.weight": (512, 512, 2),
        "wav2vec2.layer_norm.weight": (512,),
        "wav2vec2.post_extract_proj.weight": (768, 512),
        "wav2vec2.encoder.pos_conv.0.weight_g": (1, 1, 128),
        "wav2vec2.encoder.pos_conv.0.weight_v": (768, 48, 128),
        "wav2vec2.encoder.layers.11.self_attn.out_proj.bias": (768,),
        "wav2vec2.encoder.layers.0.fc1.weight": (3072, 768),
    }
    assert {name: tuple(state[name].shape) for name in sizes} == sizes
    assert sum(1 for name in state if name.startswith("wav2vec2.encoder.layers.")) == 12 * 16


def test_file_is_read_strictly(network: UtmosStrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.networks.utmos.TrunkConfig", lambda: SMALL)
    state = network.state_dict()
    torch.save({**state, "wav2vec2.mask_emb": torch.ones(32)}, tmp_path / "utmos.pt")
    audio = torch.randn(1, 4000)
    with torch.inference_mode():
        torch.testing.assert_close(UtmosStrong.load(tmp_path / "utmos.pt")(audio), network(audio))
    torch.save({name: value for name, value in state.items() if name != "judge_emb"}, tmp_path / "utmos.pt")
    with pytest.raises(UserError, match="missing: judge_emb"):
        UtmosStrong.load(tmp_path / "utmos.pt")


def test_scores_do_not_depend_on_the_other_sounds(scorer: UtmosScorer) -> None:
    sounds = [noise(s, level, 16_000) for s, level in ((1, 0.1), (0.7, 0.2), (1, 0.3), (0.5, 0.1))]
    together = scorer.predict(sounds)
    assert len({round(value, 4) for value in together}) == 4
    assert together == pytest.approx([scorer.predict([sound])[0] for sound in sounds], abs=1e-5)


def test_scorer_names_its_metric_and_says_what_it_cannot_score(scorer: UtmosScorer) -> None:
    (score,) = scorer.score(utterance(noise(1.0)))
    assert score.metric == "mos.utmos_strong" and np.isfinite(score.value)
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000)))
    with pytest.raises(ScoreError, match="0 samples, UTMOS needs 400"):
        scorer.predict([np.zeros(0, np.float32)])


def test_missing_weights_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    with pytest.raises(UserError, match=r"mos.utmos_strong needs the weights utmos22_strong: put .*MIT.* at .*assets"):
        UtmosScorer.from_sources(Sources(tmp_path, assets=tmp_path / "assets"))
