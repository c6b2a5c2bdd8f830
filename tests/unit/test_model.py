"""Properties of the model that the paper and the design promise, on a tiny random model."""

import dataclasses
from unittest import mock

import pytest
import torch
from torch import Tensor

from syncvoice.errors import UserError
from syncvoice.generation.speech import Request, Sampling, Voice, sample_mels, script_of
from syncvoice.model.fusion import to_mel_rate
from syncvoice.model.guidance import Scales, combine
from syncvoice.model.solver import time_grid
from syncvoice.model.syncvoice import Script, SyncVoice, SyncVoiceConfig
from syncvoice.model.zipvoice import ZipVoiceConfig, preconditioned, token_index_segments

TINY = ZipVoiceConfig(
    fm_decoder_downsampling_factor=(1, 2), fm_decoder_num_layers=(1, 1), fm_decoder_cnn_module_kernel=(7, 5),
    fm_decoder_dim=32, fm_decoder_feedforward_dim=48, fm_decoder_num_heads=2, text_encoder_num_layers=1,
    text_encoder_dim=24, text_encoder_feedforward_dim=32, text_encoder_num_heads=2, text_embed_dim=24,
    time_embed_dim=16, query_head_dim=8, value_head_dim=8,
)  # fmt: skip
DIMS = {"lip": 6, "face": 4}


def make_model(random_fusion: bool = True) -> SyncVoice:
    torch.manual_seed(0)
    model = SyncVoice(SyncVoiceConfig(TINY, DIMS, 8, ("pretrained", "learnable"), 12, 16)).eval()
    if random_fusion:
        assert model.fusion is not None and model.speaker is not None
        for layer in (model.fusion.linear, model.speaker.projection, model.speaker.learnable.linear):
            torch.nn.init.normal_(layer.weight, std=0.3)
        for null in model.fusion.null.values():
            torch.nn.init.normal_(null)
    return model


def make_request(name: str, n_frames: int, visual_seed: int = 1) -> Request:
    draw = torch.Generator().manual_seed(sum(map(ord, name)))
    look = torch.Generator().manual_seed(visual_seed)
    voice = Voice([5, 9, 11], torch.randn(20, 100, generator=draw), torch.randn(12, generator=draw))
    visual = {m: torch.randn(n_frames, d, generator=look) for m, d in DIMS.items()}
    return Request(name, [20, 30, 40, 50], voice, visual, n_frames, 1)


def sample(model: SyncVoice, requests: list[Request], scales: Scales, voice: str = "context") -> list[Tensor]:
    return sample_mels(model, requests, Sampling(scales, num_steps=4, voice=voice))


def test_zero_initialised_fusion_leaves_the_backbone_unchanged() -> None:
    model = make_model(random_fusion=False)
    request = make_request("a", 8)
    with_video = sample(model, [request], Scales(1.0, face=1.0, lip=1.0))
    without = sample(model, [request], Scales(1.0))
    torch.testing.assert_close(with_video, without, atol=0, rtol=0)


@pytest.mark.parametrize("removed", ["face", "lip"])
def test_scale_zero_removes_a_condition_and_its_pass(removed: str) -> None:
    model = make_model()
    scales = Scales(**{"text": 2.0, "face": 2.0, "lip": 2.0, removed: 0.0})
    request, other = make_request("a", 8), make_request("a", 8)
    other.visual[removed].normal_(0, 9)  # type: ignore[index]
    torch.testing.assert_close(sample(model, [request], scales), sample(model, [other], scales), atol=0, rtol=0)
    assert len(scales.subsets()) == 3
    kept = "lip" if removed == "face" else "face"
    changed = make_request("a", 8)
    changed.visual[kept].normal_(0, 9)  # type: ignore[index]
    assert not torch.allclose(sample(model, [request], scales)[0], sample(model, [changed], scales)[0])


def test_guidance_is_the_telescoping_sum() -> None:
    v = [torch.full((1, 1, 1), x) for x in (1.0, 2.0, 4.0, 8.0)]
    scales = Scales(2.0, face=0.5, lip=3.0)
    late = combine(v, scales, 0.7)
    assert late.item() == pytest.approx(1 + 2.0 * 1 + 0.5 * 2 + 3.0 * 4)
    early = combine(v, scales, 0.5)  # 2 s - 1 where s >= 1
    assert early.item() == pytest.approx(1 + 3.0 * 1 + 0.5 * 2 + 5.0 * 4)


def test_all_scales_one_need_one_pass() -> None:
    assert Scales(1.0, face=1.0, lip=0.0).subsets() == [("text", "face")]
    assert Scales(2.0, face=1.0, lip=0.0).subsets() == [(), ("text",), ("text", "face")]


@pytest.mark.parametrize("voice", ["context", "speaker"])
def test_a_clip_alone_equals_the_same_clip_in_a_batch_in_any_order(voice: str) -> None:
    model = make_model()
    requests = [make_request("a", 9), make_request("bb", 6), make_request("ccc", 11)]
    scales = Scales(2.0, face=1.5, lip=2.0)
    batched = sample(model, requests, scales, voice)
    permuted = sample(model, requests[::-1], scales, voice)[::-1]
    for request, one, two in zip(requests, batched, permuted, strict=True):
        alone = sample(model, [request], scales, voice)[0]
        assert alone.shape == ((15 * request.n_frames + 2) // 4, 100)
        torch.testing.assert_close(one, alone, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-5)


def test_text_encoder_and_adapters_run_once_per_batch() -> None:
    model = make_model()
    assert model.fusion is not None
    with (
        mock.patch.object(model.backbone, "encode_text", wraps=model.backbone.encode_text) as encode,
        mock.patch.object(model.fusion, "adapt", wraps=model.fusion.adapt) as adapt,
        mock.patch.object(model.backbone, "velocity", wraps=model.backbone.velocity) as velocity,
    ):
        sample(model, [make_request("a", 8)], Scales(2.0, face=2.0, lip=2.0))
    assert encode.call_count == 1
    assert adapt.call_count == 1
    assert velocity.call_count == 4  # one batched call per step, four subsets in each
    assert velocity.call_args.args[0].shape[0] == 4


def test_voice_reaches_the_speech_by_context_and_by_embedding() -> None:
    model = make_model()
    one, two = make_request("a", 8), make_request("a", 8)
    two.voice.mel.add_(1.0)
    for voice in ("context", "speaker"):
        first, second = (sample(model, [r], Scales(2.0), voice)[0] for r in (one, two))
        assert not torch.allclose(first, second)


def test_missing_condition_is_explained() -> None:
    model = SyncVoice(SyncVoiceConfig(TINY)).eval()
    with pytest.raises(UserError, match="no lip branch"):
        sample(model, [make_request("a", 8)], Scales(2.0, face=0.0, lip=2.0))
    with pytest.raises(UserError, match="no speaker encoder"):
        sample(model, [make_request("a", 8)], Scales(2.0), "speaker")


def test_context_frames_have_no_video() -> None:
    model = make_model()
    script = Script([[1, 2, 3]], [((1, 10), (2, 15))], {"lip": torch.randn(1, 4, 6)})
    z_t = torch.zeros(1, 25, 100)
    use = {"lip": torch.tensor([True])}
    seen = model.fuse(z_t, model.adapt_visual(script), script, use)
    hidden = model.fuse(z_t, model.adapt_visual(script), script, {"lip": torch.tensor([False])})
    torch.testing.assert_close(seen[:, :10], hidden[:, :10])
    assert not torch.allclose(seen[:, 10:], hidden[:, 10:])


def test_segments_spread_tokens_over_their_own_frames() -> None:
    index = token_index_segments([[(2, 5), (3, 7)], [(0, 0), (2, 4)]])
    assert index[0].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    assert index[1].tolist() == [0, 0, 1, 1] + [2] * 8


def test_interpolation_keeps_a_straight_line_and_holds_the_ends() -> None:
    ramp = torch.arange(10.0)[None, :, None]  # value k at (k + 1/2) / 25 s
    out = to_mel_rate(ramp, 37)[0, :, 0]
    expected = (torch.arange(37) * 256 / 24000 * 25 - 0.5).clamp(0, 9)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_features_at_twice_the_rate_are_interpolated_at_theirs() -> None:
    times = (torch.arange(20.0) + 0.5)[None, :, None] / 50  # seconds at the centres of 50 fps
    out = to_mel_rate(times, 37, 50)[0, :, 0]
    torch.testing.assert_close(out, (torch.arange(37) * 256 / 24000).clamp(0.01, 0.39), atol=1e-6, rtol=0)


def test_a_film_at_50_fps_that_holds_every_frame_twice_guides_nearly_like_one_at_25_fps() -> None:
    """And a request says its rate once: the model must not take twice the features for twice the length."""
    torch.manual_seed(1)
    model, lip, face = make_model(), torch.randn(12, 6).cumsum(0) / 4, torch.randn(12, 4)
    voice = Voice([1, 2], torch.randn(9, TINY.feat_dim), torch.zeros(12))
    slow = Request("u", [3, 4, 5], voice, {"lip": lip, "face": face}, 12, 1)
    twice = {name: values.repeat_interleave(2, dim=0) for name, values in slow.visual.items()}
    fast = dataclasses.replace(slow, visual=twice, per_frame=2)
    sampling = Sampling(Scales(lip=1.0, face=1.0), num_steps=2)
    found = {name: sample_mels(model, [r], sampling)[0] for name, r in {"slow": slow, "fast": fast}.items()}
    taken_for_24_frames = sample_mels(model, [dataclasses.replace(fast, per_frame=1)], sampling)[0]
    assert found["fast"].shape == found["slow"].shape
    near = (found["fast"] - found["slow"]).abs().mean()
    assert 0 < near < 0.5 * (taken_for_24_frames - found["slow"]).abs().mean()


def test_time_grid_ends() -> None:
    grid = time_grid(7, 0.5)
    assert grid[0] == 0 and grid[-1] == 1 and bool((grid.diff() > 0).all())


def test_parts_of_a_target_hold_their_own_tokens_and_silence_the_pad() -> None:
    index = token_index_segments([[(2, 4), (0, 3), (1, 2), (2, 2), (0, 1)]])
    assert index.tolist() == [[0, 0, 1, 1, 5, 5, 5, 2, 2, 3, 4, 5]]


def test_a_script_on_a_device_is_the_same_script() -> None:
    """No field may be lost, whichever is added: the times of words were, and the rows that lips time with them."""
    values = {"tokens": [[1]], "segments": [((0, 0), (1, 4))], "parts": [((1, 4),)], "spans": [(0, 4)]}
    tensors = {"reference": torch.ones(1, 2), "reference_lengths": torch.ones(1), "seen": torch.ones(1, 2) > 0}
    groups = {"visual": {"lip": torch.ones(1, 2, 3)}, "keep_branches": {"learnable": torch.ones(1)}}
    script = Script(**values, **tensors, **groups, reference_embedding=torch.ones(1, 2))
    moved = script.to(torch.device("cpu"))
    for field in dataclasses.fields(Script):
        kept, found = getattr(script, field.name), getattr(moved, field.name)
        assert kept is not None, f"{field.name} is not tried here"
        if isinstance(kept, torch.Tensor):
            assert torch.equal(kept, found), field.name
        elif isinstance(kept, dict):
            assert all(torch.equal(kept[name], found[name]) for name in kept), field.name
        else:
            assert kept == found, field.name


def test_times_of_words_reach_the_text() -> None:
    model, request = make_model(), make_request("a", 20)
    timed = dataclasses.replace(request, parts=((1, 10), (2, 20), (1, 45)))
    assert not torch.equal(sample(model, [timed], Scales(2.0))[0], sample(model, [request], Scales(2.0))[0])


@pytest.mark.parametrize("voice", ["context", "speaker"])
def test_frames_without_a_face_are_led_by_the_text_alone(voice: str) -> None:
    model, request = make_model(), make_request("a", 20)
    later = {name: part.clone() for name, part in request.visual.items()}
    for part in later.values():
        part[11:].normal_(0, 9)  # one frame after the last seen one: neighbours are interpolated

    def mel(visual: dict[str, Tensor] | None, seen: Tensor | None) -> Tensor:
        one = dataclasses.replace(request, visual=visual or request.visual, seen=seen)
        return sample(model, [one, make_request("b", 8)], Scales(2.0, face=2.0, lip=2.0), voice)[0]

    seen = torch.arange(20) < 10
    assert torch.equal(mel(None, seen), mel(later, seen)), "what is not seen changes nothing"
    assert not torch.equal(mel(None, None), mel(later, None))
    assert not torch.equal(mel(None, seen), mel(None, None))
    assert torch.equal(mel(None, torch.ones(20, dtype=torch.bool)), mel(None, None))
    assert torch.equal(mel(None, torch.zeros(20, dtype=torch.bool)), mel(later, torch.zeros(20, dtype=torch.bool)))


@pytest.mark.parametrize("t", [0.0, 0.3, 0.9])
def test_preconditioning_leaves_the_network_a_target_of_unit_variance_that_no_linear_guess_explains(t: float) -> None:
    draw, scale = torch.Generator().manual_seed(1), 0.3
    x_1, x_0 = scale * torch.randn(200, 50, 20, generator=draw), torch.randn(200, 50, 20, generator=draw)
    x_t = t * x_1 + (1 - t) * x_0
    silent, one = (preconditioned(torch.full_like(x_t, value), x_t, t, scale) for value in (0.0, 1.0))
    rest = (x_1 - x_0 - silent) / (one - silent)
    assert rest.square().mean().item() == pytest.approx(1.0, abs=0.02)
    assert (rest * x_t).mean().item() == pytest.approx(0.0, abs=0.02)


def test_a_model_with_data_scale_samples_by_the_preconditioned_velocity() -> None:
    plain = make_model()
    torch.manual_seed(0)
    scaled = SyncVoice(dataclasses.replace(plain.config, backbone=dataclasses.replace(TINY, data_scale=0.3))).eval()
    scaled.load_state_dict(plain.state_dict())
    request = make_request("a", 8)
    one, two = (sample(model, [request], Scales(1.0))[0] for model in (plain, scaled))
    assert not torch.allclose(one, two)
    script = script_of(scaled, [request], Sampling(Scales(1.0)))
    x, z = torch.randn(1, 50, 100), scaled.text_condition(script)
    emb, speech = scaled.backbone.fm_decoder.embed_time(torch.tensor([0.4])), torch.zeros(1, 50, 100)
    v = scaled.backbone.velocity(x, z, speech, emb, t=torch.tensor([0.4]))
    torch.testing.assert_close(v, preconditioned(plain.backbone.velocity(x, z, speech, emb), x, 0.4, 0.3))
