"""What the page asks, and what is usual."""

from dataclasses import dataclass
from pathlib import Path

from syncvoice.dubbing import Sound
from syncvoice.errors import UserError
from syncvoice.text.language import LANGUAGES

GUIDED = 2.0  # scale of what guides, as `syncvoice dub` takes it
MAX_SCALE = 5.0  # of the sliders (our choice: the studies' sweeps end below)
ENGINES = {
    "Automatic": "auto",
    "Natural speech timed by the lips (timed)": "timed",
    "Model of the default study (small)": "small",
    "Full-size model (zipvoice)": "zipvoice",
}
SAME, TRANSLATION = "What the lips say", "A translation"
KINDS = (SAME, TRANSLATION)
CONSENT = (
    "The people whose face and voice I use agree to it, and I will say that the speech is synthetic. The file says so "
    "in its metadata."
)


def language_choices() -> list[tuple[str, str]]:
    """Return (name, code) of the languages that can be spoken."""
    return [(language.name, code) for code, language in LANGUAGES.items()]


def usual_kind(language: str) -> str:
    """Return what a text in this language mostly is; English counts as what the lips say, as in `syncvoice dub`."""
    return SAME if language == "en" else TRANSLATION


def usual_scales(kind: str) -> tuple[float, float]:
    """Return the scales of face and lips: the paper's translation rows leave the lips out, they say another text."""
    return GUIDED, GUIDED if kind == SAME else 0.0


@dataclass(frozen=True)
class Form:
    """What a person filled in.

    Attributes:
        video, subtitles, voice: uploaded files; None where nothing was given.
        text: what is said, "" with subtitles.
        voice_text: what the recording says, or "".
        engine: of `ENGINES`' values.
        language: code of the text.
        kind: of KINDS.
        face, lip: guidance scales of a model.
        seed: another seed is another reading of a model.
        consent: whether the box is ticked.
    """

    video: Path | None
    text: str = ""
    subtitles: Path | None = None
    voice: Path | None = None
    voice_text: str = ""
    engine: str = "auto"
    language: str = "en"
    kind: str = SAME
    face: float = GUIDED
    lip: float = GUIDED
    seed: int = 1
    consent: bool = False

    def check(self) -> None:
        """Refuse a form that is not filled in; the consent comes first.

        Raises:
            UserError: says which field.
        """
        if not self.consent:
            raise UserError("Nothing runs without consent: tick the box above the button first.")
        if self.video is None:
            raise UserError("There is no video yet: choose one under 1.")
        if not self.text.strip() and self.subtitles is None:
            raise UserError("There is no text yet: write what is said, or choose a subtitle file, under 2.")
        if self.text.strip() and self.subtitles is not None:
            raise UserError("There are a text and a subtitle file under 2: remove one of them.")
        if self.voice is None:
            raise UserError("There is no voice yet: choose or record one under 3.")

    @property
    def sound(self) -> Sound:
        """How a model is sampled."""
        return Sound(seed=self.seed, scales={"face": self.face, "lip": self.lip})

    @property
    def follow(self) -> str:
        """What the words of the timed engine follow."""
        return "lips" if self.kind == SAME else "mouth"

    @property
    def files(self) -> list[Path]:
        """The files that were uploaded."""
        return [path for path in (self.video, self.subtitles, self.voice) if path is not None]
