"""What a dub gives back, and how it tells where it is."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from syncvoice.dubbing.script import Cue

Progress = Callable[[str, int, int], None]  # stage, done, total
log = logging.getLogger(__name__)


class Spoken(Protocol):
    """A cue as an engine speaks it.

    Attributes:
        cue: text and time.
        syllables_per_s: speech rate that the text needs.
    """

    cue: Cue
    syllables_per_s: float

    @property
    def says(self) -> bool:
        """Whether there is anything to say."""
        ...

    def guided_by(self) -> tuple[str, ...]:
        """What leads the speech; () for silence."""
        ...


@dataclass
class Dubbed:
    """What was made.

    Attributes:
        out: the MP4.
        model: which model spoke.
        seconds: length of the video.
        lines: what is said where, at which rate, guided by what.
        warnings: sentences, also logged.
        notes: sentences that an engine has to tell besides.
        timings: seconds of computing per stage.
        speech: of the whole video at 24 kHz.
        sounds: of the cues that are spoken, by name.
        references: recording of every speaker that has one.
        is_random: another seed is another reading.
    """

    out: Path
    model: str = ""
    seconds: float = 0.0
    lines: list[Spoken] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    speech: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32), repr=False)
    sounds: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    references: dict[str, Path] = field(default_factory=dict)
    is_random: bool = False

    def warn(self, sentences: Sequence[str]) -> None:
        """Keep and log warnings."""
        for sentence in sentences:
            log.warning("%s", sentence)
        self.warnings += sentences

    def advise(self, sentences: Sequence[str]) -> None:
        """Log sentences now, before the work, and keep them as notes."""
        for sentence in sentences:
            log.warning("%s", sentence)
        self.notes += sentences

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Keep the time that a block takes."""
        began = time.perf_counter()
        yield
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - began


class Counter:
    """Counts the steps of a stage."""

    def __init__(self, progress: Progress, stage: str) -> None:
        """Tell `progress` about `stage`."""
        self.progress, self.stage, self.done = progress, stage, 0

    def step(self, total: int) -> None:
        """Tell that one more of `total` steps is done."""
        self.done += 1
        self.progress(self.stage, self.done, total)
