"""AV-HuBERT's video branch: public layout, the transformer against another implementation, files that do not fit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from syncvoice.assets import read_asset
from syncvoice.errors import UserError
from syncvoice.features.extractors.av_hubert import Extractor, Settings
from syncvoice.networks.av_hubert import AVHubert, sizes_of

pytest.importorskip("syncvoice.torchaudio_shim")  # transformers imports torchaudio, which a CPU torch cannot do alone
SMALL = {"dim": 128, "layers": 2, "feedforward_dim": 96, "kernel": 8, "groups": 4}
PICTURES = np.random.default_rng(0).integers(0, 255, (5, 96, 96), np.uint8)


@pytest.fixture(scope="module")
def small() -> AVHubert:
    torch.manual_seed(0)
    model = AVHubert(**SMALL).eval()
    for parameter in model.encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def write_public(path: Path, model: AVHubert, prefix: str = "", drop: str | None = None) -> Path:
    """Write a checkpoint as the public training writes it: with what only training needs."""
    state: dict[str, Any] = {prefix + key: value for key, value in model.state_dict().items() if key != drop}
    state[prefix + "mask_emb"] = torch.zeros(model.dim)
    state[prefix + "feature_extractor_audio.proj.weight"] = torch.zeros(model.dim, 104)
    state[prefix + "final_proj.weight"] = torch.zeros(8, model.dim)
    state[prefix + "label_embs_concat"] = torch.zeros(20, 8)
    if prefix:
        state["decoder.layers.0.fc1.weight"] = torch.zeros(3, 3)
    torch.save({"model": state, "cfg": {"task": {"fps": 25}}, "extra_state": {"epoch": 4}}, path)
    return path


def test_large_model_has_the_published_size() -> None:
    with torch.device("meta"):
        model = AVHubert()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    assert shapes["post_extract_proj.weight"] == (1024, 2048) and shapes["layer_norm.weight"] == (2048,)
    assert shapes["feature_extractor_video.proj.weight"] == (1024, 512)
    assert shapes["encoder.pos_conv.0.weight_v"] == (1024, 64, 128)
    assert shapes["encoder.pos_conv.0.weight_g"] == (1, 1, 128)
    assert shapes["encoder.layers.23.fc1.weight"] == (4096, 1024) and "encoder.layers.24.fc1.weight" not in shapes
    per_layer = 4 * (1024 * 1024 + 1024) + 2 * 4096 * 1024 + 4096 + 1024 + 4 * 1024
    joint = 512 * 1024 + 1024 + 2 * 2048 + 2048 * 1024 + 1024
    position = 1024 * 64 * 128 + 128 + 1024
    assert sum(p.numel() for p in model.parameters()) == 11_186_688 + joint + position + 24 * per_layer + 2 * 1024
    assert sizes_of(model.state_dict()) == {
        "dim": 1024, "layers": 24, "feedforward_dim": 4096, "kernel": 128, "groups": 16, "activation": "prelu",
    }  # fmt: skip


def test_keys_of_the_transformer_are_those_that_torchaudio_converts(small: AVHubert) -> None:
    pytest.importorskip("syncvoice.torchaudio_shim")  # torchaudio beside a CPU torch
    converter = pytest.importorskip("torchaudio.models.wav2vec2.utils.import_fairseq")
    own = [k for k in small.state_dict() if not k.startswith("feature_extractor_video.")]
    converted = [converter._map_key(key) for key in own]
    assert None not in converted and len(set(converted)) == len(own)


@torch.inference_mode()
def test_transformer_computes_what_transformers_computes(small: AVHubert) -> None:
    pytest.importorskip("syncvoice.torchaudio_shim")  # torchaudio beside a CPU torch
    hubert = pytest.importorskip("transformers.models.hubert.modeling_hubert")
    from transformers import HubertConfig

    config = HubertConfig(
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=96, num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4, do_stable_layer_norm=True, hidden_act="gelu", feat_extract_activation="gelu",
    )  # fmt: skip
    config._attn_implementation = "eager"
    peer = hubert.HubertEncoderStableLayerNorm(config).eval()
    names = {
        "self_attn_layer_norm": "layer_norm", "self_attn.": "attention.", "fc1": "feed_forward.intermediate_dense",
        "fc2": "feed_forward.output_dense", "pos_conv.0.bias": "pos_conv_embed.conv.bias",
        "pos_conv.0.weight_g": "pos_conv_embed.conv.parametrizations.weight.original0",
        "pos_conv.0.weight_v": "pos_conv_embed.conv.parametrizations.weight.original1",
    }  # fmt: skip
    state: dict[str, Tensor] = {}
    for key, value in small.encoder.state_dict().items():
        for own, other in names.items():
            key = key.replace(own, other)
        state[key] = value
    peer.load_state_dict(state)
    x = torch.randn(2, 11, 128)
    torch.testing.assert_close(small.encoder(x), peer(x).last_hidden_state, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("prefix", ["", "encoder.w2v_model.", "w2v_model."])
def test_public_checkpoint_loads_and_gives_the_same_features(prefix: str, small: AVHubert, tmp_path: Path) -> None:
    path = write_public(tmp_path / "avhubert_large", small, prefix)
    lip = Extractor(Settings(weights=str(path)))
    found = lip.from_mouth(PICTURES)
    assert found.shape == (5, 128) and found.dtype == np.float32 and lip.dim == 128 and lip.fps == 25
    np.testing.assert_allclose(found, small.features(PICTURES).numpy(), atol=1e-6)
    np.testing.assert_array_equal(found, lip.from_mouth(PICTURES))


@torch.inference_mode()
def test_batch_equals_single_clips_and_chunks_equal_the_whole(small: AVHubert) -> None:
    video = torch.randn(2, 1, 5, 88, 88)
    both = small(video)
    for row, clip in zip(both, video, strict=True):
        torch.testing.assert_close(small(clip[None])[0], row, atol=1e-5, rtol=1e-5)
    whole = small.features(PICTURES, 100)
    torch.testing.assert_close(small.features(PICTURES, 2), whole, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(small.features(PICTURES[:4]), whole[:4], atol=1e-3)  # the transformer sees all frames


@torch.inference_mode()
def test_absent_sound_is_zero_and_stands_before_the_video(small: AVHubert) -> None:
    rows = torch.randn(1, 4, 512)
    video = small.feature_extractor_video.proj(rows)
    both = small.layer_norm(torch.cat([torch.zeros_like(video), video], dim=-1))
    expected = small.encoder(small.post_extract_proj(both))
    torch.testing.assert_close(small.contextual(rows), expected)
    swapped = small.layer_norm(torch.cat([video, torch.zeros_like(video)], dim=-1))
    assert not torch.allclose(small.encoder(small.post_extract_proj(swapped)), expected, atol=1e-3)


def test_wrong_checkpoints_are_refused(small: AVHubert, tmp_path: Path) -> None:
    ignored = read_asset("avhubert_large").ignored_keys
    missing = write_public(tmp_path / "missing.pt", small, drop="encoder.layers.1.fc2.bias")
    with pytest.raises(UserError, match="1 missing: encoder.layers.1.fc2.bias"):
        AVHubert.load(missing, ignored)
    no_positions = write_public(tmp_path / "positions.pt", small, drop="encoder.pos_conv.0.weight_v")
    with pytest.raises(UserError, match="no AV-HuBERT checkpoint: no entry 'encoder.pos_conv.0.weight_v'"):
        AVHubert.load(no_positions, ignored)
    with pytest.raises(UserError, match="unexpected: .*mask_emb"):
        AVHubert.load(write_public(tmp_path / "all.pt", small))
    with pytest.raises(UserError, match="do not exist"):
        AVHubert.load(tmp_path / "nowhere.pt")
