"""`syncvoice score`: score generated speech with one metric; one row per utterance, point and metric."""

import argparse
import csv
import importlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.files import atomic_path, write_json
from syncvoice.metrics import METRIC_FILES

log = logging.getLogger(__name__)

COUNTS = ("errors", "words", "substitutions", "deletions", "insertions")
COLUMNS = ("utterance", "point", "metric", "value", "scorer", "scorer_version", "weights_sha256", "status", "message")
NEEDED = ("utterance", "clip", "text", "language", "speaker", "sex", "source", "reference", "reference_split")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--metric", choices=sorted(METRIC_FILES), help="which scoring job")
    parser.add_argument("--task", type=Path, help="task file with the utterances (tasks/*.csv)")
    parser.add_argument("--speech", type=Path, help="folder of WAVs: utterances.csv or {utterance}.wav")
    parser.add_argument(
        "--manifest", type=Path, nargs="+", default=[], help="manifest of the task's clips (.cuts.jsonl.gz)"
    )
    parser.add_argument("--references", type=Path, nargs="+", default=[], help="manifest of the reference recordings")
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the shipped weights")
    parser.add_argument("--syncnet", type=Path, help="SyncNet weights that replace the shipped ones")
    parser.add_argument(
        "--check-syncnet", action="store_true", help="check SyncNet on the clips of --manifest instead of scoring"
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file of scores (JSON file with --check-syncnet)")


def run(args: argparse.Namespace) -> None:
    """Score the speech of one experiment on one task, or check SyncNet on ground truth.

    Raises:
        UserError: an argument is missing or an input cannot be read.
    """
    sources = sources_of(args)
    if args.check_syncnet:
        check_syncnet(sources, args.out)
        return
    missing = [f"--{name}" for name in ("metric", "task", "speech") if getattr(args, name) is None]
    if missing:
        raise UserError(f"syncvoice score needs {', '.join(missing)}")
    scorer = load_scorer(args.metric, sources)
    tasks = read_task(args.task)
    rows = list(score_rows(scorer, tasks, read_speech(args.speech), args.speech, sources.clips))
    write_scores(args.out, rows)
    failed = sum(row["status"] == "failed" for row in rows)
    log.info("%s: %d rows, %d failed", args.out, len(rows), failed)


def sources_of(args: argparse.Namespace) -> Any:
    """Gather manifests and weights.

    Raises:
        UserError: a manifest cannot be read.
    """
    from syncvoice.manifest import clips_of
    from syncvoice.metrics.scoring import Sources

    clips = {clip.id: clip for path in args.manifest for clip in clips_of(path)}
    references = {clip.id: clip for path in args.references for clip in clips_of(path)}
    overrides = {"syncnet": args.syncnet} if args.syncnet else {}
    return Sources(args.weights, clips, {**clips, **references}, overrides)


def load_scorer(metric_file: str, sources: Any) -> Any:
    """Import and load the scorer of a metric file."""
    module, name = METRIC_FILES[metric_file].scorer.split(":")
    return getattr(importlib.import_module(f"syncvoice.metrics.{module}"), name).from_sources(sources)


def read_task(path: Path) -> list[dict[str, str]]:
    """Read a task file.

    Raises:
        UserError: it is missing, or columns are.
    """
    return _read_csv(path, NEEDED, "write it with `syncvoice tasks`")


def read_speech(folder: Path) -> list[dict[str, str]]:
    """List the sounds of a speech folder: utterances.csv, or without one every {utterance}.wav (other models' speech).

    Raises:
        UserError: there is neither, or columns are missing.
    """
    table = folder / "utterances.csv"
    sounds = sorted(folder.glob("*.wav"))
    if not table.exists() and sounds:
        return [{"utterance": path.stem, "point": "", "wav": path.name, "status": "ok"} for path in sounds]
    return _read_csv(
        table, ("utterance", "wav"), "write it with `syncvoice generate`, or put {utterance}.wav files there"
    )


def _read_csv(path: Path, needed: Sequence[str], advice: str) -> list[dict[str, str]]:
    """Read a CSV file with a header."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path} lacks the columns {', '.join(missing)}; {advice}")
            return list(reader)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; {advice}") from error


def score_rows(
    scorer: Any,
    tasks: Sequence[Mapping[str, str]],
    speech: Sequence[Mapping[str, str]],
    folder: Path,
    clips: Mapping[str, Any],
) -> Iterator[dict[str, str]]:
    """Score every utterance of the task at every point of the speech folder.

    An utterance that was not generated, or cannot be scored, yields rows with status failed and a message.
    """
    from tqdm import tqdm

    generated = {(row["utterance"], row.get("point", "")): row for row in speech}
    points = sorted({row.get("point", "") for row in speech} - {""}) or [""]  # no point: failed before the sweep began
    known = {row["utterance"] for row in tasks}
    for stranger in sorted({row["utterance"] for row in speech} - known):
        log.warning("utterance %s of %s is not in the task; it is not scored", stranger, folder)
    work = [(row, point) for point in points for row in tasks]
    for row, point in tqdm(work, desc=scorer.NAME, unit="utterance", disable=None):
        sound = generated.get((row["utterance"], point), generated.get((row["utterance"], "")))
        yield from _score_one(scorer, row, point, sound, folder, clips)


def _score_one(
    scorer: Any,
    row: Mapping[str, str],
    point: str,
    generated: Mapping[str, str] | None,
    folder: Path,
    clips: Mapping[str, Any],
) -> Iterable[dict[str, str]]:
    """Rows of one utterance: one per metric of the file."""
    from syncvoice.metrics.scoring import NotApplicable, ScoreError

    base = {
        "utterance": row["utterance"],
        "point": point,
        "scorer": scorer.NAME,
        "scorer_version": scorer.VERSION,
        "weights_sha256": scorer.weights_sha256,
    }
    metrics = scorer.metrics_for(row)
    try:
        check = getattr(scorer, "check", None)
        if check is not None:  # whether a metric exists for a row does not depend on its speech
            check(row)
        scores = {score.metric: score for score in scorer.score(_load(row, point, generated, folder, clips))}
    except NotApplicable as reason:
        return [{**base, "metric": metric, "status": "not_applicable", "message": str(reason)} for metric in metrics]
    except (ScoreError, UserError) as error:
        counts = _failed_counts(scorer, row)
        return [{**base, "metric": metric, "status": "failed", "message": str(error), **counts} for metric in metrics]
    return [{**base, "metric": metric, **_result(scores.get(metric))} for metric in metrics]


def _load(
    row: Mapping[str, str], point: str, generated: Mapping[str, str] | None, folder: Path, clips: Mapping[str, Any]
) -> Any:
    """Read the generated sound of an utterance.

    Raises:
        ScoreError: it was not generated, or the sound is unusable.
        UserError: the file cannot be read.
    """
    from syncvoice.audio import read_wav
    from syncvoice.clocks import SAMPLE_RATE
    from syncvoice.metrics.scoring import ScoreError, Utterance, check_audio

    if generated is None:
        raise ScoreError("utterances.csv of the speech folder has no row for it")
    if generated.get("status", "ok") != "ok":
        raise ScoreError(f"speech was not generated: {generated.get('message') or 'no message'}")
    path = folder / generated["wav"]
    if not generated["wav"] or not path.is_file():
        raise ScoreError(f"sound file {generated['wav'] or '(no name)'} does not exist")
    audio, _ = read_wav(path, SAMPLE_RATE)
    check_audio(audio)
    return Utterance(row, point, audio, clips.get(row["clip"]))


def _failed_counts(scorer: Any, row: Mapping[str, str]) -> dict[str, str]:
    """Word counts of a failed utterance (all words deleted); nothing for metrics that count no words."""
    from syncvoice.metrics.scoring import ScoreError

    if not hasattr(scorer, "counts_if_failed"):
        return {}
    try:
        return {name: str(count) for name, count in scorer.counts_if_failed(row).items()}
    except ScoreError:  # an empty script has no words to miss
        return {}


def _result(score: Any) -> dict[str, str]:
    """Value, status and counts of a score; a value that is not finite is a failure, a missing one not applicable."""
    import math

    if score is None:
        return {"status": "not_applicable", "message": "not defined for this utterance"}
    if not math.isfinite(score.value):
        return {"status": "failed", "message": f"the scorer returned {score.value}"}
    counts = {name: str(count) for name, count in score.counts.items()}
    return {"value": f"{score.value:.6f}", "status": "ok", "message": "", **counts}


def write_scores(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write score rows as CSV, atomically; the count columns are there only for word metrics."""
    columns = COLUMNS + (COUNTS if any("words" in row for row in rows) else ())
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def check_syncnet(sources: Any, out: Path) -> None:
    """Check SyncNet on the ground truth of the manifest's clips and write the figures as JSON.

    Raises:
        UserError: fewer than two clips can be used.
    """
    from syncvoice.files import sha256_of
    from syncvoice.metrics.lip_sync import mouth_frames
    from syncvoice.metrics.scoring import NotApplicable, ScoreError, read_16k
    from syncvoice.metrics.sync_check import SyncClip, syncnet_check
    from syncvoice.model.syncnet import SyncNet

    path = sources.weight_file("syncnet")
    network = SyncNet.load(path)
    clips = []
    for clip in sources.clips.values():
        try:
            frames = mouth_frames(clip, network.config.image_size)
            clips.append(SyncClip(clip.id, frames, read_16k(clip.audio)))
        except (NotApplicable, ScoreError, UserError) as error:
            log.warning("%s is not part of the SyncNet check: %s", clip.id, error)
    check = syncnet_check(network, clips)
    write_json(out, {**check.as_dict(), "weights_sha256": sha256_of(path), "expected_clips": len(sources.clips)})
    log.info("%s: %s", out, "passed" if check.passed else "NOT passed")
