"""Score a folder of generated speech on a task: every utterance at every point becomes rows, whatever happened."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.metrics.scorer import ScoreError, Scorer, Utterance, check_audio
from syncvoice.metrics.scoring import Work, scored
from syncvoice.records.speech import sound_of

log = logging.getLogger(__name__)

# Columns of a task that scorers ask for; other people's tasks need no more.
NEEDED = ("utterance", "clip", "text", "language", "speaker", "sex", "source", "reference", "reference_split")


def score_rows(
    scorer: Scorer,
    tasks: Sequence[Mapping[str, str]],
    speech: Sequence[Mapping[str, str]],
    folder: Path,
    clips: Mapping[str, Any],
    done: Mapping[tuple[str, str], Sequence[dict[str, str]]] | None = None,
) -> Iterator[dict[str, str]]:
    """Score every utterance of the task at every point of the speech folder.

    An utterance that was not generated, or cannot be scored, yields rows with status failed and a message.

    Args:
        scorer: what scores.
        tasks: rows of the task.
        speech: rows of the speech folder (`records.speech`).
        folder: where its sounds lie.
        clips: manifest entries by id.
        done: rows by utterance and point that an earlier job found; these are not scored again, and not yielded.
    """
    from tqdm import tqdm

    generated = {(row["utterance"], row["point"]): row for row in speech}
    points = sorted({row["point"] for row in speech} - {""}) or [""]  # no point: failed before the sweep began
    known = {row["utterance"] for row in tasks}
    for stranger in sorted({row["utterance"] for row in speech} - known):
        log.warning("utterance %s of %s is not in the task; it is not scored", stranger, folder)

    def work() -> Iterator[Work]:
        """One entry per point and utterance."""
        left = [(row, point) for point in points for row in tasks if (row["utterance"], point) not in (done or {})]
        for row, point in tqdm(left, scorer.NAME, disable=None):
            sound = generated.get((row["utterance"], point), generated.get((row["utterance"], "")))
            yield Work(row, point, partial(_load, row, point, sound, folder, clips))

    yield from scored(scorer, work())


def in_order(
    found: Mapping[tuple[str, str], Sequence[dict[str, str]]], tasks: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return rows, given by utterance and point, by point and then as the task lists its utterances."""
    places = {row["utterance"]: place for place, row in enumerate(tasks)}
    ordered = sorted(found, key=lambda key: (key[1], places[key[0]]))
    return [row for key in ordered for row in found[key]]


def _load(
    row: Mapping[str, str], point: str, generated: Mapping[str, str] | None, folder: Path, clips: Mapping[str, Any]
) -> Utterance:
    """Read the generated sound of an utterance.

    Raises:
        ScoreError: it was not generated, or the sound is unusable.
        UserError: the file cannot be read.
        ChangedFile: it is not the one that was generated.
    """
    if generated is None:
        raise ScoreError("utterances.csv of the speech folder has no row for it")
    if generated["status"] != "ok":
        raise ScoreError(f"speech was not generated: {generated['message'] or 'no message'}")
    path = folder / generated["wav"]
    if not generated["wav"] or not path.is_file():
        raise ScoreError(f"sound file {generated['wav'] or '(no name)'} does not exist")
    audio = sound_of(folder, generated, SAMPLE_RATE)
    check_audio(audio)
    return Utterance(row, point, audio, clips.get(row["clip"]))
