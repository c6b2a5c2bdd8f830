"""Convolutions with fewer products, and of bytes, against the plain ones."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from syncvoice.fast import byte_convolution
from syncvoice.fast.byte_convolution import ByteConvolution, diffused
from syncvoice.fast.fast_convolution import POINTS, FastConvolution, transforms

SIZES = [(m, r) for r in (1, 2, 3, 4, 5) for m in (1, 2, 3, 4, 5, 6, 7) if m + r - 2 in POINTS]


@pytest.mark.parametrize(("results", "taps"), SIZES)
def test_transforms_give_the_convolution(results: int, taps: int) -> None:
    data, kernel, output = transforms(results, taps)
    random = np.random.default_rng(0)
    x, g = random.normal(size=results + taps - 1), random.normal(size=taps)
    np.testing.assert_allclose(output @ ((kernel @ g) * (data @ x)), np.correlate(x, g, "valid"), atol=1e-10)
    assert data.shape == (results + taps - 1,) * 2


def test_unknown_number_of_points_is_told() -> None:
    with pytest.raises(ValueError, match=r"F\(9, 3\) needs 10 points"):
        transforms(9, 3)


def pictures(n: int, height: int, width: int, channels: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, height, width, channels, generator=torch.Generator().manual_seed(seed))


FORMS = [  # stride, kernel and tile, where there is a set of so many points
    (stride, kernel, tile)
    for stride in (1, 2)
    for kernel in ((3, 3), (5, 5), (4, 3), (1, 3), (7, 7))
    for tile in ((2, 2), (4, 3))
    if max(tile[k] + -(-kernel[k] // stride) - 2 for k in (0, 1)) in POINTS
]


@pytest.mark.parametrize(("stride", "kernel", "tile"), FORMS)
@pytest.mark.parametrize("size", [(13, 13), (11, 9), (8, 17)])
def test_fast_convolution_is_the_plain_one(stride: int, kernel: tuple, tile: tuple, size: tuple) -> None:
    weight = torch.randn(6, 5, *kernel, generator=torch.Generator().manual_seed(1))
    x = pictures(3, *size, 5)
    expected = conv2d(x.permute(0, 3, 1, 2).double(), weight.double(), None, stride, 1).permute(0, 2, 3, 1)
    found = FastConvolution(weight, stride, 1, tile, torch.float32)(x)
    assert found.shape == expected.shape
    torch.testing.assert_close(found.double(), expected, atol=3e-4, rtol=1e-4)


def test_large_tiles_keep_float32_and_small_ones_bfloat16() -> None:
    weight, x = torch.randn(32, 64, 3, 3, generator=torch.Generator().manual_seed(2)), pictures(2, 13, 13, 64).relu()
    expected = conv2d(x.permute(0, 3, 1, 2).double(), weight.double(), None, 1, 1).permute(0, 2, 3, 1)

    def error(tile: tuple[int, int], dtype: torch.dtype) -> float:
        found = FastConvolution(weight, 1, 1, tile, dtype)(x.to(dtype))
        return float((found.double() - expected).std() / expected.std())

    assert error((4, 4), torch.float32) < 5e-6
    assert error((7, 7), torch.float32) < 1e-4
    assert error((2, 2), torch.bfloat16) < 0.01
    assert error((4, 3), torch.bfloat16) < 0.03


def test_a_picture_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = FastConvolution(torch.randn(8, 4, 3, 3), 1, 1, (4, 4), torch.float32)
    x = pictures(5, 13, 13, 4)
    together = fast(x)
    monkeypatch.setattr("syncvoice.fast.fast_convolution.CACHE_BYTES", 1)  # one picture at a time
    torch.testing.assert_close(fast(x), together, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cat([fast(x[k : k + 1]) for k in range(5)]), together, atol=1e-5, rtol=1e-5)


def test_diffused_weights_keep_their_sums() -> None:
    weight = torch.randn(6, 3, 5, 7, 7, generator=torch.Generator().manual_seed(3))
    whole, step = diffused(weight)
    assert (whole == whole.round()).all() and whole.abs().max() <= 127
    error = (weight - whole * step[:, None, None, None, None]) / step[:, None, None, None, None]
    assert error.abs().max() <= 1.01
    assert error.sum((2, 3, 4)).abs().max() <= 0.51 + 1e-3  # a whole kernel is wrong by half a step, not by its root
    rounded = (weight / step[:, None, None, None, None]).round() * step[:, None, None, None, None]
    assert (weight - rounded).sum((2, 3, 4)).abs().mean() > 3 * (error.sum((2, 3, 4)).abs() * step[:, None]).mean()


@pytest.mark.skipif(not byte_convolution.available(), reason="the processor has no VNNI instructions")
@pytest.mark.parametrize(("terms", "limit"), [(1, 0.03), (2, 1e-4)])
def test_byte_convolution_is_the_plain_one(terms: int, limit: float) -> None:
    random = torch.Generator().manual_seed(4)
    weight, bias = torch.randn(16, 3, 5, 7, 7, generator=random), torch.randn(16, generator=random)
    x = torch.randint(0, 256, (2, 15, 31, 40), generator=random, dtype=torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    flat = weight.transpose(1, 2).flatten(1, 2)
    expected = conv2d(x.double(), flat.double(), bias.double(), 2).relu()
    found = ByteConvolution(weight, bias, 2, terms)(x)
    assert found.dtype == (torch.bfloat16 if terms == 1 else torch.float32)
    assert (found.double() - expected).std() < limit * expected.std()
    grey = torch.full_like(x, 128)
    bright = conv2d(grey.double(), flat.double(), bias.double(), 2).relu()
    assert (ByteConvolution(weight, bias, 2, terms)(grey).double() - bright).abs().max() < 0.004 * bright.max()
