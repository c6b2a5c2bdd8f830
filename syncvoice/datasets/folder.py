"""Read any folder of videos with texts: the bring-your-own-data layout.

A video is found anywhere below the folder. Its text comes from the first of these that exists: a row of `clips.csv` or
`clips.tsv` in the folder (columns `media` and `text`; optional `clip`, `speaker`, `sex`, `language`, `source`,
`translation_text`, `split`, `reference`), a `.txt` beside the video, a GRID `.align` beside it (which also gives word
times), an `.srt` beside it (whose times say where a long video may be cut). The speaker is the row's, else the name of
the folder that holds the video. `reference` is the clip whose voice a row wants, by its `clip` or `media`; sound files
(.wav, .flac) count when a row names them. A video without text is listed too and excluded later with a sentence.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from syncvoice.datasets.base import Interval, SourceClip, safe_id
from syncvoice.errors import UserError
from syncvoice.files import files_below
from syncvoice.text.language import language_code
from syncvoice.text.subtitles import read_entries
from syncvoice.text_files import NotText, Row, one_line, read_text, same_name
from syncvoice.text_files import read_table as read_rows

VIDEO_SUFFIXES = (".mp4", ".mpg", ".mpeg", ".mov", ".mkv", ".webm", ".avi", ".m4v")
SOUND_SUFFIXES = (".wav", ".flac")
GRID_TICKS_PER_SECOND = 25_000  # unit of .align files
GRID_SILENCES = ("sil", "sp")


def read(folder: Path, dataset: str, split: str, within: tuple[str, ...] = ()) -> Iterator[SourceClip]:
    """Yield the videos below `folder` in the order of their relative paths; hidden files are none of them.

    Raises:
        UserError: the table is wrong (file, row and column are named), or there is no video at all.
    """
    table = read_table(folder)
    media = [path.relative_to(folder) for part in within or (".",) for path in videos_below(folder / part)]
    listed = [Path(name) for name in table if not within or any(Path(name).is_relative_to(part) for part in within)]
    on_disk = {same_name(path.as_posix()): path for path in media}
    media = sorted({*media, *(on_disk.get(path.as_posix(), path) for path in listed)}, key=lambda path: path.as_posix())
    if not media:
        raise UserError(f"folder {folder} holds no video ({', '.join(VIDEO_SUFFIXES)}); put the clips there")
    ids = {same_name(name.as_posix()): _id_of(name, table.get(same_name(name.as_posix()), {})) for name in media}
    for name in media:
        row = table.get(same_name(name.as_posix()), {})
        if row.get("split") and row["split"] != split:
            continue
        said = _said(folder / name)
        reference = row.get("reference") or ""
        yield SourceClip(
            id=ids[same_name(name.as_posix())],
            split=split,
            dataset=dataset,
            media=folder / name,
            text=row.get("text") or said.text,
            speaker=row.get("speaker") or (name.parts[-2] if len(name.parts) > 1 else folder.name),
            language=row.get("language") or "en",
            sex=row.get("sex") or "",
            source=row.get("source") or dataset,
            translation_text=row.get("translation_text") or "",
            words=said.words,
            has_video=name.suffix.lower() not in SOUND_SUFFIXES,
            reference=ids.get(Path(reference).as_posix(), reference),
            cues=said.cues,
            problem="" if row.get("text") else said.problem,
        )


@dataclass(frozen=True)
class _Said:
    """What the files beside a video say: its text, the times of words or subtitles; or why they cannot be read."""

    text: str = ""
    words: tuple[Interval, ...] = ()
    cues: tuple[Interval, ...] = ()
    problem: str = ""


def _said(media: Path) -> _Said:
    """Read the files beside a video; one in an encoding that cannot be read is a problem of this clip only.

    Raises:
        UserError: a file is malformed.
    """
    try:
        words, cues = read_align(media.with_suffix(".align")), read_cues(media.with_suffix(".srt"))
        text = _text(media.with_suffix(".txt")) or " ".join(said for said, _, _ in words or cues)
        return _Said(text, words, cues)
    except NotText as error:
        return _Said(problem=str(error))


def videos_below(folder: Path) -> list[Path]:
    """Return the video files anywhere below a folder, unsorted, without hidden ones ("._x.mpg" of other systems)."""
    return [
        path for path in files_below(folder) if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    ]


def read_table(folder: Path) -> dict[str, dict[str, str]]:
    """Return the rows of clips.csv or clips.tsv by media path (in NFC); empty without such a file.

    Raises:
        UserError: the columns media or text are missing, a row has no media, has too many fields, leads out of the
            folder, repeats another's media or clip, or names a reference that no row has.
    """
    for name in ("clips.csv", "clips.tsv"):
        path = folder / name
        if not path.is_file():
            continue
        return _checked(path, read_rows(path, (("media",), ("text",))))
    return {}


def _checked(path: Path, rows: list[Row]) -> dict[str, dict[str, str]]:
    """Return rows by media path.

    Raises:
        UserError: see `read_table`; rows count from 2, below the header, as a spreadsheet shows them.
    """
    table: dict[str, dict[str, str]] = {}
    names: dict[str, int] = {}
    for number, row in ((row.number, row.values) for row in rows):
        where = f"{path} row {number}"
        if not row["media"]:
            raise UserError(f"{where}, column media is empty; expected a path relative to {path.parent}")
        media = Path(row["media"])
        if media.is_absolute() or ".." in media.parts:
            raise UserError(f"{where}, column media is {row['media']!r}; expected a path inside {path.parent}")
        clip = _id_of(media, row)
        if media.as_posix() in table or clip in names:
            raise UserError(f"{where} repeats {row['media']!r} (clip {clip!r}); every clip needs one row")
        row["language"] = language_code(row.get("language", ""), f"{where}, column language")
        table[media.as_posix()] = row
        names[clip] = number
    for number, row in ((row.number, row.values) for row in rows):
        reference = row.get("reference")
        if reference and reference not in names and Path(reference).as_posix() not in table:
            raise UserError(
                f"{path} row {number}, column reference is {reference!r}; no row has this clip or media, add one for it"
            )
    return table


def _id_of(media: Path, row: dict[str, str]) -> str:
    """Return the id of a clip: the row's, or its relative path."""
    return row.get("clip") or safe_id("__".join(media.with_suffix("").parts))


def _text(path: Path) -> str:
    """Return the text of a file in one line, "" if it does not exist.

    Raises:
        NotText: another encoding than UTF-8 and UTF-16.
    """
    return one_line(read_text(path)) if path.is_file() else ""


def read_cues(path: Path) -> tuple[Interval, ...]:
    """Return the texts and times (seconds) of an .srt file, () if it does not exist; empty texts are left out.

    Raises:
        UserError: it is no SubRip file in UTF-8.
    """
    if not path.is_file():
        return ()
    return tuple((cue.text, cue.start_s, cue.end_s) for cue in read_entries(path) if cue.text)


def read_align(path: Path) -> tuple[tuple[str, float, float], ...]:
    """Return the words and times of a GRID .align file without its silences, () if it does not exist.

    Raises:
        UserError: a line is not "start end word".
    """
    if not path.is_file():
        return ()
    words = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
            raise UserError(f"{path} line {number} is {line!r}; expected 'start end word' in ticks of 1/25,000 s")
        if parts[2] not in GRID_SILENCES:
            words.append((parts[2], int(parts[0]) / GRID_TICKS_PER_SECOND, int(parts[1]) / GRID_TICKS_PER_SECOND))
    return tuple(words)
