"""Binding of the espeak-ng library inside the `espeakng-loader` wheel: synthesis with events, and text to IPA.

espeak-ng keeps its state in globals, so a process has one `Espeak` (see `engine`). Every call sets voice and
parameters anew, and the noise generators are reseeded, so that a result never depends on earlier calls.
"""

import ctypes
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES

SAMPLE_RATE = 22_050  # Hz, of every formant voice of espeak-ng

_OUTPUT_SYNCHRONOUS = 2
_OPTIONS = 0x0001 | 0x0002 | 0x8000  # phoneme events, as IPA, do not exit the process on errors
_UTF8, _SSML = 0x01, 0x10
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_EVENT_WORD, _EVENT_PHONEME = 1, 7
_IPA = 0x02


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class PhonemeEvent:
    """Start of a phoneme: IPA text as espeak writes it ("" and "(en)"-like marks included), time in samples."""

    symbol: str
    sample: int


@dataclass(frozen=True)
class WordEvent:
    """Start of a word: position (1-based) and length in characters of the text passed in, time in samples."""

    position: int
    length: int
    sample: int


@dataclass(frozen=True)
class Synthesis:
    """Raw output of espeak: int16 (samples,) at 22,050 Hz, with phoneme and word events in time order."""

    audio: np.ndarray
    phonemes: tuple[PhonemeEvent, ...]
    words: tuple[WordEvent, ...]


class Espeak:
    """The espeak-ng engine of this process. Use `engine()`; two instances would share one global state."""

    def __init__(self) -> None:
        """Load and initialise the library.

        Raises:
            UserError: the wheel is missing or its data cannot be read.
        """
        try:
            import espeakng_loader
        except ImportError as error:
            raise UserError("the package espeakng-loader is not installed; install the locked requirements") from error
        self._path = str(espeakng_loader.get_library_path())
        self._data = str(espeakng_loader.get_data_path()).encode()
        self._audio: list[np.ndarray] = []
        self._phonemes: list[PhonemeEvent] = []
        self._words: list[WordEvent] = []
        self._callback = _Callback(self._collect)
        self._libc = ctypes.CDLL(None)
        self._library = self._load()

    def _restart(self) -> None:
        """Reload the library: only fresh globals make noise, flutter and echo independent of earlier calls."""
        self._library.espeak_Terminate()
        self._libc.dlclose(ctypes.c_void_p(self._library._handle))
        self._library = self._load()

    def _load(self) -> ctypes.CDLL:
        """Load and initialise the library."""
        library = ctypes.CDLL(self._path)
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        rate = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, self._data, _OPTIONS)
        if rate != SAMPLE_RATE:
            raise UserError(
                f"espeak-ng could not start: sample rate {rate}, expected {SAMPLE_RATE}; reinstall espeakng-loader"
            )
        library.espeak_SetSynthCallback(self._callback)
        return library

    def _collect(self, wav: "ctypes._Pointer", n_samples: int, events: "ctypes._Pointer") -> int:
        if wav and n_samples > 0:
            self._audio.append(np.ctypeslib.as_array(wav, shape=(n_samples,)).copy())
        index = 0
        while events[index].type != 0:
            event = events[index]
            if event.type == _EVENT_PHONEME:
                symbol = event.id.string.decode("utf-8", errors="ignore")
                self._phonemes.append(PhonemeEvent(symbol, event.sample))
            elif event.type == _EVENT_WORD:
                self._words.append(WordEvent(event.text_position, event.length, event.sample))
            index += 1
        return 0

    def _set_voice(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UserError(f"espeak-ng has no voice {voice!r}; see syncvoice.minidub.voices for the ones in use")

    def synthesise(
        self, text: str, voice: str, rate: int = 175, pitch: int = 50, pitch_range: int = 50, volume: int = 100
    ) -> Synthesis:
        """Speak SSML text (without a <speak> root; plain text must be free of &, <, >).

        Args:
            text: SSML body, e.g. 'place <break time="120ms"/> blue'.
            voice: espeak voice and variant, e.g. "en-us+f2" or "cmn+f3".
            rate: words per minute, 80-450.
            pitch: 0-99, 50 is the voice's own.
            pitch_range: 0-99, 50 is the voice's own.
            volume: 0-200, 100 is normal.
        """
        self._restart()
        self._set_voice(voice)
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        for parameter, value in ((_RATE, rate), (_VOLUME, volume), (_PITCH, pitch), (_RANGE, pitch_range)):
            self._library.espeak_SetParameter(parameter, int(value), 0)
        self._audio, self._phonemes, self._words = [], [], []
        data = text.encode("utf-8") + b"\0"
        status = self._library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _UTF8 | _SSML, None, None)
        if status != 0:
            raise UserError(f"espeak-ng failed with status {status} on the text {text!r}")
        audio = np.concatenate(self._audio) if self._audio else np.zeros(0, np.int16)
        return Synthesis(audio, tuple(self._phonemes), tuple(self._words))

    def phonemes_of(self, text: str, voice: str) -> str:
        """Return espeak's IPA of plain text; clauses are joined by one space."""
        return " ".join(phonemes for _, phonemes in self.clauses_of(text, voice) if phonemes)

    def clauses_of(self, text: str, voice: str, ipa: bool = True) -> list[tuple[str, str]]:
        """Return plain text as espeak cuts it: what it read for each clause, and the clause's phonemes ("" for none).

        Args:
            text: plain.
            voice: espeak voice.
            ipa: else phonemes by espeak's own names, which tell vowels apart that its IPA does not.
        """
        self._set_voice(voice)
        content = text.encode("utf-8")
        buffer = ctypes.create_string_buffer(content)
        start = ctypes.addressof(buffer)
        pointer, read, clauses = ctypes.c_void_p(start), 0, []
        while pointer.value:
            phonemes = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _IPA if ipa else 0)
            stop = pointer.value - start if pointer.value else len(content)
            source = content[read:stop].decode("utf-8", errors="ignore")
            clauses.append((source, phonemes.decode("utf-8").strip() if phonemes else ""))
            read = stop
        return clauses


@lru_cache(maxsize=1)
def engine() -> Espeak:
    """Return the engine of this process, started on first use."""
    return Espeak()


@lru_cache(maxsize=65_536)
def phonemize(text: str, language: str) -> str:
    """Return espeak's IPA for text of a language of `LANGUAGES`, every code point one symbol."""
    return engine().phonemes_of(text, LANGUAGES[language].espeak)


@lru_cache(maxsize=65_536)
def clauses(text: str, language: str, ipa: bool = True) -> tuple[tuple[str, str], ...]:
    """Return text of a language as espeak cuts it into clauses, see `Espeak.clauses_of`."""
    return tuple(engine().clauses_of(text, LANGUAGES[language].espeak, ipa))
