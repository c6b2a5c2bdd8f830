"""SyncNet: embeddings of five mouth frames and of the 0.2 s of sound that belong to them.

One class, two configurations. `V2` is the public network (keys netcnnaud, netfcaud, netcnnlip, netfclip; 13,631,616
parameters; colour lips of 224 x 224), so that its weight file loads without any renaming; it is proved by golden values
and never shipped. `MINI` (our choice) sees grey mouth crops of 48 x 48 and is shipped. Facts of the public network:
Chung and Zisserman 2016 and its published code; the audio front-end is MFCC as python_speech_features 0.6 defines it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from syncvoice.records.weights import open_weights

LIP_WINDOW = 5  # video frames of a window
MFCC_WINDOW = 20  # MFCC frames of a window: 0.2 s
MFCC_PER_FRAME = 4  # MFCC frames of 10 ms per video frame of 40 ms
N_MFCC = 13


@dataclass(frozen=True)
class SyncNetConfig:
    """Sizes of a SyncNet.

    Attributes:
        layout: `v2` (public network) or `mini`.
        image_size: height and width of a lip image, pixels.
        image_channels: 3 (BGR, 0..255) or 1 (grey, 0..255).
        embedding: size of an embedding.
        width: channels of the first lip layer of `mini`; the other layers follow from it.
        radius: 0 = embeddings as they come (v2); otherwise they lie on a sphere of this radius, so that distances
            stay in the range that readers know from SyncNet v2 (our choice).
    """

    layout: str = "mini"
    image_size: int = 48
    image_channels: int = 1
    embedding: int = 128
    width: int = 24
    radius: float = 8.0


V2 = SyncNetConfig("v2", 224, 3, 1024, 96, 0.0)
MINI = SyncNetConfig()


def _audio_v2() -> nn.Sequential:
    """(N, 1, 13, 20) -> (N, 512, 1, 1)."""

    def block(channels_in: int, channels_out: int, kernel: int | tuple[int, int], padding: int) -> list[nn.Module]:
        """Convolution, batch norm, ReLU."""
        return [nn.Conv2d(channels_in, channels_out, kernel, padding=padding), nn.BatchNorm2d(channels_out), nn.ReLU()]

    return nn.Sequential(
        *block(1, 64, 3, 1), nn.MaxPool2d(1, 1),
        *block(64, 192, 3, 1), nn.MaxPool2d(3, (1, 2)),
        *block(192, 384, 3, 1), *block(384, 256, 3, 1), *block(256, 256, 3, 1), nn.MaxPool2d(3, 2),
        *block(256, 512, (5, 4), 0),
    )  # fmt: skip


def _lip_block(
    channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> list[nn.Module]:
    """3-D convolution, batch norm, ReLU; stride and padding act on height and width only."""
    convolution = nn.Conv3d(channels_in, channels_out, kernel, (1, stride, stride), (0, padding, padding))
    return [convolution, nn.BatchNorm3d(channels_out), nn.ReLU()]


def _lips_v2() -> nn.Sequential:
    """(N, 3, T, 224, 224) -> (N, 512, T - 4, 1, 1)."""
    return nn.Sequential(
        *_lip_block(3, 96, (5, 7, 7), 2, 0), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *_lip_block(96, 256, (1, 5, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        *_lip_block(256, 256, (1, 3, 3), 1, 1), *_lip_block(256, 256, (1, 3, 3), 1, 1),
        *_lip_block(256, 256, (1, 3, 3), 1, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *_lip_block(256, 512, (1, 6, 6), 1, 0),
    )  # fmt: skip


def _audio_mini(width: int) -> nn.Sequential:
    """(N, 1, 13, 20) -> (N, 6 width, 1): convolutions along time, MFCC as channels, each with its own normalisation."""

    def block(channels_in: int, channels_out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
        """Convolution, batch norm, ReLU."""
        convolution = nn.Conv1d(channels_in, channels_out, kernel, stride, padding)
        return [convolution, nn.BatchNorm1d(channels_out), nn.ReLU()]

    return nn.Sequential(
        nn.Flatten(1, 2),
        nn.BatchNorm1d(N_MFCC),
        *block(N_MFCC, 3 * width, 3, 1, 1),  # 20 MFCC frames
        *block(3 * width, 4 * width, 3, 2, 1),  # 10
        *block(4 * width, 6 * width, 3, 1, 1),
        *block(6 * width, 6 * width, 3, 2, 1),  # 5
        *block(6 * width, 6 * width, 5, 1, 0),  # 1
    )


def _lips_mini(width: int) -> nn.Sequential:
    """(N, 5, 48, 48) -> (N, 6 width, 1, 1): the frames of a window are channels (2-D layers train faster)."""

    def block(channels_in: int, channels_out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
        """Convolution, batch norm, ReLU."""
        convolution = nn.Conv2d(channels_in, channels_out, kernel, stride, padding)
        return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU()]

    return nn.Sequential(
        nn.BatchNorm2d(LIP_WINDOW),
        *block(LIP_WINDOW, width, 5, 2, 2),  # 24 x 24
        *block(width, 2 * width, 3, 2, 1),  # 12 x 12
        *block(2 * width, 3 * width, 3, 2, 1),  # 6 x 6
        *block(3 * width, 4 * width, 3, 2, 1),  # 3 x 3
        *block(4 * width, 6 * width, 3, 1, 0),  # 1 x 1
    )


def _head(size_in: int, hidden: int, embedding: int) -> nn.Sequential:
    """(N, size_in) -> (N, embedding)."""
    return nn.Sequential(nn.Linear(size_in, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, embedding))


class SyncNet(nn.Module):
    """Two-branch network whose embeddings of matching lips and sound lie close together."""

    takes_bytes = False  # lip images are floats of 0 to 255

    def __init__(self, config: SyncNetConfig = MINI) -> None:
        """Build the network of a configuration.

        Raises:
            ValueError: unknown layout.
        """
        super().__init__()
        if config.layout not in ("v2", "mini"):
            raise ValueError(f"unknown SyncNet layout {config.layout!r}; expected v2 or mini")
        self.config = config
        public = config.layout == "v2"
        features = 512 if public else 6 * config.width
        self.netcnnaud = _audio_v2() if public else _audio_mini(config.width)
        self.netfcaud = _head(features, features, config.embedding)
        self.netcnnlip = _lips_v2() if public else _lips_mini(config.width)
        self.netfclip = _head(features, features, config.embedding)

    @property
    def device(self) -> torch.device:
        """Where the network lies and wants its inputs."""
        return self.netfclip[0].weight.device

    def embed_audio(self, mfcc: Tensor) -> Tensor:
        """Embed windows of sound, (windows, 1, 13, 20) -> (windows, embedding)."""
        return self._scaled(self.netfcaud(self.netcnnaud(mfcc).flatten(1)))

    def embed_lips(self, frames: Tensor) -> Tensor:
        """Embed all windows of clips, (clips, channels, T, height, width) -> (clips * (T - 4), embedding).

        Windows of one clip are consecutive rows. In v2 only the first layer sees several frames, so the network slides
        over a whole clip; the result equals window-by-window computation (test).
        """
        features = self.lip_features(frames)  # (clips, F, T - 4)
        return self._scaled(self.netfclip(features.transpose(1, 2).flatten(0, 1)))

    def lip_features(self, frames: Tensor) -> Tensor:
        """Output of the convolutional lip branch, (clips, channels, T, height, width) -> (clips, features, T - 4)."""
        if self.config.layout == "v2":
            return self.netcnnlip(frames).flatten(2)
        windows = frames[:, 0].unfold(1, LIP_WINDOW, 1).permute(0, 1, 4, 2, 3)  # (B, T, H, W) -> (B, T - 4, 5, H, W)
        stacked = windows.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.netcnnlip(stacked).flatten(1).unflatten(0, windows.shape[:2]).transpose(1, 2)

    def _scaled(self, embeddings: Tensor) -> Tensor:
        """Put embeddings on the sphere of the configuration's radius; v2 leaves them as they are."""
        if not self.config.radius:
            return embeddings
        return self.config.radius * normalize(embeddings, dim=-1)

    @classmethod
    def load(cls, path: Path | str) -> "SyncNet":
        """Load `{name}.safetensors` with the configuration in `{name}.json` beside it; evaluation mode, float32.

        Raises:
            UserError: a file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        return weights.into(cls(SyncNetConfig(**weights.config)))


def mfcc(audio: np.ndarray) -> np.ndarray:
    """13 MFCC as python_speech_features 0.6 computes them with its defaults.

    Args:
        audio: (samples,) at 16 kHz in the int16 range, not scaled to +-1; any numeric type.

    Returns:
        (frames, 13) float64, frames = 1 + ceil((samples - 400) / 160); coefficient 0 is the log of the frame's energy.
    """
    audio = np.asarray(audio, dtype=np.float64)
    emphasised = np.append(audio[:1], audio[1:] - 0.97 * audio[:-1])
    n_frames = 1 if len(audio) <= 400 else 1 + -(-(len(audio) - 400) // 160)
    padded = np.zeros((n_frames - 1) * 160 + 400)
    padded[: len(emphasised)] = emphasised
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160]
    power = np.abs(np.fft.rfft(frames, 512)) ** 2 / 512  # (frames, 257)
    tiny = np.finfo(np.float64).eps
    energy = np.maximum(power.sum(1), tiny)
    mel = power @ _mel_filters().T
    coefficients = np.log(np.where(mel == 0, tiny, mel)) @ _dct_and_lifter()
    coefficients[:, 0] = np.log(energy)
    return coefficients


def _mel_filters() -> np.ndarray:
    """26 triangular filters over 0 to 8000 Hz, (26, 257); mel = 2595 log10(1 + f / 700), corners on whole bins."""
    top = 2595 * np.log10(1 + 8000 / 700)
    corners_hz = 700 * (10 ** (np.linspace(0, top, 28) / 2595) - 1)
    bins = np.floor(513 * corners_hz / 16000)
    filters = np.zeros((26, 257))
    for row in range(26):
        low, middle, high = bins[row : row + 3]
        rise = np.arange(int(low), int(middle))
        fall = np.arange(int(middle), int(high))
        filters[row, rise] = (rise - low) / (middle - low)
        filters[row, fall] = (high - fall) / (high - middle)
    return filters


def _dct_and_lifter() -> np.ndarray:
    """Orthonormal DCT-II from 26 log energies to 13 coefficients, times the lifter 1 + 11 sin(pi n / 22); (26, 13)."""
    n = np.arange(N_MFCC)
    basis = np.cos(np.pi * np.outer(np.arange(26) + 0.5, n) / 26) * np.sqrt(2 / 26)
    basis[:, 0] /= np.sqrt(2)
    return basis * (1 + 11 * np.sin(np.pi * n / 22))


def n_windows(n_frames: int, n_samples: int) -> int:
    """Number of windows of a clip: min(video frames, floor(samples / 640)) - 5, never negative (reference code)."""
    return max(0, min(n_frames, n_samples // 640) - LIP_WINDOW)


def audio_windows(audio: np.ndarray, windows: int, full_scale: int = 32767) -> np.ndarray:
    """MFCC windows of a sound; window v starts at MFCC frame 4 v.

    Args:
        audio: (samples,) float in [-1, 1] at 16 kHz; rounded to int16 steps as a 16-bit file would hold it.
        windows: how many (see `n_windows`).
        full_scale: int16 value of 1.0; 32768 gives back the very samples of a 16-bit file that was read as float.

    Returns:
        (windows, 1, 13, 20) float32.
    """
    samples = np.minimum(np.round(np.clip(audio, -1.0, 1.0) * float(full_scale)), 32767.0)
    coefficients = mfcc(samples).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(coefficients, MFCC_WINDOW, axis=0)  # (frames - 19, 13, 20)
    return np.ascontiguousarray(view[: MFCC_PER_FRAME * windows : MFCC_PER_FRAME])[:windows, None]
