"""Who speaks MiniDub: what an engine offers to the plan of the corpus, and the engines by name.

An engine is a module. `espeak` (formant synthesis) needs nothing but its package and is what tests use; `kokoro`
(natural voices) needs the network of the asset `kokoro_int8`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from syncvoice.errors import UserError
from syncvoice.minidub.phrases import TEST_MODULUS, Sentence
from syncvoice.minidub.speech import Speech

ENGINES = {"espeak": "syncvoice.minidub.espeak_engine", "kokoro": "syncvoice.minidub.natural_engine"}
ASSETS: dict[str, tuple[str, ...]] = {"espeak": (), "kokoro": ("kokoro_int8",)}  # that the engine needs
MIN_FRAMES = 35  # 1.4 s: shorter clips get a longer silence at their end
_REFERENCE_SHARE = 4  # one test sentence in four is kept for references, so that none is also dubbed


class AnyVoice(Protocol):
    """A voice of any engine."""

    @property
    def name(self) -> str:
        """Id used in file names."""

    @property
    def sex(self) -> str:
        """Return "female" or "male"."""


class AnyDelivery(Protocol):
    """How a sentence was spoken."""

    @property
    def intensity(self) -> str:
        """Return "soft", "normal" or "loud"."""


@dataclass(frozen=True)
class PlannedClip:
    """A clip before it is made.

    Attributes:
        clip: id.
        sentence: what is said.
        voice: who says it.
        translation: the same content in the language that the clip is dubbed into, None without one.
    """

    clip: str
    sentence: Sentence
    voice: Any
    translation: Sentence | None = None

    @property
    def translation_text(self) -> str:
        """Text of the translation, "" without one."""
        return self.translation.text if self.translation else ""


@dataclass(frozen=True)
class Wanted:
    """Sentences that a split asks for.

    Attributes:
        seed, split: of the corpus and the split's name, for the draw.
        sentences: "train", "validation" or "test".
        reference: whether they are kept for references (test and validation sentences are dubbed or referred to, never
            both).
        n: how many different ones.
    """

    seed: int
    split: str
    sentences: str
    reference: bool
    n: int

    def fits(self, sentence: Sentence) -> bool:
        """Whether a sentence of the right split may be taken."""
        return self.sentences == "train" or for_reference(sentence) == self.reference


class Engine(Protocol):
    """What the corpus needs of an engine.

    Attributes:
        REFERENCE_FRAMES: longest reference, in video frames.
        CARD: lines of the data card about the speech.
        VERSION: changes whenever the same plan would be spoken otherwise.
    """

    REFERENCE_FRAMES: int
    CARD: str
    VERSION: str

    def compute_in(self, arithmetic: str) -> None:
        """Let this process speak in an arithmetic: "int8" or "bf16"."""

    def voices(self, group: str, language: str) -> tuple[tuple[Any, ...], ...]:
        """Groups of voices for a language; clips alternate between groups."""

    def is_seen(self, voice: Any) -> bool:
        """Whether shipped weights have heard the voice."""

    def sentences(self, language: str, source: str, wanted: Wanted) -> list[Sentence]:
        """Different sentences of a language and source ("grid" or "phrases")."""

    def translations(self, wanted: Wanted, language: str, into: str) -> list[tuple[Sentence, Sentence]]:
        """Sentences of a language with their translations into another."""

    def speak(self, planned: PlannedClip, seed: int, max_frames: int | None) -> tuple[Speech, AnyDelivery]:
        """Speak a planned clip with its own random delivery."""

    def speak_translation(self, planned: PlannedClip, speech: Speech, seed: int) -> Speech | None:
        """Speak the translation in the time of the clip; None if the engine's voices speak one language each."""

    def columns(self, delivery: Any) -> Mapping[str, str]:
        """Columns of clips.csv about the delivery."""


def engine_of(name: str) -> Engine:
    """Return an engine by name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in ENGINES:
        raise UserError(f"corpus.engine is {name!r}; expected one of {', '.join(ENGINES)}")
    engine: Any = import_module(ENGINES[name])
    found: Engine = engine
    return found


def for_reference(sentence: Sentence) -> bool:
    """Tell whether a sentence outside training is kept for references: by its content, alike in both languages."""
    content = int(sentence.sentence_id.rsplit("-", 1)[1], 16)
    return content // TEST_MODULUS % _REFERENCE_SHARE == 0
