"""The texts of a folder of speech: a table or a list that people write."""

from collections.abc import Iterator
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.metrics.folder_sounds import SOUNDS, VIDEOS
from syncvoice.text.language import language_code
from syncvoice.text_files import header_delimiter, read_list, read_table, read_text, same_name

TEXT_NAMES = ("text", "transcript", "sentence")
NAME_NAMES = ("utterance", "id", "clip", "name", "file")
META_FIELDS = (4, 5)  # of a meta.lst; the fifth is a recording of the text itself


def read_texts(path: Path) -> dict[str, dict[str, str]]:
    """Read the texts: a table with a header (utterance, text), or a list without one.

    Lists are lines `name|text`, or those of a meta.lst: `name|prompt text|prompt recording|text`, where the prompt is
    the reference. Optional columns: language, speaker, sex, reference (name of the recording). A name with a suffix of
    a sound or video file loses it.

    Raises:
        UserError: the file is missing, has no such columns, or names an utterance twice; see also `read_table`.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; expected a table with the columns utterance and text")
    texts: dict[str, dict[str, str]] = {}
    for where, values in _text_rows(path):
        wanted = [next(values[name] for name in choice if name in values) for choice in (NAME_NAMES, TEXT_NAMES)]
        name = _without_suffix(same_name(wanted[0]))
        if name in texts:
            raise UserError(f"{path} names {name} twice; keep one line for each utterance")
        fields = {key: values[key] for key in ("speaker", "sex", "reference") if values.get(key)}
        if language := language_code(values.get("language", ""), f"{where}, column language"):
            fields["language"] = language
        texts[name] = {**fields, "text": wanted[1]}
    return texts


def _text_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield place and values of every row of a table or list of texts.

    Raises:
        UserError: it is neither.
    """
    content = read_text(path, "table")
    if header_delimiter(content, (NAME_NAMES, TEXT_NAMES)) or "|" not in content.split("\n", 1)[0]:
        try:
            rows = read_table(path, (NAME_NAMES, TEXT_NAMES))
        except UserError as error:
            hint = "" if " row " in str(error) else "; expected utterance and text (or lines name|text)"
            raise UserError(f"{error}{hint}") from error
        yield from ((f"{path} row {row.number}", row.values) for row in rows)
        return
    for number, fields in enumerate(read_list(path, content), start=1):
        if len(fields) == 2:
            yield f"{path} row {number}", {"utterance": fields[0], "text": fields[1]}
        elif len(fields) in META_FIELDS:
            reference = _without_suffix(fields[2])
            yield f"{path} row {number}", {"utterance": fields[0], "text": fields[3], "reference": reference}
        else:
            raise UserError(
                f"{path} row {number} has {len(fields)} fields between bars; expected name|text, or the four of a "
                "meta.lst: name|prompt text|prompt recording|text"
            )


def _without_suffix(name: str) -> str:
    """Take the suffix of a media file off a name."""
    path = Path(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in SOUNDS | VIDEOS else name
