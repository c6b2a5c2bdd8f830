"""The trunks behind SIM-o and UTMOS against the package transformers on the same random weights."""

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.networks.ecapa import WavLMSpeakerEncoder
from syncvoice.networks.wav2vec2 import TrunkConfig, Wav2Vec2
from syncvoice.networks.wavlm import WavLM, distance_buckets, normalised

pytest.importorskip("syncvoice.torchaudio_shim")  # transformers imports torchaudio, which a CPU torch cannot do alone
transformers = pytest.importorskip("transformers")

CONVOLUTIONS = ((24, 10, 5), (24, 3, 2), (24, 3, 2), (24, 2, 2))
SMALL = {"dim": 32, "feed_forward": 48, "heads": 4, "layers": 3, "convolutions": CONVOLUTIONS,
         "position_kernel": 16, "position_groups": 4}  # fmt: skip
BUCKETS, FAR = 32, 40
STEPS = (
    ("post_extract_proj.", "feature_projection.projection."),
    ("encoder.pos_conv.0.weight_g", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    ("encoder.pos_conv.0.weight_v", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    ("encoder.pos_conv.0.bias", "encoder.pos_conv_embed.conv.bias"),
    (".self_attn.grep_linear.", ".attention.gru_rel_pos_linear."),
    (".self_attn.grep_a", ".attention.gru_rel_pos_const"),
    (".self_attn.relative_attention_bias.", ".attention.rel_attn_embed."),
    (".self_attn_layer_norm.", ".layer_norm."),
    (".self_attn.", ".attention."),
    (".fc1.", ".feed_forward.intermediate_dense."),
    (".fc2.", ".feed_forward.output_dense."),
)


def peer_name(name: str) -> str:
    """Our key (that of the public checkpoints) -> key of transformers."""
    if name.startswith("feature_extractor."):
        _, layers, number, step, *rest = name.split(".")
        return ".".join(["feature_extractor", layers, number, "conv" if step == "0" else "layer_norm", rest[-1]])
    if name.startswith("layer_norm."):
        return f"feature_projection.{name}"
    for ours, theirs in STEPS:
        name = name.replace(ours, theirs)
    return name


def peer_config(kind: type, config: TrunkConfig, **fields: object) -> object:
    return kind(
        hidden_size=config.dim, intermediate_size=config.feed_forward, num_attention_heads=config.heads,
        num_hidden_layers=config.layers, conv_dim=[c for c, _, _ in config.convolutions],
        conv_kernel=[k for _, k, _ in config.convolutions], conv_stride=[s for _, _, s in config.convolutions],
        num_feat_extract_layers=len(config.convolutions), feat_extract_norm="layer" if config.frame_norm else "group",
        do_stable_layer_norm=config.norm_first, num_conv_pos_embeddings=config.position_kernel,
        num_conv_pos_embedding_groups=config.position_groups, mask_time_prob=0.0, mask_feature_prob=0.0, **fields,
    )  # fmt: skip


def randomised(model: torch.nn.Module) -> torch.nn.Module:
    """Weights of a size at which every part of the network shows in the output."""
    generator = torch.Generator().manual_seed(5)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        scale = 0.5 if tensor.ndim == 1 else 2 / tensor[0].numel() ** 0.5
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale + ("norm.weight" in name))
    return model.eval()


def copied(ours: torch.nn.Module, theirs: torch.nn.Module) -> torch.nn.Module:
    theirs.load_state_dict({peer_name(name): tensor for name, tensor in ours.state_dict().items()}, strict=True)
    return theirs.eval()


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return torch.randn(2, 6000, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def wavlm() -> WavLM:
    return randomised(WavLM(TrunkConfig(**SMALL, frame_norm=True, norm_first=True), BUCKETS, FAR))


def check_states(trunk: Wav2Vec2, found: list[torch.Tensor], peer: object) -> None:
    """Compare inputs of all layers and the (normalised) output of the last."""
    expected = [*peer.hidden_states[: trunk.config.layers], peer.last_hidden_state]
    assert len(found) == len(expected) == trunk.config.layers + 1
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape == (2, trunk.frames(6000), 32)
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("frame_norm", "norm_first"), [(True, True), (False, False)])
def test_wavlm_equals_transformers(audio: torch.Tensor, frame_norm: bool, norm_first: bool) -> None:
    """Large models (first case) and base models; 148 frames reach the last bucket of distance."""
    ours = randomised(WavLM(TrunkConfig(**SMALL, frame_norm=frame_norm, norm_first=norm_first), BUCKETS, FAR))
    config = peer_config(transformers.WavLMConfig, ours.config, num_buckets=BUCKETS, max_bucket_distance=FAR)
    theirs = copied(ours, transformers.WavLMModel(config))
    with torch.inference_mode():
        check_states(ours, ours(audio), theirs(audio, output_hidden_states=True))


@pytest.mark.parametrize("norm_first", [True, False])
def test_wav2vec2_equals_transformers(audio: torch.Tensor, norm_first: bool) -> None:
    ours = randomised(Wav2Vec2(TrunkConfig(**SMALL, frame_norm=norm_first, norm_first=norm_first)))
    config = peer_config(transformers.Wav2Vec2Config, ours.config)
    theirs = copied(ours, transformers.Wav2Vec2Model(config))
    with torch.inference_mode():
        check_states(ours, ours(audio), theirs(audio, output_hidden_states=True))


@pytest.mark.parametrize("kind", ["WavLM", "Wav2Vec2"])
def test_full_size_has_the_tensors_of_the_public_models(kind: str) -> None:
    """WavLM large behind SIM-o and wav2vec 2.0 base behind UTMOS, without their memory."""
    with torch.device("meta"):
        ours = WavLM() if kind == "WavLM" else Wav2Vec2(TrunkConfig())
        config = peer_config(getattr(transformers, f"{kind}Config"), ours.config)
        theirs = getattr(transformers, f"{kind}Model")(config)
    renamed = {peer_name(name): tuple(tensor.shape) for name, tensor in ours.state_dict().items()}
    assert renamed == {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert ours.frames(400) == 1 and ours.frames(399) == 0 and ours.frames(16_000) == 49


def test_position_bias_matters(wavlm: WavLM, audio: torch.Tensor) -> None:
    """The comparison above would prove little if the bias had no effect."""
    with torch.inference_mode():
        before = wavlm(audio)[-1]
        table = wavlm.encoder.layers[0].self_attn.relative_attention_bias.weight
        saved = table.clone()
        table.zero_()
        changed = (wavlm(audio)[-1] - before).abs().max()
        table.copy_(saved)
    assert changed > 0.01


def test_blocks_of_queries_change_nothing(wavlm: WavLM, audio: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.inference_mode():
        whole = wavlm(audio)[-1]
        monkeypatch.setattr("syncvoice.networks.wavlm.QUERY_BLOCK", 37)
        torch.testing.assert_close(wavlm(audio)[-1], whole, atol=1e-5, rtol=1e-5)


def test_buckets_are_exact_when_near_and_shared_when_far() -> None:
    buckets = distance_buckets(torch.tensor([0, -1, -79, 1, 79, -800, -5000, 5000]))
    assert buckets.tolist() == [0, 1, 79, 161, 239, 159, 159, 319]


def test_unequal_sounds_are_refused_where_padding_would_matter(audio: torch.Tensor) -> None:
    trunk = Wav2Vec2(TrunkConfig(**SMALL))
    with pytest.raises(ValueError, match="equally long"):
        trunk(audio, [6000, 5000])


def test_normalised_sounds() -> None:
    batch, samples = normalised([torch.arange(5.0), torch.arange(3.0) * 7 + 2])
    assert samples == [5, 3] and batch.shape == (2, 5)
    assert batch[0].mean() == pytest.approx(0, abs=1e-6) and batch[1, :3].var(unbiased=False) == pytest.approx(1, 1e-3)
    assert (batch[1, 3:] == 0).all()


@pytest.fixture(scope="module")
def encoder() -> WavLMSpeakerEncoder:
    trunk = WavLM(TrunkConfig(**SMALL, frame_norm=True, norm_first=True), BUCKETS, FAR)
    made = randomised(WavLMSpeakerEncoder(trunk))
    for name, tensor in made.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(tensor.abs() + 1)
    return made


def test_embedding_does_not_depend_on_the_batch(encoder: WavLMSpeakerEncoder) -> None:
    random = np.random.default_rng(0)
    sounds = [random.standard_normal(n).astype(np.float32) for n in (9000, 4001, 6500)]
    together = encoder.embed(sounds)
    assert together.shape == (3, 256)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    for sound, row in zip(sounds, together, strict=True):
        torch.testing.assert_close(encoder.embed([sound])[0], row, atol=1e-5, rtol=1e-4)


def test_level_and_offset_do_not_matter_and_short_sounds_are_refused(encoder: WavLMSpeakerEncoder) -> None:
    sound = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    torch.testing.assert_close(encoder.embed([sound]), encoder.embed([0.1 * sound + 0.3]), atol=1e-3, rtol=1e-3)
    with pytest.raises(ValueError, match="400 samples, found 399"):
        encoder.embed([sound[:399]])


def test_public_file_is_read_with_its_own_names(
    encoder: WavLMSpeakerEncoder, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {
        name.replace("trunk.", "feature_extract.model.", 1) if name.startswith("trunk.") else name[len("head.") :]: t
        for name, t in encoder.state_dict().items()
    }
    extra = {"loss_calculator.projection.weight": torch.ones(2), "feature_extract.model.mask_emb": torch.ones(2)}
    torch.save({"model": {**public, **extra}}, tmp_path / "public.pth")
    config = encoder.trunk.config
    monkeypatch.setattr("syncvoice.networks.ecapa.WavLM", lambda: WavLM(config, BUCKETS, FAR))
    sound = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    loaded = WavLMSpeakerEncoder.load(tmp_path / "public.pth")
    torch.testing.assert_close(loaded.embed([sound]), encoder.embed([sound]))
    torch.save({"model": {**public, "surprise": torch.ones(1)}}, tmp_path / "public.pth")
    with pytest.raises(UserError, match=r"unexpected: head\.surprise"):
        WavLMSpeakerEncoder.load(tmp_path / "public.pth")
