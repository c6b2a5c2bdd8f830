"""`syncvoice prepare`: decode, track and crop the clips of one shard; write its manifest and its excluded clips.

`--check` prepares nothing and says what a study, or a folder, lacks.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from syncvoice.audio import write_wav
from syncvoice.datasets.base import Selection, SourceClip, in_shard, read_dataset
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, read_json, sha256_of
from syncvoice.records.clips import Clip, Excluded, write_excluded, write_manifest
from syncvoice.video.decode import ClipProblem, decode_sound
from syncvoice.video.detect import FaceDetector
from syncvoice.video.pieces import cut_video, seconds_of
from syncvoice.video.prepare import PrepareSettings, mouth_and_audio, prepare_clip
from syncvoice.video.store import TrackWriter

__all__ = ["configure", "mouth_and_audio", "prepare_shard", "run"]
log = logging.getLogger(__name__)
STUDY_KEYS = ("dataset", "kind", "split", "shards", "path")  # the settings file names what it belongs to


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--corpus", type=Path, help="folder of the clips (for minidub: one shard)")
    parser.add_argument("--dataset", help="name of the dataset; with --check also a card (config/datasets/NAME.yaml)")
    parser.add_argument("--layout", help="minidub or folder; default: kind in the settings, else the dataset")
    parser.add_argument("--split")
    parser.add_argument(
        "--settings",
        type=Path,
        help="JSON file: the study's prepare section and the split's selection; with --check a study's YAML file",
    )
    parser.add_argument("--shard", type=int, default=0, help="number of this shard, with --shards")
    parser.add_argument(
        "--shards", type=int, help="split the folder's clips into this many shards by id (default: from the settings)"
    )
    parser.add_argument("--out", type=Path, help="folder for audio/, videos/ and tracks.h5")
    parser.add_argument("--manifest", type=Path, help="manifest to write (.cuts.jsonl.gz)")
    parser.add_argument("--excluded", type=Path, help="list of excluded clips to write (.csv)")
    parser.add_argument("--check", action="store_true", help="prepare nothing; say what is missing")
    parser.add_argument("--root", type=Path, help="with --check and --dataset: folder of that dataset")
    parser.add_argument("--write-lists", type=Path, help="with --check: folder for lists of the clips of each split")


def run(args: argparse.Namespace) -> None:
    """Prepare one shard, or check.

    Raises:
        UserError: an option is missing, or the check found something.
    """
    if args.check:
        check(args)
        return
    import cv2

    needed = ("corpus", "dataset", "split", "out", "manifest", "excluded")
    if missing := [f"--{name}" for name in needed if getattr(args, name) is None]:
        raise UserError(f"prepare needs {', '.join(missing)}; see 'syncvoice prepare --help'")

    cv2.setNumThreads(1)  # jobs run side by side
    values = read_json(args.settings) if args.settings else {}
    layout = args.layout or values.get("kind") or args.dataset
    shards = args.shards or (1 if layout == "minidub" else values.get("shards", 1))  # MiniDub comes as shards
    selection = Selection.of({name: value for name, value in values.items() if name in Selection.names()})
    limits = {name: value for name, value in values.items() if name not in (*STUDY_KEYS, *Selection.names())}
    sources = selection.pick(read_dataset(layout, args.corpus, args.split, args.dataset, selection.within))
    sources = [clip for clip in sources if in_shard(clip.id, args.shard, shards)]
    clips, excluded = prepare_shard(sources, args.corpus, args.out, PrepareSettings.of(limits))
    write_manifest(args.manifest, clips)
    write_excluded(args.excluded, excluded)
    log.info("%s: %d clips accepted, %d excluded", args.manifest, len(clips), len(excluded))


def check(args: argparse.Namespace) -> None:
    """Print what a study or a folder holds, and end with what it lacks.

    Raises:
        UserError: something is missing; one line each.
    """
    from syncvoice.datasets.card import cards_in, read_card, read_yaml
    from syncvoice.datasets.check import check_card, check_study, write_lists
    from syncvoice.study import load_study

    if args.settings is None:
        if args.dataset is None:
            raise UserError("prepare --check needs --settings STUDY.yaml, or --dataset CARD with --root FOLDER")
        file = read_card(args.dataset)
        roots = {name: args.root or Path(entry.path or "") for name, entry in file.datasets.items()}
        results = {name: check_card(file, name, root) for name, root in roots.items()}
        reports = [report for report, _ in results.values()]
        found = {name: splits for name, (_, splits) in results.items()}
    else:
        values = read_yaml(args.settings) | ({f"{args.dataset}_root": str(args.root)} if args.root else {})
        study = load_study(values, args.settings.parent, str(args.settings))
        report, found = check_study(study, cards_in(args.settings.parent / "datasets"))
        reports = [report]
    for line in (line for report in reports for line in report.counts):
        sys.stdout.write(f"{line}\n")
    for name, splits in found.items() if args.write_lists else ():
        for path in write_lists(args.write_lists, name, splits):
            sys.stdout.write(f"{path} written\n")
    problems = [problem for report in reports for problem in report.problems]
    if problems:
        raise UserError("\n".join([f"{len(problems)} things are missing or wrong:", *problems]))
    sys.stdout.write("nothing is missing\n")


def prepare_shard(
    sources: Sequence[SourceClip], corpus: Path, out: Path, settings: PrepareSettings
) -> tuple[list[Clip], list[Excluded]]:
    """Prepare clips and store audio/{clip}.wav and tracks.h5 in `out`; pieces of long videos go to videos/{clip}.mkv.

    Returns:
        accepted clips, and a row with reason and message for every other one.

    Raises:
        UserError: two clips have one id.
    """
    from tqdm import tqdm

    sources = sorted(sources, key=lambda clip: clip.id)
    for first, second in zip(sources, sources[1:], strict=False):
        if first.id == second.id:
            raise UserError(f"clip '{first.id}' occurs twice in {corpus} ({first.media}, {second.media}); rename one")
    names = {clip.id for clip in sources}
    detector = settings.make_detector() if any(clip.has_video for clip in sources) else None
    clips: list[Clip] = []
    excluded: list[Excluded] = []
    with atomic_path(out / "tracks.h5") as temporary:
        with TrackWriter(temporary) as writer:
            for source in tqdm(sources, desc="prepare", unit="clip", mininterval=5):
                for clip, problem in _parts(source, out / "videos", settings):
                    try:
                        if problem is not None:
                            raise problem
                        if clip.id in names and clip is not source:
                            raise UserError(
                                f"{source.media} is cut into '{clip.id}', which is another clip; rename one"
                            )
                        clips.append(_prepare_one(clip, out, writer, detector, settings))
                    except ClipProblem as found:
                        log.warning("%s excluded: %s", clip.id, found)
                        excluded.append(Excluded(clip.id, _shown(source.media, corpus), found.reason, found.message))
    _drop_stale(out / "audio", {clip.audio.name for clip in clips})
    _drop_stale(out / "videos", {clip.video.name for clip in clips if clip.video is not None})
    return clips, excluded


def _parts(
    source: SourceClip, videos: Path, settings: PrepareSettings
) -> Iterator[tuple[SourceClip, ClipProblem | None]]:
    """Yield a clip, or the pieces of a long one; with the problem that excludes it."""
    videos.mkdir(parents=True, exist_ok=True)
    longest = settings.cut_above_seconds
    try:
        if not _is_utf8(source.media):
            raise ClipProblem("broken_file", "the file's name is no UTF-8, which the manifest needs; rename the file")
        if longest is None or not source.has_video or seconds_of(source.media, settings.limits) <= longest:
            yield source, None
            return
        said = source.cues or source.words
        for name, media, piece in cut_video(source.media, said, videos, source.id, longest, settings.limits):
            words = piece.shifted(source.words)
            part = replace(source, id=name, media=media, text=piece.text, words=words, phones=(), cues=())
            yield part, piece.problem
    except ClipProblem as problem:
        yield source, problem


def _shown(media: Path, corpus: Path) -> str:
    """Return a path for people and UTF-8 tables: bytes of a name that are no UTF-8 are escaped."""
    return os.path.relpath(media, corpus).encode(errors="backslashreplace").decode()


def _prepare_one(
    source: SourceClip, out: Path, writer: TrackWriter, detector: FaceDetector | None, settings: PrepareSettings
) -> Clip:
    """Prepare and store one clip.

    Raises:
        ClipProblem: the clip cannot be used.
    """
    if not source.text.strip():
        raise ClipProblem("no_text", f"no text for {source.media.name}; add it to clips.csv or a .txt beside the video")
    track_path, track_sha256, chosen = None, "", ("", 1)
    if source.has_video and detector is not None:
        prepared = prepare_clip(source.media, detector, settings)
        writer.add(source.id, prepared.track, prepared.mouth, prepared.face)
        sound, n_frames = prepared.audio, prepared.n_frames
        chosen = prepared.track.rule if prepared.track.rule != "exclude" else "", prepared.track.n_faces
        track_path, track_sha256 = out / "tracks.h5", prepared.track_sha256()
    else:
        sound, n_frames = decode_sound(source.media, settings.min_frames, settings.limits)
    wav = out / "audio" / f"{source.id}.wav"
    write_wav(wav, sound, 24_000)
    return Clip(
        id=source.id,
        split=source.split,
        dataset=source.dataset,
        speaker=source.speaker,
        sex=source.sex,
        voice_seen=source.voice_seen,
        language=source.language,
        source=source.source,
        text=source.text,
        video=_relative(source.media) if source.has_video else None,
        audio=_relative(wav),
        n_frames=n_frames,
        phones=source.phones,
        words=source.words,
        translation_text=source.translation_text,
        track=None if track_path is None else _relative(track_path),
        audio_sha256=sha256_of(wav),
        track_sha256=track_sha256,
        reference=source.reference,
        face_rule=chosen[0],
        n_faces=chosen[1],
    )


def _is_utf8(path: Path) -> bool:
    """Tell whether a path can be written to a manifest."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _relative(path: Path) -> Path:
    """Return the path relative to the working directory when it lies below it, else unchanged."""
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path


def _drop_stale(folder: Path, names: set[str]) -> None:
    """Remove files of an earlier run that no clip of this one owns."""
    for path in sorted([*folder.glob("*.wav"), *folder.glob("*.mkv")]):
        if path.name not in names:
            path.unlink()
