"""Curves of the mouth to lip shapes: a small convolutional network, several of which are averaged.

It gives four rows per video frame (10 ms each), because lips are sampled at 25 Hz but move smoothly. Normalisation is
per frame, so that what a clip holds elsewhere does not matter. Architecture: our choice.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from syncvoice.errors import UserError
from syncvoice.lip_timing.curves import N_INPUTS
from syncvoice.lip_timing.visemes import N_VISEMES, VISEME_NAMES

ROWS_PER_FRAME = 4
ROWS_PER_SECOND = 100  # of the output; row i is centred at (i + 1/2) / 100 s


class Block(nn.Module):
    """Residual dilated convolution over time with a norm per frame: (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int, kernel: int, dilation: int, dropout: float) -> None:
        """Make a block."""
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.convolution = nn.Conv1d(channels, channels, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        y = self.norm(x.transpose(1, 2)).transpose(1, 2)
        y = nn.functional.gelu(self.convolution(y))
        return x + self.mix(self.dropout(y))


class LipShapes(nn.Module):
    """One network: (B, T, 24) of `curves.network_input` to logits (B, 4 T, 15)."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make the network of {"channels", "kernel", "dilations", "dropout"}."""
        super().__init__()
        channels, kernel, dropout = config["channels"], config["kernel"], config["dropout"]
        self.front = nn.Conv1d(N_INPUTS, channels, kernel, padding=kernel // 2)
        self.blocks = nn.Sequential(*(Block(channels, kernel, d, dropout) for d in config["dilations"]))
        self.norm = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, ROWS_PER_FRAME * N_VISEMES)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits."""
        x = self.blocks(self.front(inputs.transpose(1, 2))).transpose(1, 2)
        return self.head(self.dropout(self.norm(x))).unflatten(-1, (ROWS_PER_FRAME, N_VISEMES)).flatten(1, 2)


class LipReader(nn.Module):
    """The networks of one weight file, and what the search needs to know of their training data.

    Attributes:
        log_prior: (15,) log share of every class in the training rows.
        durations: (15, 2) mean and standard deviation of the log duration (seconds) of every class.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make the networks.

        Args:
            config: of `LipShapes`, and {"nets", "visemes", "log_prior", "durations"}.

        Raises:
            UserError: the weights belong to other lip shapes than this code knows.
        """
        super().__init__()
        if tuple(config["visemes"]) != VISEME_NAMES:
            raise UserError(
                f"the lip timing weights know the shapes {list(config['visemes'])}, the code {list(VISEME_NAMES)}; "
                "make them again with 'syncvoice pretrain lip_timing'"
            )
        self.config = dict(config)
        self.log_prior = np.asarray(config["log_prior"], np.float64)
        self.durations = np.asarray(config["durations"], np.float64)
        self.nets = nn.ModuleList(LipShapes(config) for _ in range(config["nets"]))

    @torch.inference_mode()
    def log_posteriors(self, inputs: np.ndarray) -> np.ndarray:
        """Return log probabilities (nets, 4 * frames, 15) of `curves.network_input` (frames, 24)."""
        batch = torch.from_numpy(inputs)[None]
        return np.stack([net(batch)[0].log_softmax(-1).double().numpy() for net in self.nets])

    @classmethod
    def load(cls, path: Path | str) -> "LipReader":
        """Load weights with the JSON beside them, in evaluation mode.

        Raises:
            UserError: the files are missing or do not fit.
        """
        from syncvoice.records import weights as checkpoints

        reader = cls(checkpoints.read_metadata(path)["config"])
        checkpoints.load_strict(reader, checkpoints.read_state_dict(path), path)
        return reader.eval()


def averaged(log_posteriors: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
    """Mean over networks of log probabilities (nets, rows, 15), made to sum to one again: (rows, 15)."""
    mean = np.asarray(log_posteriors).mean(axis=0)
    return mean - np.logaddexp.reduce(mean, axis=-1, keepdims=True)
