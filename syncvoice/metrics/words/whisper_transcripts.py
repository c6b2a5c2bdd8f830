"""Transcripts of many clips with openai-whisper, in batches: the same text as clip by clip, greedy, float32.

Conventions
-----------
Sound is mono float32 at 16 kHz. Decoding is greedy (temperature 0), without fallback to other temperatures and without
the text of earlier windows as a prompt, so that every window stands alone: windows of different clips can share a
batch, and no clip's transcript depends on its neighbours. float32 on every device (our choice: in float16 the batch
would decide close calls).

Modes
-----
windows
    What `whisper.transcribe(model, sound, temperature=0.0, condition_on_previous_text=False)` does: windows of 30 s
    with timestamps, the next one starting where the last complete segment ended, silent windows skipped.
single
    One window of 30 s without timestamps, as Seed-TTS-eval reads a clip; longer clips are refused there.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

WINDOW_S = 30
FRAMES_PER_SECOND = 100  # of Whisper's spectrogram
BATCH = 16  # windows decoded side by side: bounds the memory (our choice)
NO_SPEECH_PROBABILITY = 0.6  # whisper.transcribe's defaults: a window is silent if its no-speech probability is higher
LOW_LOG_PROBABILITY = -1.0  # ... and its mean log probability is not above this
# A batch is decoded as far as speech can go, whose tokens are at most so many; a clip that goes on then, most often for
# ever, is decoded again without the others. The text is the same, the others need not wait (our choice).
TOKENS_AT_LEAST, TOKENS_PER_SECOND = 24, 10
MODES = ("windows", "single")


def import_whisper() -> Any:
    """Import openai-whisper.

    Raises:
        UserError: it is not installed.
    """
    try:
        import whisper
    except ImportError as error:
        raise UserError(
            "Whisper scores need the package openai-whisper, which is not installed; install it with"
            " `pip install openai-whisper`, or use wer.pocketsphinx_grid or wer.ctc_mini"
        ) from error
    return whisper


def load_model(path: Path | str) -> Any:
    """Load a Whisper checkpoint from a file; nothing is downloaded.

    Args:
        path: file with `dims` and `model_state_dict`, as its publisher offers it, or safetensors with the same weights
            and `dims` in its metadata (`syncvoice.networks.ctranslate2_file`).

    Raises:
        UserError: the package or the file is missing, or the file is no Whisper checkpoint.
    """

    from syncvoice.device import resolve_device
    from syncvoice.records.weights import load_strict, read_checkpoint, safetensors_header

    whisper = import_whisper()
    content = read_checkpoint(path)
    header = safetensors_header(Path(path))
    if "dims" in header:
        content = {"dims": json.loads(header["dims"]), "model_state_dict": content}
    if not isinstance(content, dict) or not {"dims", "model_state_dict"} <= set(content):
        raise UserError(f"{path} is no Whisper checkpoint: it lacks the entries dims and model_state_dict")
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**content["dims"]))
    state = {name: value.float() for name, value in content["model_state_dict"].items()}
    load_strict(model, state, path)
    return model.to(resolve_device()).eval()


def language_probabilities(model: Any, sound: np.ndarray) -> dict[str, float]:
    """Return what a Whisper model thinks of the first 30 s of a sound: probability by language code.

    Args:
        model: multilingual, from `load_model`.
        sound: (samples,) float32 at 16 kHz.
    """
    whisper = import_whisper()
    padded = whisper.pad_or_trim(np.ascontiguousarray(sound, dtype=np.float32))
    mel = whisper.log_mel_spectrogram(padded, model.dims.n_mels).to(model.device)
    _, probabilities = whisper.detect_language(model, mel)
    return dict(probabilities)


def language_probabilities_of_windows(model: Any, sounds: Sequence[np.ndarray], silence_s: float
                                      ) -> list[dict[str, float]]:  # fmt: skip
    """Return the same for short sounds of equal length, each alone, at the cost of their own length.

    Whisper reads 30 s, mostly silence. Here its encoder sees the sound and a little silence: the first places of its
    positional embedding, not all 1500 (our choice; an approximation, which whole clips need not take).

    Args:
        model: multilingual, from `load_model`.
        sounds: (samples,) float32 at 16 kHz each, all of one length.
        silence_s: appended to each.
    """
    import torch

    whisper = import_whisper()
    tokenizer = whisper.tokenizer.get_tokenizer(True, num_languages=model.num_languages)
    padded = np.pad(np.stack(sounds).astype(np.float32), ((0, 0), (0, round(silence_s * SCORER_SAMPLE_RATE))))
    with torch.inference_mode():
        mels = torch.stack([whisper.log_mel_spectrogram(sound, model.dims.n_mels) for sound in padded])
        encoded = _encoded(model.encoder, mels[..., : mels.shape[-1] // 2 * 2].to(model.device))
        start = torch.full((len(padded), 1), tokenizer.sot, device=model.device)
        logits = model.logits(start, encoded)[:, 0, list(tokenizer.all_language_tokens)].float()
        shares = logits.softmax(dim=-1).cpu().tolist()
    return [dict(zip(tokenizer.all_language_codes, row, strict=True)) for row in shares]


def _encoded(encoder: Any, mels: "Tensor") -> "Tensor":
    """Whisper's encoder on windows shorter than 30 s: (windows, mels, frames) -> (windows, frames / 2, width)."""
    from torch.nn.functional import gelu

    x = gelu(encoder.conv2(gelu(encoder.conv1(mels)))).permute(0, 2, 1)  # (B, C, T) -> (B, T, C)
    x = x + encoder.positional_embedding[: x.shape[1]]
    for block in encoder.blocks:
        x = block(x)
    return encoder.ln_post(x)


@dataclass
class _Clip:
    """A clip under way: its spectrogram (mels, frames + one window), how far it is read, and the tokens so far."""

    index: int
    mel: "Tensor"
    frames: int
    seek: int = 0
    tokens: list[int] = field(default_factory=list)


class WhisperTranscriber:
    """Whisper with batches of windows."""

    def __init__(self, model: Any, batch: int = BATCH) -> None:
        """Transcribe with a loaded model; `batch` windows at once."""
        if batch < 1:
            raise ValueError(f"a batch holds at least one window, found {batch}")
        self._model = model
        self._batch = batch
        self._whisper = import_whisper()

    def transcribe(self, sounds: Iterable[np.ndarray], language: str, mode: str = "windows") -> list[str]:
        """Return the transcripts of sounds.

        Args:
            sounds: (samples,) float32 at 16 kHz each; read one batch at a time.
            language: of the speech, `en` or `zh`.
            mode: see the module's docstring.

        Returns:
            One transcript per sound, in order.

        Raises:
            ValueError: unknown mode, or a sound is longer than the window of mode `single`.
        """
        if mode not in MODES:
            raise ValueError(f"mode {mode!r} is unknown; expected one of {', '.join(MODES)}")
        results = self._single(sounds, language) if mode == "single" else self._windows(sounds, language)
        return [text for _, text in sorted(results)]

    def _decode(self, mels: list["Tensor"], language: str, timestamps: bool, longest_s: float) -> list[Any]:
        """Decode windows (mels, 3000) greedily, side by side; `longest_s`: the most sound that one of them holds."""
        import torch

        options = self._whisper.DecodingOptions(
            language=language, temperature=0.0, without_timestamps=not timestamps, fp16=False
        )
        device = self._model.device
        with torch.inference_mode():
            # On a CPU a batch of windows leaves the cache and the encoder gets slower; the decoder gains severalfold.
            parts = [torch.stack(mels)] if device.type == "cuda" else [mel[None] for mel in mels]
            encoded = torch.cat([self._model.encoder(part.to(device)) for part in parts])
            expected = TOKENS_AT_LEAST + round(TOKENS_PER_SECOND * longest_s)
            if expected >= self._model.dims.n_text_ctx // 2:  # Whisper's own limit
                return self._whisper.decode(self._model, encoded, options)
            found = self._whisper.decode(self._model, encoded, replace(options, sample_len=expected))
            going_on = [place for place, result in enumerate(found) if len(result.tokens) >= expected]
            if going_on:
                again = self._whisper.decode(self._model, encoded[going_on], options)
                for place, result in zip(going_on, again, strict=True):
                    found[place] = result
            return found

    def _single(self, sounds: Iterable[np.ndarray], language: str) -> Iterator[tuple[int, str]]:
        """Yield (number, transcript), one padded window per clip."""
        queue: list[tuple[int, Tensor, float]] = []
        for index, sound in enumerate(sounds):
            if len(sound) > WINDOW_S * SCORER_SAMPLE_RATE:
                seconds = len(sound) / SCORER_SAMPLE_RATE
                raise ValueError(f"sound lasts {seconds:.1f} s, longer than the one window of {WINDOW_S} s")
            padded = self._whisper.pad_or_trim(np.ascontiguousarray(sound, dtype=np.float32))
            mel = self._whisper.log_mel_spectrogram(padded, self._model.dims.n_mels)
            queue.append((index, mel, len(sound) / SCORER_SAMPLE_RATE))
            if len(queue) == self._batch:
                yield from self._decoded_single(queue, language)
                queue = []
        if queue:
            yield from self._decoded_single(queue, language)

    def _decoded_single(self, queue: list[tuple[int, "Tensor", float]], language: str) -> Iterator[tuple[int, str]]:
        longest = max(seconds for _, _, seconds in queue)
        results = self._decode([mel for _, mel, _ in queue], language, timestamps=False, longest_s=longest)
        for (index, _, _), result in zip(queue, results, strict=True):
            yield index, result.text

    def _windows(self, sounds: Iterable[np.ndarray], language: str) -> Iterator[tuple[int, str]]:
        """Yield (number, transcript); a clip that is done makes room for the next one, so batches stay full."""
        waiting = enumerate(sounds)
        tokenizer = self._whisper.tokenizer.get_tokenizer(
            self._model.is_multilingual, num_languages=self._model.num_languages, language=language, task="transcribe"
        )
        active: list[_Clip] = []
        while True:
            while len(active) < self._batch and (following := next(waiting, None)) is not None:
                active.append(self._open(*following))
            if not active:
                return
            longest = max(map(self._window_size, active)) / FRAMES_PER_SECOND
            results = self._decode(
                [self._window(clip) for clip in active], language, timestamps=True, longest_s=longest
            )
            for clip, result in zip(active, results, strict=True):
                self._advance(clip, result, tokenizer)
            for clip in active:
                if clip.seek >= clip.frames:
                    yield clip.index, tokenizer.decode(clip.tokens).strip()
            active = [clip for clip in active if clip.seek < clip.frames]

    def _open(self, index: int, sound: np.ndarray) -> _Clip:
        """Compute a clip's spectrogram, one window of silence behind it."""
        audio = self._whisper.audio
        samples = np.ascontiguousarray(sound, dtype=np.float32)
        mel = audio.log_mel_spectrogram(samples, self._model.dims.n_mels, padding=audio.N_SAMPLES)
        return _Clip(index, mel, mel.shape[-1] - audio.N_FRAMES)

    def _window(self, clip: _Clip) -> "Tensor":
        """Return the window at the clip's place, (mels, 3000); zeros after the end of the sound."""
        size = self._window_size(clip)
        return self._whisper.pad_or_trim(clip.mel[:, clip.seek : clip.seek + size], self._whisper.audio.N_FRAMES)

    def _window_size(self, clip: _Clip) -> int:
        """Frames of sound in the window at the clip's place."""
        return min(self._whisper.audio.N_FRAMES, clip.frames - clip.seek)

    def _advance(self, clip: _Clip, result: Any, tokenizer: Any) -> None:
        """Keep the tokens of a window's finished segments and move to where the next window begins."""
        size = self._window_size(clip)
        if result.no_speech_prob > NO_SPEECH_PROBABILITY and not result.avg_logprob > LOW_LOG_PROBABILITY:
            clip.seek += size
            return
        segments, read = _segments(result.tokens, tokenizer.timestamp_begin)
        for segment in segments:
            if tokenizer.decode([token for token in segment if token < tokenizer.eot]).strip():
                clip.tokens += segment
        stride = self._whisper.audio.N_FRAMES // self._model.dims.n_audio_ctx
        clip.seek += size if read is None else read * stride


def _segments(tokens: list[int], first_timestamp: int) -> tuple[list[list[int]], int | None]:
    """Cut the tokens of a window at pairs of timestamps.

    Args:
        tokens: text tokens and timestamps; a timestamp is `first_timestamp` + its place in steps of 20 ms.
        first_timestamp: token of the timestamp 0.

    Returns:
        The segments that last longer than an instant, and the timestamp at which the last complete one ends (None: the
        window is read to its end).
    """
    stamped = [token >= first_timestamp for token in tokens]
    cuts = [place for place in range(1, len(tokens)) if stamped[place - 1] and stamped[place]]
    if not cuts:
        return [tokens], None
    closed = stamped[-1] and not stamped[-2]  # one timestamp at the end: nothing is spoken after it
    if closed:
        cuts.append(len(tokens))
    segments = [tokens[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    lasting = [segment for segment in segments if segment[0] != segment[-1]]
    return lasting, None if closed else tokens[cuts[-1] - 1] - first_timestamp
