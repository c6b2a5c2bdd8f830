"""What every scorer is given and gives back: the contract between `syncvoice score` and the metric modules.

A scorer is a class with the attributes `NAME` and `VERSION`, built once per job by `from_sources`, whose `score` is
called once per utterance. It either returns its values, or raises `NotApplicable` (this metric is not defined here, for
instance a ground-truth distance without ground truth) or `ScoreError` (it is, but this sound cannot be scored); both
become rows with a message, so that no utterance is ever missing from a table.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from syncvoice.audio import read_wav, resample
from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.places import find_path, find_weights, weights_file

MIN_SECONDS = 0.2  # shorter sounds are rows with status failed: no metric means anything there (our choice)


class NotApplicable(Exception):
    """The metric is not defined for this utterance; the message says why."""


class ScoreError(Exception):
    """The metric is defined, but this utterance cannot be scored; the message says why."""


@dataclass
class Utterance:
    """One generated utterance with what is known about it.

    Attributes:
        row: its row of the task file (utterance, clip, text, language, speaker, sex, source, reference, ...).
        point: point of a sweep, empty otherwise.
        audio: generated speech, (samples,) float32 at 24 kHz.
        clip: manifest entry of the video clip, None when the manifest does not hold it.
        note: what was done to the sound before it was scored; it becomes the message of the rows.
    """

    row: Mapping[str, str]
    point: str
    audio: np.ndarray
    clip: Any = None
    note: str = ""

    @property
    def id(self) -> str:
        """Name of the utterance."""
        return self.row["utterance"]

    @cached_property
    def audio_16k(self) -> np.ndarray:
        """The generated speech at 16 kHz, (samples,) float32."""
        return resample(self.audio, SAMPLE_RATE, SCORER_SAMPLE_RATE)


@dataclass(frozen=True)
class Score:
    """One value of one metric; `counts` holds errors, words, substitutions, deletions, insertions of a word metric."""

    metric: str
    value: float
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """Where scorers find what they need beside the generated speech.

    Attributes:
        weights: folder of the shipped weights.
        clips: manifest entries of the task's clips by id.
        references: manifest entries of reference recordings by id (those of the task's own split included).
        overrides: weight name -> file that replaces the shipped one (a SyncNet fine-tuned by a study).
        assets: folder of the weights made by others; `weights` and SYNCVOICE_ASSETS are searched after it (`places`).
        remember: how many clips or references a scorer keeps in memory, None = all (a task is scored at many points).
        options: switches of single scorers by name (`jpeg`, `dtype`).
    """

    weights: Path
    clips: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Path] = field(default_factory=dict)
    assets: Path = Path("resources/assets")
    remember: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def weight_file(self, name: str) -> Path:
        """Path of a weight file, shipped or overridden."""
        return self.overrides.get(name) or find_path(self.weights / f"{name}.safetensors")

    def find_asset(self, name: str) -> Path | None:
        """Path of an asset: a file of its name in `config/assets.yaml`, with any suffix, or None."""
        return self.overrides.get(name) or find_weights(name, (self.assets, self.weights))

    def asset_file(self, name: str, user: str = "this metric", what: str = "") -> Path:
        """Path of an asset; `user` (who needs it) and `what` (file and licence) are for the message.

        Raises:
            UserError: it is in none of the folders.
        """
        return self.overrides.get(name) or weights_file(name, (self.assets, self.weights), user, what)


class Scorer(Protocol):
    """A metric file's scorer."""

    NAME: str
    VERSION: str
    weights_sha256: str

    @classmethod
    def from_sources(cls, sources: Sources) -> "Scorer":
        """Load weights and whatever is read once per job."""
        ...

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """Ids of the metrics that this task row gets."""
        ...

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance; raises NotApplicable or ScoreError.

        A scorer may also offer `score_many(utterances)` with the attribute `BATCH`: a list of scores or of these
        errors, one entry per utterance.
        """
        ...


def check_audio(audio: np.ndarray) -> None:
    """Refuse sounds that no metric can score.

    Raises:
        ScoreError: not one channel, too short, or not finite.
    """
    if audio.ndim != 1:
        raise ScoreError(f"sound has shape {audio.shape}, expected one channel")
    if len(audio) < MIN_SECONDS * SAMPLE_RATE:
        raise ScoreError(f"sound lasts {len(audio) / SAMPLE_RATE:.3f} s, at least {MIN_SECONDS} s are needed")
    if not np.isfinite(audio).all():
        raise ScoreError(f"sound holds {int((~np.isfinite(audio)).sum())} samples that are not finite")


def is_silent(audio: np.ndarray, threshold_db: float = -70.0) -> bool:
    """Whether the loudest 20 ms of a sound (any rate from 16 to 24 kHz) stay below `threshold_db` re full scale."""
    blocks = len(audio) // 400
    if not blocks:
        return True
    power = np.square(audio[: blocks * 400].reshape(blocks, 400), dtype=np.float64).mean(1).max()
    return bool(10 * np.log10(power + 1e-20) < threshold_db)


def read_16k(path: Path | str) -> np.ndarray:
    """Read a sound file at 16 kHz, (samples,) float32."""
    return read_wav(path, SCORER_SAMPLE_RATE)[0]


def cached_by_id(compute: Callable[[str], Any], limit: int | None = None) -> Callable[[str], Any]:
    """Remember results by name; errors are remembered too, so that a broken clip costs its work once.

    `limit` is the number of names that are kept (the ones asked for last), None = all.
    """
    results: OrderedDict[str, Any] = OrderedDict()

    def lookup(name: str) -> Any:
        """Return the remembered result or compute it."""
        if name not in results:
            try:
                results[name] = compute(name)
            except (NotApplicable, ScoreError) as error:
                results[name] = error
            if limit is not None and len(results) > limit:
                results.popitem(last=False)
        results.move_to_end(name)
        if isinstance(results[name], (NotApplicable, ScoreError)):
            raise results[name]
        return results[name]

    return lookup
