"""The reference recording: any sound file, checked, trimmed and turned into what the model hears of a voice."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from syncvoice.generation.speech import Voice
    from syncvoice.model.syncvoice import SyncVoice

MIN_SECONDS, MAX_SECONDS = 1.0, 10.0  # our choice; the models learn from references of one to four seconds
SILENT_RMS = 1e-3  # -60 dBFS, of the loudest 20 ms
LEVEL_RMS = 0.065  # quieter recordings are raised to it: MiniDub's normal voice (ZipVoice raises to 0.1)
EDGE_RATIO = 0.03  # windows quieter than this part of the loudest one (-30 dB) are no speech at the ends
EDGE_SECONDS = 0.1  # kept before the first and after the last loud window
WINDOW = clocks.SAMPLE_RATE // 50  # 20 ms
log = logging.getLogger(__name__)


def read_reference(path: Path, cut: bool) -> np.ndarray:
    """Read a recording of a voice: channels averaged, silence at the ends removed, level raised if low.

    Args:
        path: any file with sound that FFmpeg reads.
        cut: keep at most `MAX_SECONDS`; False refuses a longer one (its text would no longer fit).

    Returns:
        (samples,) float32 at 24 kHz.

    Raises:
        UserError: no sound, values that are not finite, silence, too short or too long.
    """
    from syncvoice.video.decode import ClipProblem, read_sound

    try:
        audio = read_sound(path, None)
    except ClipProblem as problem:
        raise UserError(f"voice {path}: {problem.message}; give a recording of one person speaking") from problem
    if not np.isfinite(audio).all():
        raise UserError(f"voice {path} holds values that are not finite; export the recording again")
    audio = trimmed(audio, path)
    seconds = len(audio) / clocks.SAMPLE_RATE
    if seconds < MIN_SECONDS:
        raise UserError(
            f"voice {path} holds {seconds:.2f} s of sound, at least {MIN_SECONDS:g} s are needed; three to ten are best"
        )
    if seconds > MAX_SECONDS:
        if not cut:
            raise UserError(
                f"voice {path} lasts {seconds:.1f} s, at most {MAX_SECONDS:g} s with its text; cut both, or leave "
                "--voice-text out"
            )
        log.info("voice %s: the first %g of %.1f s are used", path, MAX_SECONDS, seconds)
        audio = audio[: round(MAX_SECONDS * clocks.SAMPLE_RATE)]
    return (audio * max(1.0, LEVEL_RMS / float(np.sqrt(np.mean(audio**2))))).astype(np.float32)


def trimmed(audio: np.ndarray, path: Path) -> np.ndarray:
    """Remove silence at both ends of (samples,).

    Raises:
        UserError: all of it is silence.
    """
    windows = np.pad(audio, (0, -len(audio) % WINDOW)).reshape(-1, WINDOW)
    level = np.sqrt(np.mean(windows.astype(np.float64) ** 2, axis=1))
    if level.max() < SILENT_RMS:
        raise UserError(f"voice {path} is silent (below -60 dBFS throughout); give a recording of one person speaking")
    loud = np.flatnonzero(level > EDGE_RATIO * level.max())
    edge = round(EDGE_SECONDS * clocks.SAMPLE_RATE)
    return audio[max(0, loud[0] * WINDOW - edge) : (loud[-1] + 1) * WINDOW + edge]


def read_voice(path: Path, tokens: list[int], model: "SyncVoice", encoder: Path) -> "Voice":
    """Return the voice for a model.

    Args:
        path: recording.
        tokens: ids of what it says; [] if unknown, then the model hears it as speaker embedding only.
        model: decides what is needed.
        encoder: weights of CAM++.

    Raises:
        UserError: the recording or the encoder cannot be used.
    """
    import torch

    from syncvoice.features.mel import log_mel
    from syncvoice.generation.speech import Voice

    audio = read_reference(path, cut=not tokens)
    embedding = None if tokens else _embedding(audio, model, encoder)
    return Voice(tokens, torch.from_numpy(log_mel(audio)), embedding)


def _embedding(audio: np.ndarray, model: "SyncVoice", path: Path) -> "Tensor":
    """CAM++ embedding (E,) of 24 kHz sound.

    Raises:
        UserError: the model has no speaker encoder, or was trained with another one.
    """
    import torch

    from syncvoice.networks.camplus import CAMPPlus, fbank

    if model.speaker is None:
        raise UserError("the model has no speaker encoder; say with --voice-text what the recording says")
    encoder = CAMPPlus.load(path).eval()
    if encoder.embedding_size != model.config.pretrained_speaker_dim:
        raise UserError(
            f"{path} gives embeddings of {encoder.embedding_size} values, the model expects "
            f"{model.config.pretrained_speaker_dim}; put the speaker encoder there that it was trained with"
        )
    sound = resample(audio, clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE)
    with torch.inference_mode():
        return encoder(torch.as_tensor(fbank(sound))[None])[0]
