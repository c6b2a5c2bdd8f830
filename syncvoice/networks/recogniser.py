"""A small speech recogniser for English letters and Mandarin characters, with a second head for phones.

One trunk of gated convolution blocks at 50 frames per second feeds two heads: symbols, trained with CTC (transcripts),
and phone classes at 100 frames per second, trained with cross-entropy on known phone times (forced alignment by
Viterbi search). Architecture: our choice. It scores tables (`wer.ctc_mini`) and conditions no model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.networks.camplus import MEL_BINS, SHIFT, WINDOW, log_fbank
from syncvoice.records.weights import open_weights

BLANK = 0
ENGLISH_SYMBOLS = " 'abcdefghijklmnopqrstuvwxyz"
PHONE_FPS = 100.0  # frames per second of the phone head; frame i is centred at (i + 1/2) / 100 s
SYMBOL_FPS = 50.0
STRIDE = 2  # filter-bank frames per trunk frame
DYNAMIC_RANGE = 14.0  # natural-log units below the loudest bin of the utterance that features keep (61 dB)
NO_PHONE = -100  # label of padding in cross-entropy


def features(audio: Tensor | np.ndarray) -> Tensor:
    """Return the network's input for 16 kHz sound: (ceil(samples / 160), 80) in [-1, 1], whatever the gain.

    The log filter bank is taken relative to its maximum and floored, so exact digital silence looks like quiet noise.
    Frame i is centred at sample 160 i + 80.
    """
    audio = torch.as_tensor(audio, dtype=torch.float32)
    n_frames = max(1, -(-audio.shape[0] // SHIFT))
    before = (WINDOW - SHIFT) // 2
    padded = functional.pad(audio, (before, (n_frames - 1) * SHIFT + WINDOW - before - audio.shape[0]))
    bank = log_fbank(padded)
    return (bank - bank.max()).clamp(min=-DYNAMIC_RANGE) * (2 / DYNAMIC_RANGE) + 1


def pad_features(items: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Stack features of several sounds: (B, T, 80) padded with silence to an even T, and lengths (B,)."""
    lengths = torch.tensor([len(item) for item in items])
    longest = int(lengths.max())
    batch = torch.full((len(items), longest + longest % STRIDE, MEL_BINS), -1.0)
    for row, item in zip(batch, items, strict=True):
        row[: len(item)] = item
    return batch, lengths


class GatedBlock(nn.Module):
    """Pre-norm residual block: gated linear unit, depthwise convolution over time, then a feed-forward part."""

    def __init__(self, dim: int, kernel: int, expansion: int, dropout: float) -> None:
        """Make a block of `dim` channels with an odd `kernel` (frames of 20 ms)."""
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.gate = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.depthwise_norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, expansion * dim),
            nn.SiLU(),
            nn.Dropout(dropout),
            nn.Linear(expansion * dim, dim),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (B, T, C) to (B, T, C); `mask` (B, T, 1) is 1 on real frames, so padding never reaches them."""
        y = functional.glu(self.gate(self.norm(x)), dim=-1) * mask
        y = self.depthwise(y.transpose(1, 2)).transpose(1, 2)
        x = x + self.dropout(self.out(functional.silu(self.depthwise_norm(y))))
        return x + self.dropout(self.feed_forward(x))


class CtcRecogniser(nn.Module):
    """Recogniser over one inventory of symbols (English letters and Mandarin characters) and of phones."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Make the network.

        Args:
            config: {"dim", "blocks", "kernel", "expansion", "dropout", "hanzi": str, "phones": [str, ...]}.
        """
        super().__init__()
        self.config = dict(config)
        self.symbols = ("", *ENGLISH_SYMBOLS, *config["hanzi"])
        self.phones = tuple(config["phones"])
        dim = config["dim"]
        self.front = nn.Conv1d(MEL_BINS, dim, kernel_size=5, padding=2)
        self.subsample = nn.Conv1d(dim, dim, kernel_size=4, stride=STRIDE, padding=1)
        self.blocks = nn.ModuleList(
            GatedBlock(dim, config["kernel"], config["expansion"], config.get("dropout", 0.0))
            for _ in range(config["blocks"])
        )
        self.final_norm = nn.LayerNorm(dim)
        self.symbol_head = nn.Linear(dim, len(self.symbols))
        self.phone_head = nn.Linear(dim, STRIDE * len(self.phones))

    def forward(self, batch: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of both heads.

        Args:
            batch: features (B, T, 80) with even T.
            lengths: real frames (B,).

        Returns:
            symbol logits (B, T / 2, symbols), phone logits (B, T, phones), trunk lengths (B,).
        """
        frames = torch.arange(batch.shape[1], device=batch.device)
        real = (frames < lengths[:, None])[:, None].to(batch.dtype)  # (B, 1, T)
        x = functional.silu(self.front(batch.transpose(1, 2) * real)) * real
        x = functional.silu(self.subsample(x)).transpose(1, 2)  # (B, C, T) -> (B, T / 2, C)
        mask = real[:, 0, ::STRIDE, None]
        for block in self.blocks:
            x = block(x, mask)
        x = self.final_norm(x)
        phones = self.phone_head(x).unflatten(-1, (STRIDE, len(self.phones))).flatten(1, 2)
        return self.symbol_head(x), phones, (lengths + STRIDE - 1) // STRIDE

    def symbol_mask(self, language: str) -> Tensor:
        """Return which symbols belong to a language ("en" or "zh"), the blank included, bool (symbols,)."""
        english = torch.arange(len(self.symbols)) <= len(ENGLISH_SYMBOLS)
        allowed = english if language == "en" else ~english
        allowed[BLANK] = True
        return allowed

    def encode(self, text: str) -> list[int]:
        """Return symbol indices of a normalised text; symbols outside the inventory are left out."""
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        return [index[symbol] for symbol in text if symbol in index]

    @torch.inference_mode()
    def transcribe(self, audio: Sequence[np.ndarray | Tensor], language: str) -> list[str]:
        """Transcribe 16 kHz sounds greedily; symbols of the other language are never chosen.

        Args:
            audio: sounds (samples,), mono at 16 kHz.
            language: "en" (lower-case words separated by single spaces) or "zh" (characters without spaces).
        """
        if not audio:
            return []
        logits, _, lengths = self(*pad_features([features(sound) for sound in audio]))
        best = logits.masked_fill(~self.symbol_mask(language), float("-inf")).argmax(dim=-1)
        return [self._collapse(row[:length]) for row, length in zip(best, lengths.tolist(), strict=True)]

    def _collapse(self, indices: Tensor) -> str:
        """Apply the CTC rule: join repeats, drop blanks; spaces are normalised."""
        kept = torch.unique_consecutive(indices)
        text = "".join(self.symbols[i] for i in kept.tolist() if i != BLANK)
        return " ".join(text.split())

    @torch.inference_mode()
    def log_probs(self, audio: np.ndarray | Tensor) -> tuple[Tensor, float]:
        """Return log probabilities of all symbols for one 16 kHz sound, (frames, symbols), and frames per second."""
        logits, _, lengths = self(*pad_features([features(audio)]))
        return logits[0, : int(lengths[0])].log_softmax(dim=-1), SYMBOL_FPS

    @torch.inference_mode()
    def phone_log_probs(self, audio: np.ndarray | Tensor) -> tuple[Tensor, float]:
        """Return log probabilities of the phone classes for one 16 kHz sound and the frames per second.

        Returns:
            (frames, phones) in the order of `self.phones`, and 100.0; frame i is centred at (i + 1/2) / 100 s.
        """
        batch, lengths = pad_features([features(audio)])
        _, logits, _ = self(batch, lengths)
        return logits[0, : int(lengths[0])].log_softmax(dim=-1), PHONE_FPS

    @classmethod
    def load(cls, path: Path | str) -> "CtcRecogniser":
        """Read a recogniser in eval mode; sizes and inventories come from the JSON file beside the weights.

        Raises:
            UserError: a file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        return weights.into(cls(weights.config))
