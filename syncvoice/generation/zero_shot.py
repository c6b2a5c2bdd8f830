"""Zero-shot text-to-speech with public ZipVoice weights: text in the voice of a recorded prompt, without a video.

Rules of the reference implementation: the prompt's text and features come before the target's; the length is predicted
from the prompt's speaking rate or given; a quiet prompt is raised to a level of 0.1 and the speech lowered again. The
steps around it (end marks, pieces of at most 25 s joined by cross-fades, silences of the prompt cut) are those of its
default command; `raw=True` leaves them out, as its evaluations do.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.features.mel import log_mel
from syncvoice.model.guidance import Scales
from syncvoice.model.public_layout import Release
from syncvoice.model.solver import Conditions, euler, euler_distilled
from syncvoice.model.vocoder import Vocoder
from syncvoice.model.zipvoice import ZipVoice, expand_text, token_index_average
from syncvoice.text.base import Tokenizer
from syncvoice.text.characters import LibriTTSTokenizer

TARGET_RMS = 0.1  # root mean square that quiet prompts are raised to
LONGEST = 25.0  # seconds of prompt and piece together
CROSS_FADE = 0.1  # seconds in which two pieces overlap
SILENCE_DBFS = -50.0
SILENCE_KEPT = 1.0  # seconds of a pause inside the prompt
EDGE_KEPT = 0.1  # seconds of silence kept at both ends of a recording
TRAILING = 0.2  # seconds of silence put after the prompt
_WINDOW = 0.01  # seconds over which loudness is measured (our choice)
_END_MARKS = ".!?;:,…。！？；：，"
_CUT = re.compile(r"(?<=[.!?;:,…])(?=\s)|(?<=[。！？；：，…])")


@dataclass(frozen=True)
class Prompt:
    """A voice to imitate.

    Attributes:
        mel: features (T, 100) of the recording after levelling.
        tokens: ids of what is said in it.
        rms: level of the recording before levelling.
    """

    mel: Tensor
    tokens: list[int]
    rms: float


@dataclass(frozen=True)
class Steps:
    """How the flow is integrated.

    Attributes:
        num_steps: Euler steps.
        guidance_scale: ZipVoice's g.
        t_shift: time grid.
        seed: of the noise.
    """

    num_steps: int = 16
    guidance_scale: float = 1.0
    t_shift: float = 0.5
    seed: int = 666

    @classmethod
    def default(cls, model: ZipVoice, tokenizer: Tokenizer | None = None) -> "Steps":
        """Settings of the public recipes (k2-fsa/ZipVoice 2f7326f).

        Emilia, the released weights: 16 steps with g 1, distilled 8 with g 3, t_shift 0.5. LibriTTS, known by its
        tokenizer: 8 steps with g 1, distilled 4 with g 3, t_shift 0.7.
        """
        distilled = model.config.guidance_scale_embed
        if isinstance(tokenizer, LibriTTSTokenizer):
            return cls(4, 3.0, 0.7) if distilled else cls(8, 1.0, 0.7)
        return cls(8, 3.0) if distilled else cls()


def predicted_frames(prompt_frames: int, prompt_tokens: int, target_tokens: int, speed: float = 1.0) -> int:
    """Mel frames of the target at the prompt's rate of tokens: ceil(L_p / n_p * n_t / speed)."""
    return math.ceil(prompt_frames / prompt_tokens * target_tokens / speed)


def level(audio: np.ndarray) -> tuple[np.ndarray, float]:
    """Raise a recording that is quieter than `TARGET_RMS` to that level.

    Returns:
        the sound (unchanged if louder) and its level before.
    """
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    return (audio * np.float32(TARGET_RMS / rms) if 0 < rms < TARGET_RMS else audio), rms


def restore_level(audio: np.ndarray, rms: float) -> np.ndarray:
    """Undo `level` on generated speech: scale it by rms / 0.1 if the prompt was quieter than 0.1."""
    return audio * np.float32(rms / TARGET_RMS) if 0 < rms < TARGET_RMS else audio


@torch.inference_mode()
def sample(model: ZipVoice, prompt: Prompt, tokens: Sequence[int], frames: int | None = None, speed: float = 1.0,
           steps: Steps | None = None) -> Tensor:  # fmt: skip
    """Sample mel features of a text in a voice.

    Args:
        model: plain or distilled; a distilled one takes the guidance scale as an input and makes one pass per step.
        prompt: the voice.
        tokens: ids of the text to say.
        frames: length ("real" duration); None predicts it from the prompt's rate of speech.
        speed: faster than the prompt above 1; only with predicted length.
        steps: None means the defaults of the released weights.

    Returns:
        (frames, feat_dim) float32.

    Raises:
        UserError: prompt or text have no tokens.
    """
    if not prompt.tokens or not tokens:
        raise UserError(f"the {'text' if prompt.tokens else 'prompt text'} has no symbol that the tokenizer knows")
    steps = steps or Steps.default(model)
    start = len(prompt.mel)
    if frames is None:
        frames = predicted_frames(start, len(prompt.tokens), len(tokens), speed)
    joined = [*prompt.tokens, *tokens]
    z_t = expand_text(model.encode_text([joined]), token_index_average([len(joined)], [start + frames]))
    speech = torch.cat([prompt.mel, torch.zeros(frames, prompt.mel.shape[1])])[None].to(z_t)
    x_0 = torch.randn(speech.shape, generator=torch.Generator().manual_seed(steps.seed)).to(z_t)
    if model.config.guidance_scale_embed:
        x_1 = euler_distilled(model, x_0, z_t, speech, steps.guidance_scale, steps.num_steps, steps.t_shift)
    else:
        conditions = Conditions({(): torch.zeros_like(z_t), ("text",): z_t}, speech)
        x_1 = euler(model, x_0, conditions, Scales(1 + steps.guidance_scale), steps.num_steps, steps.t_shift)
    return x_1[0, start:].cpu()


def with_end_mark(text: str) -> str:
    """Text with a full stop added when it ends without a mark."""
    text = text.strip()
    return text if not text or text[-1] in _END_MARKS else text + "."


def split_text(text: str, longest: int, size: Callable[[str], int] = len) -> list[str]:
    """Cut a text at punctuation into pieces of at most `longest`, each as long as possible.

    A sentence without punctuation stays whole, however long it is.

    Args:
        text: any language.
        longest: limit of a piece.
        size: measures a piece; characters if not given.
    """
    pieces: list[str] = []
    for sentence in _CUT.split(text):
        if pieces and size((pieces[-1] + sentence).strip()) <= longest:
            pieces[-1] += sentence
        else:
            pieces.append(sentence)
    return [piece.strip() for piece in pieces if piece.strip()]


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Join sounds at 24 kHz, each fading into the next over 0.1 s (less where a part is shorter)."""
    joined = parts[0]
    for part in parts[1:]:
        n = min(round(CROSS_FADE * clocks.SAMPLE_RATE), len(joined), len(part))
        rise = np.linspace(0, 1, n, dtype=np.float32)
        overlap = joined[len(joined) - n :] * (1 - rise) + part[:n] * rise
        joined = np.concatenate([joined[: len(joined) - n], overlap, part[n:]])
    return joined


def _is_loud(audio: np.ndarray) -> np.ndarray:
    """Whether each window of 10 ms is louder than `SILENCE_DBFS`."""
    width = round(_WINDOW * clocks.SAMPLE_RATE)
    windows = np.pad(audio, (0, -len(audio) % width)).reshape(-1, width)
    return np.sqrt(np.mean(windows.astype(np.float64) ** 2, axis=1)) > 10 ** (SILENCE_DBFS / 20)


def trim(audio: np.ndarray) -> np.ndarray:
    """Cut silence at both ends of 24 kHz sound, all but 0.1 s; sound that is silent throughout stays whole."""
    loud = np.flatnonzero(_is_loud(audio))
    if not len(loud):
        return audio
    width, kept = round(_WINDOW * clocks.SAMPLE_RATE), round(EDGE_KEPT * clocks.SAMPLE_RATE)
    return audio[max(0, loud[0] * width - kept) : (loud[-1] + 1) * width + kept]


def tidy_prompt(audio: np.ndarray) -> np.ndarray:
    """Shorten pauses of a 24 kHz recording to 1 s, trim its ends, and put 0.2 s of silence after it."""
    width, kept = round(_WINDOW * clocks.SAMPLE_RATE), round(SILENCE_KEPT / _WINDOW)
    audio = trim(audio)
    keep, quiet = [], 0
    for is_loud in _is_loud(audio):
        quiet = 0 if is_loud else quiet + 1
        keep.append(quiet <= kept)
    kept_samples = np.repeat(keep, width)[: len(audio)]
    return np.concatenate([audio[kept_samples], np.zeros(round(TRAILING * clocks.SAMPLE_RATE), np.float32)])


def make_prompt(release: Release, audio: np.ndarray, text: str, language: str, raw: bool = False) -> Prompt:
    """Prepare a voice.

    Args:
        release: whose tokenizer reads the text.
        audio: the recording, mono 24 kHz, more than 512 samples.
        text: what is said in it.
        language: "en" or "zh".
        raw: take recording and text as they are.
    """
    audio, text = (audio, text) if raw else (tidy_prompt(audio), with_end_mark(text))
    levelled, rms = level(audio)
    return Prompt(torch.as_tensor(log_mel(levelled)), release.tokenizer.encode(text, language), rms)


def speak(release: Release, vocoder: Vocoder, prompt: Prompt, text: str, language: str, speed: float = 1.0,
          steps: Steps | None = None, raw: bool = False) -> np.ndarray:  # fmt: skip
    """Say a text in the voice of a prompt, in pieces if it is long.

    Returns:
        mono 24 kHz sound, float32 (samples,), as loud as the prompt's recording was.

    Raises:
        UserError: prompt or text have no symbol that the tokenizer knows.
    """
    steps = steps or Steps.default(release.model, release.tokenizer)
    pieces = [text] if raw else _pieces(release, prompt, with_end_mark(text), language, speed)
    sounds = []
    for piece in pieces:
        mel = sample(release.model, prompt, release.tokenizer.encode(piece, language), None, speed, steps)
        sound = vocoder.decode(mel.to(vocoder.device), (len(mel) - 1) * clocks.HOP).cpu().numpy()
        sounds.append(restore_level(sound, prompt.rms))
    return sounds[0] if raw else trim(join(sounds))


def _pieces(release: Release, prompt: Prompt, text: str, language: str, speed: float) -> list[str]:
    """Pieces of a text whose predicted length, with the prompt, is at most 25 s."""
    seconds = len(prompt.mel) / clocks.MEL_FPS
    tokens = math.floor((LONGEST - seconds) / seconds * len(prompt.tokens) * speed)
    return split_text(text, tokens, lambda piece: len(release.tokenizer.encode(piece, language)))
