"""What every scorer is given and gives back: the contract between those who score and the metric modules.

A scorer derives from `Scorer` and is built once per job by `from_sources`; its `score` is called once per utterance. It
either returns its values, or raises `NotApplicable` (this metric is not defined here, for instance a ground-truth
distance without ground truth) or `ScoreError` (it is, but this sound cannot be scored); both become rows with a message
(`scoring`), so that no utterance is ever missing from a table.

Example
-------
A single sound, scored from Python; whole folders: `folders`.

>>> from syncvoice.metrics.naturalness.dnsmos import DnsmosScorer
>>> scorer = DnsmosScorer.from_sources(Sources(Path("weights")))
>>> noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
>>> overall, signal, background = scorer.score(Utterance({"utterance": "a"}, "", noise))
>>> overall.metric, 1 <= overall.value <= 5
('dnsmos_ovrl.p835', True)
"""

import importlib
import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.audio import read_wav, resample
from syncvoice.clocks import SAMPLE_RATE, SCORER_SAMPLE_RATE
from syncvoice.errors import ChangedFile, UserError, raise_if_passing
from syncvoice.places import find_path, find_weights, weights_file

log = logging.getLogger(__name__)
PLAIN_SOUNDS = frozenset((".wav", ".flac", ".ogg", ".mp3"))  # libsndfile reads them; FFmpeg the rest
MIN_SECONDS = 0.2  # shorter sounds are rows with status failed: no metric means anything there (our choice)


class NotApplicable(Exception):
    """The metric is not defined for this utterance; the message says why."""


class ScoreError(Exception):
    """The metric is defined, but this utterance cannot be scored; the message says why."""


Problem = NotApplicable | ScoreError | UserError


def unforeseen(error: Exception) -> ScoreError:
    """Return an error that no scorer foresees as a row's message, and keep its trace in the log."""
    log.warning("an utterance cannot be scored", exc_info=error)
    return ScoreError(f"cannot be scored ({type(error).__name__}: {' '.join(str(error).split())[:200]})")


@dataclass(frozen=True)
class LooseClip:
    """A video, and the recording of a voice, outside any data set: what scorers ask of a manifest entry."""

    id: str
    video: Path | None = None
    audio: Path | None = None
    track: Path | None = None
    speaker: str = ""
    sex: str = ""
    split: str = "reference"


@dataclass
class Utterance:
    """One generated utterance with what is known about it.

    Attributes:
        row: its row of the task file (utterance, clip, text, language, speaker, sex, source, reference, ...).
        point: point of a sweep, empty otherwise.
        audio: generated speech, (samples,) float32 at 24 kHz.
        clip: manifest entry (`Clip` or `LooseClip`) of the video clip, None when the manifest does not hold it.
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
        seen: files of what a scorer saw of the clips before, for all rows alike (`lip_sync.seen`).
    """

    weights: Path
    clips: Mapping[str, Any] = field(default_factory=dict)
    references: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Path] = field(default_factory=dict)
    assets: Path = Path("resources/assets")
    remember: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seen: Sequence[Path] = ()

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


class Scorer(ABC):
    """The base of all scorers; a scorer says what is different from these defaults.

    Attributes:
        NAME: scorer and protocol as they stand in metric ids.
        VERSION: changes whenever a value could change.
        METRICS: names of the metrics that every row gets, `{name}.{NAME}` in full.
        BATCH: utterances that `score_many` is best given at once.
        weights_sha256: digest of the weights, empty where there are none.
    """

    NAME: str = ""
    VERSION: str = "1"
    METRICS: tuple[str, ...] = ()
    BATCH: int = 1
    weights_sha256: str = ""

    @classmethod
    @abstractmethod
    def from_sources(cls, sources: Sources) -> "Scorer":
        """Load weights and whatever is read once per job.

        Raises:
            UserError: weights or a package are missing or do not fit.
        """

    @abstractmethod
    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance.

        Raises:
            NotApplicable: the metric is not defined for it.
            ScoreError: it cannot be scored.
        """

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """Ids of the metrics that a task row gets; the same for every row unless a scorer says otherwise."""
        return [f"{name}.{self.NAME}" for name in self.METRICS]

    def check(self, row: Mapping[str, str]) -> None:  # noqa: B027 (a default, nothing to override)
        """Raise NotApplicable for rows that the scorer is not made for, whatever their speech; by default for none."""

    def why_absent(self, metric: str) -> str:
        """Return why a metric has no value for an utterance whose other metrics have one."""
        return "not defined for this utterance"

    def counts_if_failed(self, row: Mapping[str, str]) -> dict[str, int]:
        """Word counts of a row whose speech cannot be scored; empty for metrics that count no words.

        Raises:
            ScoreError: the script is empty.
        """
        return {}

    def score_many(self, utterances: Sequence[Utterance]) -> list[list[Score] | Problem]:
        """Score utterances; what is wrong with one stands in its place. By default one after the other."""
        return [self._score_or_problem(utterance) for utterance in utterances]

    def _score_or_problem(self, utterance: Utterance) -> list[Score] | Problem:
        try:
            return self.score(utterance)
        except (NotApplicable, ScoreError, UserError) as problem:
            return problem
        except ChangedFile:  # the whole job is not to be trusted
            raise
        except Exception as error:
            raise_if_passing(error)
            return unforeseen(error)


def load_scorer(name: str, sources: Sources) -> Scorer:
    """Import the module of one scorer, no other, and load its weights.

    Args:
        name: `module:Class` inside `syncvoice.metrics`, e.g. "melody.spectral:McdScorer".
        sources: what it is built from.

    Raises:
        UserError: there is no such scorer, or its weights are missing.
    """
    module, _, class_name = name.partition(":")
    try:
        found = vars(importlib.import_module(f"{__package__}.{module}"))[class_name]
    except (ModuleNotFoundError, KeyError) as error:
        raise UserError(
            f"there is no scorer {name!r}; expected module:Class of syncvoice/metrics, e.g. melody.spectral:McdScorer"
        ) from error
    scorer: Scorer = found.from_sources(sources)
    return scorer


def require_same_text(utterance: Utterance, clip: Any) -> Any:
    """Return the clip if it is ground truth for this utterance: same language and text.

    Raises:
        NotApplicable: it is not, or there is no clip.
    """
    if clip is None:
        raise NotApplicable("the clip is not in the manifest: no ground truth")
    if clip.language != utterance.row["language"] or clip.text.strip() != utterance.row["text"].strip():
        raise NotApplicable("the clip says something else (translation): no ground truth")
    return clip


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
    """Read a sound file, or the sound of a video, at 16 kHz, (samples,) float32.

    Raises:
        UserError: it cannot be read.
    """
    if Path(path).suffix.lower() in PLAIN_SOUNDS:
        return read_wav(path, SCORER_SAMPLE_RATE)[0]
    from syncvoice.video.decode import ClipProblem, read_sound

    try:
        return resample(read_sound(path, None), SAMPLE_RATE, SCORER_SAMPLE_RATE)
    except ClipProblem as problem:
        raise UserError(f"{path}: {problem.message}") from problem


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
