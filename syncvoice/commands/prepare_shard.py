"""`syncvoice prepare-shard`: decode, track and crop the clips of one shard; write its manifest and excluded clips."""

import argparse
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from syncvoice.audio import write_wav
from syncvoice.clocks import samples
from syncvoice.datasets.base import SourceClip, in_shard, read_dataset
from syncvoice.datasets.settings import PrepareJob
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of
from syncvoice.records.clips import Clip, Excluded, write_excluded, write_manifest
from syncvoice.section import read_settings
from syncvoice.video.decode import ClipProblem, decode_sound
from syncvoice.video.detect import FaceDetector
from syncvoice.video.pieces import cut_video, seconds_of
from syncvoice.video.prepare import PrepareSettings, mouth_and_audio, prepare_clip
from syncvoice.video.store import TrackWriter

__all__ = ["configure", "mouth_and_audio", "prepare_shard", "run"]
log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the clips (for minidub: one shard)")
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--layout", required=True, help="how the folder is laid out: minidub, grid, lrs3 or folder")
    parser.add_argument("--split", required=True)
    parser.add_argument("--settings", type=Path, help="JSON file: limits, and which clips belong to the split")
    parser.add_argument("--shard", type=int, default=0, help="number of this shard, with --shards")
    parser.add_argument("--shards", type=int, default=1, help="split the folder's clips into so many shards by id")
    parser.add_argument("--out", type=Path, required=True, help="folder for audio/, videos/ and tracks.h5")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest to write (.cuts.jsonl.gz)")
    parser.add_argument("--excluded", type=Path, required=True, help="list of excluded clips to write (.csv)")


def run(args: argparse.Namespace) -> None:
    """Prepare one shard.

    Raises:
        UserError: the settings, the folder or a table in it are wrong.
    """
    import cv2

    cv2.setNumThreads(1)  # jobs run side by side
    job = read_settings(args.settings, PrepareJob) if args.settings else PrepareJob()
    sources = read_dataset(args.layout, args.corpus, args.split, args.dataset, job.selection.within)
    sources = [clip for clip in job.selection.pick(sources) if in_shard(clip.id, args.shard, args.shards)]
    clips, excluded = prepare_shard(sources, args.corpus, args.out, job.limits)
    write_manifest(args.manifest, clips)
    write_excluded(args.excluded, excluded)
    log.info("%s: %d clips accepted, %d excluded", args.manifest, len(clips), len(excluded))


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
    for folder in ("audio", "videos"):  # declared outputs: they exist even if no clip can be used
        (out / folder).mkdir(parents=True, exist_ok=True)
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
    sounds = [path for clip in clips for path in (clip.audio, clip.translation_audio) if path is not None]
    _drop_stale(out / "audio", {path.name for path in sounds})
    _drop_stale(out / "videos", {clip.video.name for clip in clips if clip.video is not None})
    return clips, excluded


def _parts(
    source: SourceClip, videos: Path, settings: PrepareSettings
) -> Iterator[tuple[SourceClip, ClipProblem | None]]:
    """Yield a clip, or the pieces of a long one; with the problem that excludes it."""
    longest = settings.cut_above_seconds
    try:
        if not _is_utf8(source.media):
            raise ClipProblem("broken_file", "the file's name is no UTF-8, which the manifest needs; rename the file")
        seconds = seconds_of(source.media, settings.limits) if source.has_video and (longest or source.cues) else 0.0
        _check_cues(source, seconds)
        if longest is None or seconds <= longest:
            yield source, None
            return
        said = source.cues or source.words
        for name, media, piece in cut_video(source.media, said, videos, source.id, longest, settings.limits):
            words = piece.shifted(source.words)
            part = replace(source, id=name, media=media, text=piece.text, words=words, phones=(), cues=())
            yield part, piece.problem
    except ClipProblem as problem:
        yield source, problem


def _check_cues(source: SourceClip, seconds: float) -> None:
    """Refuse subtitles that go on after their video: their texts would become those of other seconds, or vanish.

    Raises:
        ClipProblem: length_mismatch.
    """
    later = [start for _, start, _ in source.cues if start >= seconds]
    if later and seconds:
        raise ClipProblem(
            "length_mismatch",
            f"{len(later)} of {len(source.cues)} subtitles start after the video's end ({seconds:.1f} s), the first at "
            f"{min(later):.1f} s; give the subtitles of this video",
        )


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
    if source.problem:
        raise ClipProblem("no_text", source.problem)
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
    translation = _prepare_translation(source, wav, n_frames, settings)
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
        translation_audio=None if translation is None else _relative(translation),
        track=None if track_path is None else _relative(track_path),
        audio_sha256=sha256_of(wav),
        track_sha256=track_sha256,
        reference=source.reference,
        face_rule=chosen[0],
        n_faces=chosen[1],
    )


def _prepare_translation(source: SourceClip, wav: Path, n_frames: int, settings: PrepareSettings) -> Path | None:
    """Store the recording of the translation beside that of the clip, cut or padded to its length; None without.

    Raises:
        ClipProblem: it cannot be decoded.
    """
    if source.translation_media is None:
        return None
    sound, _ = decode_sound(source.translation_media, settings.min_frames, settings.limits)
    path = wav.with_name(f"{source.id}.translation.wav")
    write_wav(path, np.pad(sound, (0, max(0, samples(n_frames) - len(sound))))[: samples(n_frames)], 24_000)
    return path


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
