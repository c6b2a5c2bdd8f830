"""The deterministic fill rule of the golden vectors: weights and inputs that any implementation can rebuild.

The golden files hold numbers that public reference code gave on these weights, so compatibility is proven without any
pretrained file. The rule (facts of the golden files):

    phase = (crc32(key) mod 1000) / 1000 * 2 pi
    v_i   = frac(sin(12.9898 i + phase) * 43758.5453), i = 1..n, in float64;  value_i = 2 v_i - 1
"""

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def values(key: str, n: int) -> np.ndarray:
    """Return n pseudo-random numbers in [-1, 1) that depend on `key` only, float64 (n,)."""
    phase = (zlib.crc32(key.encode("utf-8")) % 1000) / 1000 * 2 * math.pi
    v = np.sin(np.arange(1, n + 1, dtype=np.float64) * 12.9898 + phase) * 43758.5453
    return 2 * (v - np.floor(v)) - 1


def det(shape: tuple[int, ...], key: str, scale: float = 1.0) -> torch.Tensor:
    """Return the float32 tensor of `shape` (row-major) that belongs to `key`, times `scale`."""
    n = math.prod(shape)
    return torch.from_numpy((values(key, n) * scale).astype(np.float32)).reshape(tuple(shape))


def _filled(key: str, tensor: torch.Tensor, gain: float) -> torch.Tensor:
    """Value of one state-dict entry; the order of the cases is part of the rule."""
    shape = tuple(tensor.shape)
    if key.endswith("num_batches_tracked"):
        return tensor
    if key.endswith("running_var"):
        return 1 + 0.2 * det(shape, key)
    if key.endswith("bypass_scale"):
        return 0.5 + 0.2 * det(shape, key)
    if key.endswith("log_scale"):
        return torch.full(shape, 0.3)
    if len(shape) >= 2:
        fan = math.prod(shape) / shape[0]
        return det(shape, key, gain * math.sqrt(3 / fan))
    if key.endswith(("weight", "gamma")):
        return 1 + 0.1 * det(shape, key)
    return 0.1 * det(shape, key)


def fill(state_dict: Mapping[str, torch.Tensor], gain: float) -> dict[str, torch.Tensor]:
    """Return a new state dict with the same keys and shapes whose values follow the fill rule."""
    return {key: _filled(key, tensor, gain) for key, tensor in state_dict.items()}


def check_summary(actual: torch.Tensor | np.ndarray, expected: Mapping[str, Any], tolerance: float = 1e-4) -> None:
    """Compare a tensor with a stored summary: shape, mean, unbiased std, first and last elements (row-major).

    Raises:
        AssertionError: a figure differs by more than `tolerance`; the message names it.
    """
    array = np.asarray(actual.detach().cpu() if isinstance(actual, torch.Tensor) else actual, dtype=np.float64)
    if "shape" in expected:
        assert list(array.shape) == list(expected["shape"]), f"shape {list(array.shape)}, golden {expected['shape']}"
    flat = array.reshape(-1)
    if "mean" in expected:
        assert abs(flat.mean() - expected["mean"]) <= tolerance, f"mean {flat.mean()}, golden {expected['mean']}"
    if "std" in expected:
        assert abs(flat.std(ddof=1) - expected["std"]) <= tolerance, f"std {flat.std(ddof=1)}, golden {expected['std']}"
    if "first" in expected:
        first = np.asarray(expected["first"])
        np.testing.assert_allclose(flat[: len(first)], first, rtol=0, atol=tolerance, err_msg="first elements")
    if "last" in expected:
        last = np.asarray(expected["last"])
        np.testing.assert_allclose(flat[-len(last) :], last, rtol=0, atol=tolerance, err_msg="last elements")
