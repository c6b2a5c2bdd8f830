"""`syncvoice score`: score generated speech with one metric; one row per utterance, point and metric."""

import argparse
import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.metrics import METRIC_FILES

log = logging.getLogger(__name__)

NEEDED = ("utterance", "clip", "text", "language", "speaker", "sex", "source", "reference", "reference_split")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--metric", help="scoring job; with --generated a list of jobs and of lse, wer, sim, mos (the best one here)"
    )
    parser.add_argument("--task", type=Path, help="task file with the utterances (tasks/*.csv)")
    parser.add_argument("--speech", type=Path, help="folder of WAVs: utterances.csv or {utterance}.wav")
    parser.add_argument(
        "--manifest", type=Path, nargs="+", default=[], help="manifest of the task's clips (.cuts.jsonl.gz)"
    )
    parser.add_argument(
        "--references",
        type=Path,
        nargs="+",
        default=[],
        help="manifest of the reference recordings; with --generated their folder, or one recording for all",
    )
    folders = parser.add_argument_group("folders of files, without a study")
    folders.add_argument("--generated", type=Path, help="folder of generated WAV or MP4 files to score")
    folders.add_argument("--videos", type=Path, help="folder of the videos, same names (default: the generated videos)")
    folders.add_argument("--texts", type=Path, help="table with the columns utterance and text, or lines name|text")
    folders.add_argument("--subset", action="store_true", help="do not expect texts that have no generated file")
    folders.add_argument("--curves", type=Path, help="folder for the lip-sync curve of every clip (CSV and SVG)")
    folders.add_argument(
        "--assets", type=Path, default=Path("resources/assets"), help="folder of weights made by others"
    )
    folders.add_argument(
        "--jpeg", action="store_true", help="SyncNet v2: re-encode crops as JPEG, as its own code does"
    )
    folders.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="SyncNet v2: type of its convolutions"
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the shipped weights")
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="weights that replace the shipped ones (syncnet, recogniser, speaker_encoder); may be given several times",
    )
    parser.add_argument(
        "--check-syncnet", action="store_true", help="check SyncNet on the clips of --manifest instead of scoring"
    )
    parser.add_argument("--out", type=Path, required=True, help="CSV file of scores (JSON file with --check-syncnet)")


def run(args: argparse.Namespace) -> None:
    """Score the speech of one experiment on one task, or any folder, or check SyncNet on ground truth.

    Raises:
        UserError: an argument is missing or an input cannot be read.
    """
    if args.generated is not None:
        from syncvoice.commands.score_folders import score_folders

        score_folders(args)
        return
    sources = sources_of(args)
    if args.check_syncnet:
        check_syncnet(sources, args.out)
        return
    missing = [f"--{name}" for name in ("metric", "task", "speech") if getattr(args, name) is None]
    if missing:
        raise UserError(f"syncvoice score needs {', '.join(missing)}, or a folder of speech with --generated")
    if args.metric not in METRIC_FILES:
        raise UserError(f"metric {args.metric} is unknown; choose one of {', '.join(sorted(METRIC_FILES))}")
    from syncvoice.metrics.folders import load_scorer
    from syncvoice.records.scores import write_scores

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
    from syncvoice.metrics.scorer import Sources
    from syncvoice.records.clips import clips_of

    clips = {clip.id: clip for path in args.manifest for clip in clips_of(path)}
    references = {clip.id: clip for path in args.references for clip in clips_of(path)}
    overrides = networks_of(args.network)
    options = {"jpeg": args.jpeg, "dtype": args.dtype}
    return Sources(args.weights, clips, {**clips, **references}, overrides, args.assets, options=options)


def networks_of(named: Sequence[str]) -> dict[str, Path]:
    """Read NAME=FILE options.

    Raises:
        UserError: one has no name, or its file does not exist.
    """
    networks = {}
    for option in named:
        name, _, file = option.partition("=")
        if not (name and file):
            raise UserError(f"--network {option}: expected NAME=FILE, for example syncnet=my/syncnet.safetensors")
        if not Path(file).is_file():
            raise UserError(f"--network {option}: {file} does not exist")
        networks[name] = Path(file)
    return networks


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
    from functools import partial

    from tqdm import tqdm

    from syncvoice.records.scores import Work, scored

    generated = {(row["utterance"], row.get("point", "")): row for row in speech}
    points = sorted({row.get("point", "") for row in speech} - {""}) or [""]  # no point: failed before the sweep began
    known = {row["utterance"] for row in tasks}
    for stranger in sorted({row["utterance"] for row in speech} - known):
        log.warning("utterance %s of %s is not in the task; it is not scored", stranger, folder)

    def work() -> Iterator[Work]:
        """One entry per point and utterance."""
        for row, point in tqdm([(row, point) for point in points for row in tasks], scorer.NAME, disable=None):
            sound = generated.get((row["utterance"], point), generated.get((row["utterance"], "")))
            yield Work(row, point, partial(_load, row, point, sound, folder, clips))

    yield from scored(scorer, work())


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
    from syncvoice.metrics.scorer import ScoreError, Utterance, check_audio

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


def check_syncnet(sources: Any, out: Path) -> None:
    """Check SyncNet on the ground truth of the manifest's clips and write the figures as JSON.

    Raises:
        UserError: fewer than two clips can be used.
    """
    from syncvoice.files import sha256_of
    from syncvoice.metrics.lip_sync.check import SyncClip, syncnet_check
    from syncvoice.metrics.lip_sync.syncnet_mini import mouth_frames
    from syncvoice.metrics.scorer import NotApplicable, ScoreError, read_16k
    from syncvoice.networks.syncnet import SyncNet

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
