"""The packed estimator and the CPU kernels compute what the plain operations compute."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.common import machine_facts, median_of, medians_of, write_result
from syncvoice.device import resolve_precision
from syncvoice.fast import packed
from syncvoice.fast.packed import PackedEstimator
from syncvoice.fast.precision import prepare_for_sampling
from syncvoice.files import read_json
from syncvoice.model import kernels
from syncvoice.model.zipformer import TTSZipformer, padding_mask
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig

TINY = ZipVoiceConfig(
    fm_decoder_downsampling_factor=(1, 2, 4), fm_decoder_num_layers=(1, 1, 1), fm_decoder_cnn_module_kernel=(7, 5, 3),
    fm_decoder_dim=32, fm_decoder_feedforward_dim=48, fm_decoder_num_heads=2, text_encoder_num_layers=1,
    text_encoder_dim=24, text_encoder_feedforward_dim=32, text_encoder_num_heads=2, text_embed_dim=24,
    time_embed_dim=16, query_head_dim=8, value_head_dim=8,
)  # fmt: skip
FRAMES = 37


def lively_model(mode: str = "invariant") -> ZipVoice:
    """A tiny model whose every part matters: no parameter is near its neutral value."""
    torch.manual_seed(1)
    model = ZipVoice(ZipVoiceConfig(**{**TINY.as_dict(), "padding_mode": mode})).eval()
    with torch.no_grad():
        for parameter in model.fm_decoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def velocity_of(model: ZipVoice, padded: bool, t: float = 0.3) -> tuple[Tensor, list[Tensor]]:
    """Velocity of two clips and the stacks' outputs."""
    draw = torch.Generator().manual_seed(2)
    x, text, speech = (torch.randn(2, FRAMES, 100, generator=draw) for _ in range(3))
    padding = padding_mask(torch.tensor([FRAMES, 30]), FRAMES) if padded else None
    keep: list[Tensor] = []
    time_emb = model.fm_decoder.embed_time(torch.tensor([t, 0.8]))
    return model.velocity(x, text, speech, time_emb, padding, keep), keep


@pytest.mark.parametrize("mode", ["invariant", "reference"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("scores_per_chunk", [2**19, 50])
def test_packed_estimator_equals_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, mode: str, padded: bool, scores_per_chunk: int
) -> None:
    monkeypatch.setattr(packed, "SCORES_PER_CHUNK", scores_per_chunk)  # 50: eight target frames at a time
    model = lively_model(mode)
    expected, stacks = velocity_of(model, padded)
    prepare_for_sampling(model, "fp32")
    assert isinstance(model.fm_decoder, PackedEstimator)
    for _ in range(2):  # the second call takes the kept positions
        found, found_stacks = velocity_of(model, padded)
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)
        assert len(found_stacks) == len(stacks) == 3
        torch.testing.assert_close(found_stacks[1], stacks[1], atol=2e-5, rtol=1e-5)


def test_packed_bfloat16_is_nearer_to_float32_than_a_cast_model() -> None:
    model = lively_model()
    expected, _ = velocity_of(model, True)
    cast = lively_model()
    cast.fm_decoder.bfloat16()
    error = (velocity_of(prepare_for_sampling(model, "bf16"), True)[0] - expected).abs().mean()
    error_of_cast = (velocity_of(cast, True)[0] - expected).abs().mean()
    assert 0 < error < error_of_cast
    assert error < 0.02 * expected.abs().mean()


def test_positions_follow_the_number_of_frames() -> None:
    model = lively_model()
    x = torch.randn(1, 60, 300)
    time_emb = torch.randn(1, 16)
    with torch.no_grad():
        expected = [model.fm_decoder(x[:, :n], time_emb) for n in (60, 21, 60)]
        estimator = PackedEstimator(model.fm_decoder, torch.float32)
        found = [estimator(x[:, :n], time_emb) for n in (60, 21, 60)]
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


def test_products_without_onednn_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = velocity_of(prepare_for_sampling(lively_model(), "fp32"), True)
    monkeypatch.setattr(packed, "onednn_multiplies", lambda dtype: False)  # as on a GPU
    found, _ = velocity_of(prepare_for_sampling(lively_model(), "fp32"), True)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-5)


def test_preparing_twice_changes_nothing_and_weights_are_copied() -> None:
    model = lively_model()
    original = model.fm_decoder
    assert isinstance(original, TTSZipformer)
    estimator = prepare_for_sampling(model, "fp32").fm_decoder
    before, _ = velocity_of(model, False)
    assert prepare_for_sampling(model, "bf16").fm_decoder is estimator
    with torch.no_grad():
        for stack in original.encoders:
            for parameter in getattr(stack, "encoder", stack).layers.parameters():
                parameter.zero_()
    torch.testing.assert_close(velocity_of(model, False)[0], before, atol=0, rtol=0)


def test_precision_auto_is_one_of_the_two() -> None:
    assert resolve_precision("fp32") == "fp32"
    assert resolve_precision("auto") in ("fp32", "bf16")


@pytest.mark.parametrize("name", ["swoosh_l", "swoosh_r"])
def test_swoosh_and_its_gradient(name: str) -> None:
    ours, textbook = getattr(kernels, name), getattr(plain, name)
    x = torch.linspace(-30, 40, 141, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(ours(x), textbook(x), atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(gradients(ours, x), gradients(textbook, x), atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("name", ["swoosh_l", "swoosh_r"])
@pytest.mark.parametrize("highest", [79.0, 200.0])  # float32 holds the exponential of the first
def test_swoosh_of_bfloat16_is_the_exact_one_rounded_once(name: str, highest: float) -> None:
    x = torch.cat([torch.linspace(-200, 10, 2 * kernels.PIECE), torch.linspace(10, highest, 33)]).bfloat16()
    exact = getattr(plain, name)(x.double())
    allowed = 2**-8 * exact.abs() if highest < kernels.HIGHEST else 2**-7 * (exact.abs() + x.abs() * 0.08 + 0.4)
    assert bool(((getattr(kernels, name)(x).double() - exact).abs() <= allowed + 1e-5).all())
    assert getattr(kernels, name)(torch.tensor([1.0, float("nan")]).bfloat16()).isnan().tolist() == [False, True]
    assert getattr(kernels, name)(torch.empty(0, 3).bfloat16()).shape == (0, 3)


def gradients(fn: Callable[..., Tensor], *inputs: Tensor) -> list[Tensor]:
    """Gradients of a fixed weighted sum of fn's result."""
    out = fn(*inputs)
    weights = torch.arange(out.numel(), dtype=out.dtype).view_as(out).sin()
    return list(torch.autograd.grad((out * weights).sum(), inputs))


@pytest.mark.parametrize("taps", [1, 3, 7])
def test_depthwise_convolution_and_its_gradients(taps: int) -> None:
    draw = torch.Generator().manual_seed(3)
    shapes = ((2, 5, 4), (4, 1, taps), (4,))  # also shorter than the kernel
    inputs = [torch.randn(s, generator=draw, dtype=torch.float64).requires_grad_() for s in shapes]
    torch.testing.assert_close(kernels.depthwise_conv(*inputs), plain.depthwise_conv(*inputs))
    torch.testing.assert_close(gradients(kernels.depthwise_conv, *inputs), gradients(plain.depthwise_conv, *inputs))


def test_training_under_autocast_gives_float32_gradients_near_the_exact_ones() -> None:
    found = {}
    for name, enabled in (("exact", False), ("autocast", True)):
        model = lively_model().train()
        x = torch.randn(2, FRAMES, 300, generator=torch.Generator().manual_seed(4))
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = model.fm_decoder(x, model.fm_decoder.embed_time(torch.tensor([0.2, 0.9])))
        out.float().square().mean().backward()
        found[name] = model.fm_decoder.encoders[0].layers[0].conv_module1.depthwise_conv.weight.grad
    assert found["autocast"].dtype == torch.float32
    error = (found["autocast"] - found["exact"]).norm() / found["exact"].norm()
    assert 0 < error < 0.05


def test_plain_operations_are_taken_back() -> None:
    from syncvoice.model import zipformer

    with plain.plain_operations():
        assert zipformer.swoosh_l is plain.swoosh_l
    assert zipformer.swoosh_l is kernels.swoosh_l


def test_benchmark_helpers(tmp_path) -> None:
    calls: list[str] = []
    clock = iter(range(100))
    medians = medians_of(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2, 1, clock=lambda: next(clock)
    )
    assert calls == ["a", "b", "a", "b", "a", "b"]  # warm-up, then turns
    assert medians == {"a": 1, "b": 1}
    assert median_of(lambda: None, 3) >= 0
    write_result(tmp_path / "r.json", {"ratio": 2.0})
    found = read_json(tmp_path / "r.json")
    assert found["ratio"] == 2.0 and found["machine"]["torch"] == torch.__version__
    assert set(machine_facts()) >= {"cores", "threads", "avx512_bf16", "amx_bf16"}
