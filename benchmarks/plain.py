"""The peer of our speed benchmarks: the same model from textbook operations, run eagerly.

Channels move before time for every convolution, and an activation is one operation per term, as in the public
implementation without its own CPU kernels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch.nn.functional as F
from torch import Tensor

from syncvoice.model import zipformer


def swoosh_l(x: Tensor) -> Tensor:
    """SwooshL, one operation per term."""
    return F.softplus(x - 4.0) - 0.08 * x - 0.035


def swoosh_r(x: Tensor) -> Tensor:
    """SwooshR, one operation per term."""
    return F.softplus(x - 1.0) - 0.08 * x - 0.313261687


def depthwise_conv(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Depthwise convolution of (B, T, D) as the framework offers it."""
    channels_first = x.transpose(1, 2)
    return F.conv1d(channels_first, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight)).transpose(1, 2)


@contextmanager
def plain_operations() -> Iterator[None]:
    """Run `TTSZipformer` with the operations of this module."""
    ours = {"swoosh_l": swoosh_l, "swoosh_r": swoosh_r, "depthwise_conv": depthwise_conv}
    with mock.patch.multiple(zipformer, **ours):
        yield
