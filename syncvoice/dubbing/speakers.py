"""Who says what in subtitles: names before a colon, voice spans and styles; and what nobody says: sounds and songs."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from syncvoice.text.subtitles import Entry

# "ANN: ", "- Dr. Bob Smith: ", "小明："; a time, an address or a long clause before the colon is no name.
_TAG = re.compile(r"^(?:[-–—]\s*|>>+\s*)?([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2})\s?(?::\s+|：\s*)(?=\S)")
_BRACKETS = re.compile(r"\[[^\]]*\]|【[^】]*】")
_ROUND = re.compile(r"\(([^()]*)\)|（([^（）]*)）")
_SONG = re.compile(r"[♪♫♬][^♪♫♬]*[♪♫♬]?|^#\s.*#$")


@dataclass(frozen=True)
class Turn:
    """What one speaker says in one cue of a file.

    Attributes:
        place: of the cue in the file, from 1.
        part: of the cue, from 0.
        entry: the cue.
        speaker: "" if nobody is named.
        text: to be spoken; "" where the cue holds only sounds.
        sounds: what was left out.
    """

    place: int
    part: int
    entry: Entry
    speaker: str
    text: str
    sounds: tuple[str, ...]


def turns_of(entries: Sequence[Entry], voices: Collection[str] = ()) -> list[Turn]:
    """Return the turns of all cues, in order of the file.

    A word before a colon is a name where a voice of that name is there, or where it begins with a capital and recurs in
    the file; then it is not spoken.

    Args:
        entries: of the file.
        voices: names that a voice was given for.
    """
    known = {_folded(name): name for name in voices}
    tags = Counter(_folded(name) for entry in entries for _, line in entry.turns for name in _tags(line))
    capital = {_folded(name) for entry in entries for _, line in entry.turns for name in _tags(line) if _titled(name)}
    names = set(known) | {name for name, count in tags.items() if count > 1 and name in capital}
    found = []
    for place, entry in enumerate(entries, start=1):
        style = entry.style if _folded(entry.style) in known else ""
        for part, (speaker, text) in enumerate(_grouped(entry, names) or [("", "")]):
            speaker = speaker or style
            said, sounds = without_sounds(text)
            found.append(Turn(place, part, entry, known.get(_folded(speaker), speaker), said, tuple(sounds)))
    return found


def tag_of(text: str, names: Collection[str]) -> tuple[str, str]:
    """Return the name before a text's colon, if it is one of `names` (in any case), and the rest; else "" and all."""
    found = _TAG.match(text)
    if found is None or _folded(found[1]) not in {_folded(name) for name in names}:
        return "", text
    return found[1], text[found.end() :]


def without_sounds(text: str) -> tuple[str, list[str]]:
    """Return a text without sound cues and songs, and these.

    Left out are brackets, capitals in round brackets ("(LAUGHS)"), a text that is nothing but round brackets, and what
    stands between notes.
    """
    sounds: list[str] = []

    def leave_out(found: re.Match[str]) -> str:
        """Keep a sound apart."""
        sounds.append(found[0].strip())
        return " "

    said = _BRACKETS.sub(leave_out, _SONG.sub(leave_out, text))
    alone = not _spoken(_ROUND.sub(" ", said))
    said = _ROUND.sub(lambda found: leave_out(found) if alone or found[0].isupper() else found[0], said)
    said = " ".join(said.split())
    return (said if _spoken(said) else ""), sounds


def _spoken(text: str) -> bool:
    """Whether a text holds a letter or digit."""
    return any(letter.isalnum() for letter in text)


def _grouped(entry: Entry, names: Collection[str]) -> list[tuple[str, str]]:
    """Return (speaker, text) of a cue; lines without a name belong to the speaker before."""
    groups: list[tuple[str, str]] = []
    for given, line in entry.turns:
        tag, rest = tag_of(line, names)
        speaker = tag or given
        if groups and (not speaker or _folded(speaker) == _folded(groups[-1][0])):
            groups[-1] = (groups[-1][0], f"{groups[-1][1]} {rest}")
        else:
            groups.append((speaker, rest))
    return groups


def _tags(line: str) -> Iterator[str]:
    """Yield the word before a line's colon that may be a name."""
    if found := _TAG.match(line):
        yield found[1]


def _titled(name: str) -> bool:
    """Whether every word of a name begins with a capital, or with a letter that has none."""
    return all(not word[0].islower() for word in name.split())


def _folded(name: str) -> str:
    """Return a name in the form by which names are compared."""
    return " ".join(name.split()).casefold()
