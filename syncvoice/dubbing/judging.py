"""What is a dub worth? Words that are heard, lip sync and likeness of the voice, each by a named scorer, in one line.

Scorers are those of `syncvoice score`; the best one whose weights are there is taken. The small SyncNet is labelled as
what it is. Nothing here changes a dub.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.metrics.registry import METRIC_FILES, validity_of
from syncvoice.places import find_path
from syncvoice.text_files import read_text

LISTENERS = {
    "whisper_large_v3": ("Whisper large-v3", "words.whisper_wer:WhisperLargeScorer"),
    "whisper_base": ("Whisper base", "words.whisper_wer:WhisperBaseScorer"),
}
SYNC = {
    "lse.syncnet_v2.tracked_mediapipe": "public SyncNet",
    "lse.syncnet_mini": "small SyncNet, which says little about new people",
}
MOST_MISSED = 0.2  # of the words; beyond it people lose the thread (our choice)
LEAST_ALIKE = 0.7  # cosine of GE2E (our choice: two recordings of one person mostly have more)
LEAST_SYNC = 3.0  # LSE-C of the public SyncNet (our choice: about half of what real recordings have)
LONGEST_S = 120.0  # of a video whose face is followed once more for the lip sync
# The committed run: its table, the models that it measured (by digest), and the rows of the table that they are.
RUN = "results/reference/mini"
ROWS = {"full": "M3", "no_visual": "M1"}
TIMED = "tts_lip_timed"
MEASURED = {
    "wer.whisper_base.by_ear": "Whisper base",
    "wer.pocketsphinx_grid": "PocketSphinx with a closed grammar",
    "wer.ctc_mini": "the small recogniser",
}


@dataclass(frozen=True)
class Judgement:
    """What scorers say of a dub; None where nothing could be said, and why stands in `missing`.

    Attributes:
        words, missed: of the texts, and how many were not heard as written.
        listener: who heard them.
        sync: LSE-C and LSE-D, and by whom.
        likeness: cosine of GE2E to the recordings.
        missing: half sentences.
    """

    words: int | None = None
    missed: int = 0
    listener: str = ""
    sync: tuple[float, float, str] | None = None
    likeness: float | None = None
    missing: tuple[str, ...] = ()

    def told(self, is_random: bool) -> str:
        """Return one line for people: what is known, and what to try where it is poor.

        is_random: whether the engine draws lots.
        """
        parts = []
        if self.words:
            heard = max(0, self.words - self.missed)
            parts.append(f"{heard} of {self.words} words heard as written ({self.listener})")
        if self.sync is not None:
            lse_c, lse_d, by = self.sync
            parts.append(f"lip sync LSE-C {lse_c:.1f}, LSE-D {lse_d:.1f} ({by})")
        if self.likeness is not None:
            parts.append(f"voice {self.likeness:.2f} alike (GE2E, 1 is the same)")
        tips = self.tips(is_random)
        advice = f" Try: {'; '.join(tips)}." if tips else ""
        return f"How good is it? {'; '.join([*parts, *self.missing])}.{advice}"

    def tips(self, is_random: bool) -> list[str]:
        """Return what to try where something is poor."""
        tips = []
        if self.words and self.missed > MOST_MISSED * self.words:
            tips.append("--engine timed, or more --takes" if is_random else "shorter texts, or --follow nothing")
        if self.likeness is not None and self.likeness < LEAST_ALIKE:
            tips.append(
                "a recording of 3 to 10 s without noise, with --voice-text"
                if is_random
                else "--engine zipvoice, which copies voices; stock voices come only near"
            )
        if self.sync is not None and self.sync[0] < LEAST_SYNC and "public" in self.sync[2]:
            tips.append("another --lip-scale" if is_random else "--follow lips if the lips say this text")
        return tips


def judge(result: Dubbed, video: Path, references: Mapping[str, Path], language: str) -> Judgement:
    """Score a dub; what cannot be scored is missing, never an error.

    Args:
        result: with the sound of every line.
        video: the source.
        references: recording of every speaker that has one.
        language: of the texts.
    """
    lines = [line for line in result.lines if line.says and line.cue.name in result.sounds]
    missing: list[str] = []
    words, missed, listener = _words(result, lines, language, missing)
    sync = _sync(result, video, missing)
    return Judgement(words, missed, listener, sync, _likeness(result, lines, references, missing), tuple(missing))


def _words(result: Dubbed, lines: list[Any], language: str, missing: list[str]) -> tuple[int | None, int, str]:
    """Return the number of words, how many were missed, and who listened."""
    from syncvoice.metrics.scorer import NotApplicable, ScoreError

    words = missed = 0
    try:
        name, scorer = listener_of()
        for line in lines:
            counts = counts_of(scorer, result.sounds[line.cue.name], line.cue.text, language)
            words, missed = words + counts["words"], missed + min(counts["errors"], counts["words"])
    except (UserError, NotApplicable, ScoreError) as error:
        missing.append("words not checked: " + str(error).split(";")[0].split(":")[0])
        return None, 0, ""
    return words, missed, name


def counts_of(scorer: Any, sound: np.ndarray, text: str, language: str) -> Mapping[str, int]:
    """Return the word counts of a sound (samples,) at 24 kHz against its text.

    Raises:
        NotApplicable, ScoreError: it cannot be counted.
    """
    from syncvoice.metrics.scorer import Utterance

    row = {"utterance": "dub", "text": text, "language": language}
    scores = scorer.score(Utterance(row, "", np.asarray(sound)))
    return next(score.counts for score in scores if score.metric.endswith(".corpus"))  # counts by the text's words


@lru_cache(maxsize=1)
def listener_of() -> tuple[str, Any]:
    """Return the best Whisper whose weights are there, and its name.

    Raises:
        UserError: there are none.
    """
    from syncvoice.metrics.scorer import Sources, load_scorer
    from syncvoice.places import SHIPPED, find_weights

    for asset, (name, scorer) in LISTENERS.items():
        if find_weights(asset) is not None:
            return name, load_scorer(scorer, Sources(SHIPPED))
    raise UserError("Whisper's weights are not there; 'syncvoice doctor' says where to put them")


def ear_of(language: str) -> Callable[[np.ndarray, str], float] | None:
    """Return what tells the share of words that are not heard in a sound at 24 kHz of a text; None without Whisper."""
    from syncvoice.metrics.scorer import NotApplicable, ScoreError

    try:
        _, scorer = listener_of()
    except UserError:
        return None

    def missed(sound: np.ndarray, text: str) -> float:
        """Share of words that are not heard; 0 where they cannot be counted, for all takes alike."""
        try:
            counts = counts_of(scorer, sound, text, language)
        except (NotApplicable, ScoreError):
            return 0.0
        return min(1.0, counts["errors"] / max(1, counts["words"]))

    return missed


def _sync(result: Dubbed, video: Path, missing: list[str]) -> tuple[float, float, str] | None:
    """Return LSE-C, LSE-D and by whom."""
    from syncvoice.metrics.scorer import LooseClip, NotApplicable, ScoreError, Sources, Utterance, load_scorer
    from syncvoice.places import SHIPPED, find_weights

    if result.seconds > LONGEST_S:
        missing.append(f"lip sync not checked: the video is longer than {LONGEST_S:g} s ('syncvoice score' does it)")
        return None
    file = next(file for file in SYNC if all(find_weights(asset) for asset in METRIC_FILES[file].assets))
    try:
        scorer = load_scorer(METRIC_FILES[file].scorer, Sources(SHIPPED, {"dub": LooseClip("dub", video)}))
        row = {"utterance": "dub", "clip": "dub", "text": "", "language": "en"}
        scores = scorer.score(Utterance(row, "", result.speech, LooseClip("dub", video)))
    except (UserError, NotApplicable, ScoreError) as error:
        missing.append(f"lip sync not checked: {error}")
        return None
    values = {score.metric.split(".")[0]: score.value for score in scores}
    return values["lse_c"], values["lse_d"], SYNC[file]


def _likeness(result: Dubbed, lines: list[Any], references: Mapping[str, Path], missing: list[str]) -> float | None:
    """Return the mean cosine of GE2E between the recordings and what their speakers say."""
    from syncvoice.audio import resample
    from syncvoice.dubbing.voice import read_reference
    from syncvoice.networks.ge2e import Ge2eNetwork, NoVoice

    found = []
    try:
        network = Ge2eNetwork.installed() if references else None
        for name, path in references.items():
            parts = [result.sounds[line.cue.name] for line in lines if line.cue.speaker == name]
            if network is not None and parts:
                one, other = (
                    network.embed(resample(np.asarray(sound), clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE))
                    for sound in (read_reference(path, cut=True), np.concatenate(parts))
                )
                found.append(float(one @ other))
    except (UserError, NoVoice) as error:
        missing.append(f"voice not compared: {error}")
        return None
    if not found:
        missing.append("voice not compared: there is no recording")
        return None
    return float(np.mean(found))


def worth(model: str) -> str:
    """Return a sentence about the measured word error of a model, by what people are told of it (`Dubber.name`)."""
    row, table = _measured_row(model), find_path(f"{RUN}/tables/en_en.csv")
    rows = csv.DictReader(io.StringIO(read_text(table))) if row and table.is_file() else ()
    found = {line["metric"]: line for line in rows if line["experiment"] == row and line["group"] == "all"}
    metric = next((metric for metric in MEASURED if metric in found and found[metric]["mean"]), None)
    if metric is None:
        return "What to expect: no committed table knows the word error of this model; the line at the end tells it"
    mean, low, high = (float(found[metric][name]) for name in ("mean", "ci_low", "ci_high"))
    says = (
        f"What to expect: {MEASURED[metric]} misses {mean:.0%} ({low:.0%} to {high:.0%}) of this engine's words in "
        f"{found[metric]['n_scored']} English clips of MiniDub ({RUN}), other people and texts may be worse"
    )
    return "; ".join([says, *(line.rstrip(".") for line in validity_of([metric]))])


def _measured_row(model: str) -> str:
    """Return the row of the committed table that a model is, "" for none."""
    if model.startswith("timed"):
        return TIMED
    for recipe, row in ROWS.items():
        path = find_path(f"{RUN}/models/{recipe}.json")
        if path.is_file() and read_json(path)["weights_sha256"][:12] in model:
            return row
    return ""
