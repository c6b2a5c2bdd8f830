"""Pools of synthetic utterances that the start weights learn from, in one HDF5 file each.

Only train sentences and never a study voice that must stay unseen: `build` refuses anything else.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of
from syncvoice.minidub import phrases, voices
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.speech import Phone, random_delivery, synthesise
from syncvoice.minidub.voices import Voice
from syncvoice.seeding import rng
from syncvoice.text import tokenizer
from syncvoice.text.phones import PHONE_CLASSES, phone_class
from syncvoice.text.tokenizer import EmiliaTokenizer

FORMAT = 1
DEFAULT_MIX = {"grid": 0.4, "phrases": 0.2, "zh": 0.4}
_KINDS = {"grid": ("en", "grid"), "phrases": ("en", "phrases"), "zh": ("zh", "phrases")}
_CHUNK = 500


@dataclass(frozen=True)
class Utterance:
    """One utterance of a pool.

    Attributes:
        audio: float32 (960 * n_frames,) at 24 kHz.
        tokens: Emilia ids, int32 (tokens,), without the appended pad.
        phones: contiguous over the whole clip.
        text, language, source, voice: as in Sentence and Voice.name.
        n_frames: length in video frames.
    """

    audio: np.ndarray
    tokens: np.ndarray
    phones: tuple[Phone, ...]
    text: str
    language: str
    source: str
    voice: str
    n_frames: int


def check_seen(sentences: Sequence[Sentence], pool_voices: Sequence[Voice]) -> None:
    """Refuse what no weight may hear.

    Raises:
        UserError: a test sentence or a voice outside PRETRAIN_VOICES.
    """
    for sentence in sentences:
        if phrases.split_of(sentence) != "train":
            raise UserError(f"{sentence.text!r} is a test sentence and must stay unseen; sample from split 'train'")
    allowed = {voice.name for voice in voices.PRETRAIN_VOICES}
    for voice in pool_voices:
        if voice.role == "study_unseen" or voice.name not in allowed:
            raise UserError(f"voice {voice.name!r} must stay unseen by every weight; use PRETRAIN_VOICES or fewer")


def plan(n: int, seed: int, pool_voices: Sequence[Voice], mix: dict[str, float]) -> list[tuple[Sentence, Voice]]:
    """Choose sentence and voice of every utterance; a bank smaller than asked for is used several times over."""
    names = sorted(mix)
    weights = np.array([mix[name] for name in names], float)
    unknown = set(names) - set(_KINDS)
    if unknown or not pool_voices or weights.sum() <= 0:
        raise UserError(
            f"cannot plan a pool of mix {mix} and {len(pool_voices)} voices; expected kinds {sorted(_KINDS)}"
        )
    draw = rng(seed, "pool")
    kinds = draw.choice(len(names), n, p=weights / weights.sum())
    chosen: list[Sentence | None] = [None] * n
    for index, name in enumerate(names):
        places = np.flatnonzero(kinds == index)
        size = len(phrases.sentences(*_KINDS[name], "train"))
        rounds = [
            phrases.sample_sentences(*_KINDS[name], "train", min(size, len(places) - start), seed + start)
            for start in range(0, len(places), size)
        ]
        for place, sentence in zip(places, (s for part in rounds for s in part), strict=True):
            chosen[place] = sentence
    who = draw.integers(0, len(pool_voices), n)
    return [(sentence, pool_voices[w]) for sentence, w in zip(chosen, who, strict=True) if sentence is not None]


def _make(task: tuple[int, int, list[tuple[Sentence, Voice]]]) -> dict[str, Any]:
    """Speak one chunk; returns arrays that `build` concatenates."""
    seed, first, items = task
    encoder = EmiliaTokenizer()
    audio, tokens, phones, lengths = [], [], [], []
    for index, (sentence, voice) in enumerate(items, start=first):
        speech = synthesise(sentence, voice, random_delivery(rng(seed, "delivery", index), sentence))
        ids = encoder.encode(sentence.text, sentence.language)
        audio.append(np.round(speech.audio * 32767.0).astype(np.int16))
        tokens.append(np.array(ids, np.int32))
        phones.append(np.array([(phone_class(p.symbol), p.start_s, p.end_s) for p in speech.phones], np.float64))
        lengths.append((len(audio[-1]), len(ids), len(speech.phones)))
    return {
        "audio": np.concatenate(audio),
        "tokens": np.concatenate(tokens),
        "phones": np.concatenate(phones),
        "lengths": np.array(lengths, np.int64),
    }


def build(
    path: Path | str,
    n: int,
    seed: int,
    pool_voices: Sequence[Voice] = voices.PRETRAIN_VOICES,
    mix: dict[str, float] | None = None,
    workers: int = 1,
) -> None:
    """Write a pool of `n` utterances; same arguments (whatever `workers`), same bytes.

    Args:
        path: the .h5 file to write, about 115 kB per utterance.
        n: number of utterances.
        seed: of sentences, voices and deliveries.
        pool_voices: voices drawn with equal probability.
        mix: shares of "grid" (English), "phrases" (English) and "zh"; default 0.4, 0.2, 0.4.
        workers: processes.

    Raises:
        UserError: a test sentence, a voice that must stay unseen, or an unknown kind.
    """
    items = plan(n, seed, pool_voices, mix or DEFAULT_MIX)
    check_seen([sentence for sentence, _ in items], [voice for _, voice in items])
    tasks = [(seed, first, items[first : first + _CHUNK]) for first in range(0, n, _CHUNK)]
    with atomic_path(path) as temporary:
        if workers == 1:
            write(temporary, items, map(_make, tasks), seed)
        else:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
                write(temporary, items, executor.map(_make, tasks), seed)


def write(path: Path, items: Sequence[tuple[Sentence, Any]], chunks: Iterable[dict[str, Any]], seed: int) -> None:
    """Write a pool file from chunks as `_make` returns them; `items` are sentence and voice of every utterance."""
    import h5py

    fields = {
        "audio": ((), np.int16),
        "tokens": ((), np.int32),
        "phone_class": ((), np.int16),
        "phone_time": ((2,), np.float32),
    }
    with h5py.File(path, "w", track_order=False, libver="latest") as file:
        data = {
            name: file.create_dataset(name, (0, *tail), kind, maxshape=(None, *tail), chunks=(1 << 16, *tail))
            for name, (tail, kind) in fields.items()
        }
        lengths = []
        for chunk in chunks:
            phones = chunk.pop("phones")
            chunk |= {"phone_class": phones[:, 0], "phone_time": phones[:, 1:]}
            lengths.append(chunk.pop("lengths"))
            for name, values in chunk.items():
                start = len(data[name])
                data[name].resize(start + len(values), axis=0)
                data[name][start:] = values
        totals = np.vstack([np.zeros((1, 3), np.int64), np.cumsum(np.concatenate(lengths), axis=0)])
        for column, name in enumerate(("audio", "token", "phone")):
            file[f"{name}_offset"] = totals[:, column]
        text = h5py.string_dtype()
        for name in ("text", "language", "source"):
            file.create_dataset(name, data=[getattr(sentence, name) for sentence, _ in items], dtype=text)
        file.create_dataset("voice", data=[voice.name for _, voice in items], dtype=text)
        file.create_dataset("phone_classes", data=list(PHONE_CLASSES), dtype=text)
        file.attrs.update(
            format=FORMAT,
            seed=seed,
            sample_rate=SAMPLE_RATE,
            phrases_version=phrases.VERSION,
            voices_version=voices.VERSION,
            tokenizer_version=tokenizer.VERSION,
        )


class SpeechPool:
    """Random access to a pool file; opens the file lazily, so that it can be sent to worker processes."""

    def __init__(self, path: Path | str) -> None:
        """Read tables (not the audio) of a pool.

        Raises:
            UserError: missing file, another format or other phone classes.
        """
        import h5py

        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"{path} does not exist; make it with syncvoice.pretraining.speech_data.build")
        with h5py.File(self.path, "r") as file:
            found = [name.decode() for name in file["phone_classes"][()]]
            if file.attrs["format"] != FORMAT or found != list(PHONE_CLASSES):
                raise UserError(f"{path} was made by another version (format or phone classes differ); build it again")
            self.text, self.language, self.source, self.voice = (
                [value.decode() for value in file[name][()]] for name in ("text", "language", "source", "voice")
            )
            self._tokens, self._phone_class, self._phone_time = (
                file[name][()] for name in ("tokens", "phone_class", "phone_time")
            )
            self._audio_offset, self._token_offset, self._phone_offset = (
                file[f"{name}_offset"][()] for name in ("audio", "token", "phone")
            )
        self._file: Any = None

    def __len__(self) -> int:
        """Return the number of utterances."""
        return len(self.text)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when pickled."""
        return {**self.__dict__, "_file": None}

    @property
    def n_samples(self) -> np.ndarray:
        """Number of samples of every utterance at 24 kHz, int64 (utterances,)."""
        return np.diff(self._audio_offset)

    def audio(self, index: int) -> np.ndarray:
        """Return float32 (samples,) at 24 kHz."""
        import h5py

        if self._file is None:
            self._file = h5py.File(self.path, "r")
        start, stop = self._audio_offset[index], self._audio_offset[index + 1]
        return self._file["audio"][start:stop].astype(np.float32) / 32767.0

    def tokens(self, index: int) -> np.ndarray:
        """Return Emilia ids int32 (tokens,)."""
        return self._tokens[self._token_offset[index] : self._token_offset[index + 1]]

    def phones(self, index: int) -> tuple[Phone, ...]:
        """Return the phones of an utterance."""
        part = slice(self._phone_offset[index], self._phone_offset[index + 1])
        rows = zip(self._phone_class[part].tolist(), self._phone_time[part].tolist(), strict=True)
        return tuple(Phone(PHONE_CLASSES[symbol], start, end) for symbol, (start, end) in rows)

    def provenance(self) -> dict[str, Any]:
        """Return what the provenance file says about the data of a run."""
        return {
            "voices": sorted(set(self.voice)),
            "unseen_voices": sorted(voice.name for voice in voices.UNSEEN_VOICES),
            "sentence_split": "train: crc32 of the English content modulo 10 is not 0; test sentences unseen",
            "phrases_version": phrases.VERSION,
            "voices_version": voices.VERSION,
            "pool": {
                "utterances": len(self),
                "hours": round(float(self.n_samples.sum()) / SAMPLE_RATE / 3600, 3),
                "sha256": sha256_of(self.path),
            },
        }

    def __getitem__(self, index: int) -> Utterance:
        """Return one utterance; negative indices count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        audio = self.audio(index)
        return Utterance(
            audio=audio,
            tokens=self.tokens(index),
            phones=self.phones(index),
            text=self.text[index],
            language=self.language[index],
            source=self.source[index],
            voice=self.voice[index],
            n_frames=len(audio) * 25 // SAMPLE_RATE,
        )
