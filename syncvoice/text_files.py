"""The one reader of tables and texts that people write: whole texts, or a sentence that names file and row.

Read are UTF-8 and UTF-16, with or without a mark; other encodings look alike in short texts, so they are refused with a
guess and never read as something they may not be. Tables are CSV with commas, semicolons, tabs or bars, as spreadsheets
and corpora write them. Texts are Unicode NFC, so that composed and decomposed letters are one.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from syncvoice.errors import UserError

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", "|": "bars"}
LITERAL_QUOTES = ("\t", "|")  # in lists with these a quote is usually a letter like any other
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EXCEL_DIALECT = re.compile(r"sep=(.)\s*\n")  # a first line by which spreadsheets name the delimiter


class NotText(UserError):
    """A file is no text that can be read safely."""


@dataclass(frozen=True)
class Row:
    """A row of a table: its number as a spreadsheet counts (the header is 1) and its values by column."""

    number: int
    values: dict[str, str]


def read_text(path: Path, kind: str = "text") -> str:
    """Return a file's text in NFC, its lines ended by "\\n".

    Args:
        path: the file.
        kind: what it is, for messages.

    Raises:
        NotText: it is neither UTF-8 nor UTF-16.
        UserError: it cannot be opened.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{kind} {path} cannot be read ({error.strerror}); check the path") from error
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None) or _unmarked(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotText(_refusal(path, kind, data, error)) from error
    if "\0" in text:
        raise NotText(f"{path} is no {kind}: it holds zero bytes; give a text file in UTF-8")
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def _unmarked(data: bytes) -> str:
    """Return the encoding of a text without mark: UTF-16 shows by a zero in every second byte of its Latin letters."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if max(even, odd) * 5 > len(data) and len(data) % 2 == 0:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _refusal(path: Path, kind: str, data: bytes, error: UnicodeDecodeError) -> str:
    """Return the sentence for bytes that are no text here."""
    from charset_normalizer import from_bytes

    line = data[: error.start].count(b"\n") + 1
    guess = from_bytes(data).best()
    name = guess.encoding if guess is not None else ""
    how = f"; it may be {name}: 'iconv -f {name} -t utf-8 {path.name}' converts it" if name else "; convert it"
    return (
        f"{path} is no {kind} in UTF-8 or UTF-16 (line {line}, byte {error.start} is 0x{data[error.start]:02x}){how}, "
        "or save it as UTF-8"
    )


def one_line(text: str) -> str:
    """Return a text with every run of white space (line separators of all kinds too) as one space."""
    return " ".join(text.split())


def same_name(name: str) -> str:
    """Return a file name in the form by which names are compared: composed letters (NFC)."""
    return unicodedata.normalize("NFC", name)


def read_table(path: Path, wanted: Sequence[Sequence[str]], kind: str = "table") -> list[Row]:
    """Read a table with a header; its delimiter is the one with which the header has the wanted columns.

    Column names are taken in small letters, texts in one line; empty rows are left out, missing last fields are "".

    Args:
        path: the file.
        wanted: for every column that must be there the names it may have.
        kind: what it is, for messages.

    Raises:
        UserError: no such columns, a quote that never closes, or more fields than the header has; the row is named.
    """
    text = read_text(path, kind)
    named = _EXCEL_DIALECT.match(text)
    text = text[named.end() :] if named else text
    delimiter = header_delimiter(text, wanted)
    if delimiter is None:
        names = _header(text, _likeliest(text))
        must = " and ".join(repr(choice[0]) for choice in wanted)
        raise UserError(f"{path} has columns {names}; at least {must} are needed in its first line")
    records = _checked_records(path, text, delimiter)
    columns = _header(text, delimiter)
    rows = []
    for number, fields in enumerate(records[1:], start=2):
        if not any(field.strip() for field in fields):
            continue
        if len(fields) > len(columns):
            raise UserError(
                f"{path} row {number} has more fields than the header ({len(fields)} for {len(columns)}); put texts "
                f"that hold {DELIMITERS.get(delimiter, delimiter)} into quotes"
            )
        fields = [*fields, *[""] * len(columns)]
        values = {name: one_line(field) for name, field in zip(columns, fields, strict=False) if name}
        rows.append(Row(number, values))
    return rows


def header_delimiter(text: str, wanted: Sequence[Sequence[str]]) -> str | None:
    """Return the delimiter with which a text's first line has the wanted columns, None if there is none."""
    for delimiter in DELIMITERS:
        names = set(_header(text, delimiter))
        if all(names & set(choice) for choice in wanted):
            return delimiter
    return None


def read_list(path: Path, text: str, delimiter: str = "|") -> list[list[str]]:
    """Return the fields of lines without a header and without quoting, all with equally many.

    Raises:
        UserError: a line has another number of fields than the first.
    """
    lines = [(number, line.split(delimiter)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, fields in lines:
        if len(fields) != len(lines[0][1]):
            raise UserError(
                f"{path} row {number} has {len(fields)} fields between {DELIMITERS[delimiter]}, row {lines[0][0]} has "
                f"{len(lines[0][1])}; all rows need the same"
            )
    return [[one_line(field) for field in fields] for _, fields in lines]


def _header(text: str, delimiter: str) -> list[str]:
    """Return the names of the columns, in small letters."""
    first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    return [one_line(name).lower() for name in first]


def _likeliest(text: str) -> str:
    """Return the delimiter that occurs most in the first line."""
    first = text.split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)


def _checked_records(path: Path, text: str, delimiter: str) -> list[list[str]]:
    """Return the records of a table, the header first.

    Raises:
        UserError: a quote is not closed where its field ends; the row is named.
    """
    records, broken = _quoted(text, delimiter)
    if not broken:
        return records
    if delimiter in LITERAL_QUOTES:
        literal = [line.split(delimiter) for line in text.rstrip("\n").split("\n")]
        if all(len(fields) <= len(literal[0]) for fields in literal):
            return literal
    raise UserError(
        f"{path} row {broken}: a quote opens a text and does not close it before the row ends; close it, or write the "
        'quote twice inside quotes ("" for ")'
    )


def _quoted(text: str, delimiter: str) -> tuple[list[list[str]], int]:
    """Return the records by the rules of CSV, and the number of the first row whose quotes break them (0: none)."""
    records: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            # A cell may hold lines, but a line that looks like a row was swallowed by a quote that never closed.
            inner = (line for field in fields if "\n" in field for line in field.split("\n")[1:])
            if records and any(line.count(delimiter) >= len(records[0]) - 1 > 0 for line in inner):
                return records, len(records) + 1
            records.append(fields)
    except csv.Error:
        return records, len(records) + 1
    return records, 0
