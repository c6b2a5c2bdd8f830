"""`syncvoice score-task`: score the speech of one row on one task with one scorer; a scoring job of the workflow.

It imports the module of the named scorer and no list of metrics, so another metric's code or caption reruns no job.
"""

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice.commands.named_weights import add_weight_options, networks_of

if TYPE_CHECKING:
    from syncvoice.metrics.scorer import Scorer

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--scorer", required=True, help="module:Class inside syncvoice/metrics, e.g. melody.spectral:McdScorer"
    )
    parser.add_argument("--task", type=Path, required=True, help="task file with the utterances (tasks/*.csv)")
    parser.add_argument("--speech", type=Path, required=True, help="folder of WAVs: utterances.csv or {utterance}.wav")
    parser.add_argument("--manifest", type=Path, nargs="+", default=[], help="manifest of the task's clips")
    parser.add_argument("--references", type=Path, nargs="+", default=[], help="manifest of the reference recordings")
    parser.add_argument("--seen", type=Path, nargs="*", default=[], help="lips of the clips (`syncvoice embed-lips`)")
    add_weight_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="CSV file of scores")


def run(args: argparse.Namespace) -> None:
    """Score and write the rows.

    Raises:
        UserError: there is no such scorer, weights are missing, or an input cannot be read.
    """
    score_task(args.scorer, args, {}, args.seen)


def score_task(
    scorer_name: str, args: argparse.Namespace, options: Mapping[str, Any], seen: Sequence[Path] = ()
) -> int:
    """Score a speech folder with one scorer; a killed job goes on after the utterances that it had scored.

    Args:
        scorer_name: `module:Class`.
        args: task, speech, manifest, references, weights, assets, network and out, as in `configure`.
        options: switches of single scorers, see `Sources`.
        seen: what the scorer saw of the clips before, see `Sources`.

    Returns:
        how many scores there are.

    Raises:
        UserError: as `run`.
    """
    from syncvoice.journal import Journal
    from syncvoice.metrics.scorer import Sources, load_scorer
    from syncvoice.metrics.speech_folder import NEEDED, in_order, score_rows
    from syncvoice.records.clips import clips_of
    from syncvoice.records.scores import write_scores
    from syncvoice.records.speech import read_speech
    from syncvoice.records.tasks import read_rows

    clips = {clip.id: clip for path in args.manifest for clip in clips_of(path)}
    references = {clip.id: clip for path in args.references for clip in clips_of(path)}
    overrides = networks_of(args.network)
    remember = 1 if seen else None  # what lies in files is read again rather than kept: a split's lips take a gigabyte
    sources = Sources(
        args.weights, clips, {**clips, **references}, overrides, args.assets, remember, options=options, seen=seen
    )
    scorer = load_scorer(scorer_name, sources)
    tasks = read_rows(args.task, NEEDED)
    speech = read_speech(args.speech)
    path = args.out.with_name(f".{args.out.name}.journal")
    with Journal(path, work_of_job(scorer_name, scorer, args, seen)) as journal:
        done = {(rows[0]["utterance"], rows[0]["point"]): rows for rows in journal.entries}
        fresh = score_rows(scorer, tasks, speech, args.speech, clips, done)
        for of_utterance, group in groupby(fresh, lambda row: (row["utterance"], row["point"])):
            done[of_utterance] = list(group)
            journal.add(done[of_utterance])
        rows = in_order(done, tasks)
        write_scores(args.out, rows)
        journal.finish()
    failed = sum(row["status"] == "failed" for row in rows)
    log.info("%s: %d rows, %d failed", args.out, len(rows), failed)
    return sum(row["status"] == "ok" for row in rows)


def work_of_job(name: str, scorer: "Scorer", args: argparse.Namespace, seen: Sequence[Path]) -> str:
    """Return the digest of all that decides the scores: inputs, the scorer with its weights, threads."""
    from syncvoice.journal import work_of

    inputs = [args.task, args.speech, *args.manifest, *args.references, *seen]
    return work_of(inputs, name, scorer.VERSION, scorer.weights_sha256, os.environ.get("OMP_NUM_THREADS"))
