"""Random numbers that depend on names, never on the order of work.

Noise of a clip is drawn from (seed, clip id), so it is the same in any batch, order or process.
"""

import hashlib
import random
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_of(seed: int, *keys: object) -> int:
    """Return a 63-bit seed derived from `seed` and the text of `keys` (SHA-256)."""
    text = "\x1f".join([str(seed), *map(str, keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def generator(seed: int, *keys: object) -> "torch.Generator":
    """Return a CPU torch generator for (seed, keys)."""
    import torch

    return torch.Generator().manual_seed(seed_of(seed, *keys))


def rng(seed: int, *keys: object) -> np.random.Generator:
    """Return a numpy generator for (seed, keys)."""
    return np.random.default_rng(seed_of(seed, *keys))


def seed_everything(seed: int) -> None:
    """Seed python, numpy and torch (training only; sampling uses `generator`)."""
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
