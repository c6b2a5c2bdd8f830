"""Convolutions of bytes against the plain ones."""

import pytest
import torch
from torch.nn.functional import conv2d

from syncvoice.fast import byte_convolution
from syncvoice.fast.byte_convolution import ByteConvolution, diffused


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
