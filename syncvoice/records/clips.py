"""Manifests: Lhotse CutSets on disk, plain `Clip` objects for everybody else.

Files have Lhotse's format, so that its samplers and tools read them. A manifest is JSON lines, and only this module
knows its fields. Neither reading nor writing imports Lhotse, which would take every job more than a second; a test
compares what is written with what Lhotse writes.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncvoice import clocks
from syncvoice.errors import UserError, raise_if_passing
from syncvoice.files import atomic_path

if TYPE_CHECKING:
    pass

Interval = tuple[str, float, float]  # symbol, start in seconds, end in seconds
EXCLUDED_COLUMNS = ("clip", "media", "reason", "message")
LHOTSE_GENDERS = {"female": "F", "male": "M", "f": "F", "m": "M"}


@dataclass(frozen=True)
class Clip:
    """One accepted recording.

    Attributes:
        id: name, unique in its dataset; the name of the clip's dataset in every shard.
        split, dataset, speaker, sex, language, source: what the dataset says ("" if unknown).
        voice_seen: "yes" if the voice occurs in training, else "no" ("" if unknown).
        text: what is said.
        video: original video file, relative to the working directory; None for audio only.
        audio: prepared mono 24 kHz WAV of exactly 960 * n_frames samples.
        n_frames: length in video frames at 25 fps.
        phones, words: (symbol, start_s, end_s), empty if unknown.
        translation_text: the text to dub in the other language, "" if there is none.
        translation_audio: prepared WAV of the same voice saying `translation_text`, as long as `audio`; None without.
        reference: id of the recording that shall give the voice, "" for any other one of the speaker.
        track: HDF5 track shard, None for audio only.
        audio_sha256, track_sha256: digests of the prepared sound and of the landmarks.
        face_rule: how the face was chosen (prepare setting `several_faces`), "" where a second face excludes a clip.
        n_faces: faces from which it was chosen.
    """

    id: str
    split: str
    dataset: str
    speaker: str
    sex: str
    voice_seen: str
    language: str
    source: str
    text: str
    video: Path | None
    audio: Path
    n_frames: int
    phones: tuple[Interval, ...] = ()
    words: tuple[Interval, ...] = ()
    translation_text: str = ""
    translation_audio: Path | None = None
    track: Path | None = None
    audio_sha256: str = ""
    track_sha256: str = ""
    reference: str = ""
    face_rule: str = ""
    n_faces: int = 1

    def digest(self, *fields: str) -> str:
        """Return a SHA-256 of the named fields: the identity of what a feature was computed from."""
        values = {name: str(getattr(self, name)) for name in ("id", "n_frames", *fields)}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Excluded:
    """One clip that was left out, and why."""

    clip: str
    media: str
    reason: str
    message: str


def write_manifest(path: Path | str, clips: Iterable[Clip]) -> None:
    """Write clips as a CutSet of Lhotse (.jsonl.gz), atomically, sorted by id, without time stamps.

    Raises:
        UserError: an id occurs twice.
    """
    lines = [json.dumps(_cut_of(clip), ensure_ascii=False) for clip in _sorted_unique(clips, path)]
    with atomic_path(path) as temporary, open(temporary, "wb") as raw:
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            packed.write("".join(line + "\n" for line in lines).encode())


def clips_of(path: Path | str) -> list[Clip]:
    """Read a manifest.

    Raises:
        UserError: the file is missing or no manifest of this project.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return [_clip_of(json.loads(line)) for line in file]
    except FileNotFoundError as error:
        raise UserError(f"manifest {path} does not exist; run the prepare step first") from error
    except (OSError, EOFError, ValueError, KeyError, IndexError) as error:
        raise_if_passing(error, path)
        raise UserError(
            f"{path} is no SyncVoice manifest ({type(error).__name__}: {error}); expected a Lhotse CutSet written by "
            "'syncvoice prepare', delete it and run that step again"
        ) from error


def merge_manifests(paths: Sequence[Path | str], out: Path | str) -> None:
    """Join manifests of shards into one, sorted by id."""
    write_manifest(out, [clip for path in paths for clip in clips_of(path)])


def write_excluded(path: Path | str, rows: Iterable[Excluded]) -> None:
    """Write excluded.csv, sorted by clip and media, atomically; no row leaves a file with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EXCLUDED_COLUMNS)
    ordered = sorted(rows, key=lambda row: (row.clip, row.media))
    writer.writerows((row.clip, row.media, row.reason, row.message) for row in ordered)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def read_excluded(path: Path | str) -> list[Excluded]:
    """Read excluded.csv.

    Raises:
        UserError: the file is missing or has other columns.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != EXCLUDED_COLUMNS:
                raise UserError(
                    f"{path} has columns {reader.fieldnames}, expected {list(EXCLUDED_COLUMNS)}; make it again"
                )
            return [Excluded(**row) for row in reader]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the prepare step first") from error


def _sorted_unique(clips: Iterable[Clip], path: Path | str) -> list[Clip]:
    """Return clips sorted by id.

    Raises:
        UserError: an id occurs twice.
    """
    ordered = sorted(clips, key=lambda clip: clip.id)
    for first, second in zip(ordered, ordered[1:], strict=False):
        if first.id == second.id:
            raise UserError(f"clip '{first.id}' occurs twice in {path}; ids must differ, rename one of the clips")
    return ordered


def _cut_of(clip: Clip) -> dict[str, Any]:
    """Return the clip as Lhotse's `MonoCut.to_dict()` would, key by key in its order."""
    duration = clocks.samples(clip.n_frames) / clocks.SAMPLE_RATE
    span = {"start": 0.0, "duration": duration, "channel": 0}
    alignment = {
        kind: [[symbol, start, round(end - start, 6), None] for symbol, start, end in items]
        for kind, items in (("phone", clip.phones), ("word", clip.words))
        if items
    }
    supervision = {
        "id": clip.id,
        "recording_id": clip.id,
        **span,
        "text": clip.text,
        "language": clip.language,
        "speaker": clip.speaker,
        "gender": LHOTSE_GENDERS.get(clip.sex.lower(), clip.sex),
        **({"alignment": alignment} if alignment else {}),
    }
    recording = {
        "id": clip.id,
        "sources": [{"type": "file", "channels": [0], "source": clip.audio.as_posix()}],
        "sampling_rate": clocks.SAMPLE_RATE,
        "num_samples": clocks.samples(clip.n_frames),
        "duration": duration,
        "channel_ids": [0],
    }
    custom = _custom_of(clip)
    return {
        "id": clip.id,
        **span,
        "supervisions": [supervision],
        "recording": recording,
        "custom": custom,
        "type": "MonoCut",
    }


def _custom_of(clip: Clip) -> dict[str, Any]:
    """Return the fields that Lhotse has no place for."""
    return {
        "dataset": clip.dataset,
        "split": clip.split,
        "video": None if clip.video is None else clip.video.as_posix(),
        "n_frames": clip.n_frames,
        "source": clip.source,
        "sex": clip.sex,
        "voice_seen": clip.voice_seen,
        "translation_text": clip.translation_text,
        "track": None if clip.track is None else clip.track.as_posix(),
        "audio_sha256": clip.audio_sha256,
        "track_sha256": clip.track_sha256,
        **({"translation_audio": clip.translation_audio.as_posix()} if clip.translation_audio else {}),
        **({"reference": clip.reference} if clip.reference else {}),
        **({"face_rule": clip.face_rule, "n_faces": clip.n_faces} if clip.face_rule else {}),
    }


def _clip_of(cut: dict[str, Any]) -> Clip:
    """Return the clip of one JSON line of a CutSet."""
    (supervision,) = cut["supervisions"]
    custom = cut["custom"]
    alignment = supervision.get("alignment") or {}
    return Clip(
        id=cut["id"],
        split=custom["split"],
        dataset=custom["dataset"],
        speaker=supervision.get("speaker") or "",
        sex=custom["sex"],
        voice_seen=custom["voice_seen"],
        language=supervision.get("language") or "",
        source=custom["source"],
        text=supervision.get("text") or "",
        video=None if custom["video"] is None else Path(custom["video"]),
        audio=Path(cut["recording"]["sources"][0]["source"]),
        n_frames=custom["n_frames"],
        phones=_intervals(alignment.get("phone", ())),
        words=_intervals(alignment.get("word", ())),
        translation_text=custom["translation_text"],
        translation_audio=Path(custom["translation_audio"]) if "translation_audio" in custom else None,
        track=None if custom["track"] is None else Path(custom["track"]),
        audio_sha256=custom["audio_sha256"],
        track_sha256=custom["track_sha256"],
        reference=custom.get("reference", ""),
        face_rule=custom.get("face_rule", ""),
        n_faces=custom.get("n_faces", 1),
    )


def _intervals(items: Iterable[Sequence[Any]]) -> tuple[Interval, ...]:
    """Return alignment items [symbol, start, duration, score] as (symbol, start, end)."""
    return tuple((str(item[0]), float(item[1]), round(item[1] + item[2], 6)) for item in items)
