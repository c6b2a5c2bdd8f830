"""One voice per speaker: which recordings are given, and who speaks with which."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.section import nearest

Voices = str | Path | Mapping[str, str | Path] | None


def voices_of(given: Voices) -> dict[str, Path]:
    """Return the recordings by speaker; "" is the voice of all others."""
    if given is None:
        return {}
    if isinstance(given, str | Path):
        return {"": Path(given)}
    return {name: Path(path) for name, path in given.items()}


def parse_voices(texts: Sequence[str], folder: Path = Path()) -> dict[str, Path]:
    """Return the recordings that `FILE` and `NAME=FILE` name, by speaker.

    A file that exists in `folder` under the whole text is no `NAME=FILE`.

    Raises:
        UserError: a speaker has two voices, or a name or file is empty.
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or (folder / text).exists() or "/" in name:
            name, path = "", text
        elif not name.strip():
            raise UserError(f"--voice {text}: the name before '=' is empty; write NAME=FILE, or FILE for all others")
        if not path.strip():
            raise UserError(f"--voice {text!r} names no file; write NAME=FILE, or FILE for all others")
        name = " ".join(name.split())
        if name.casefold() in {other.casefold() for other in found}:
            who = f"speaker {name}" if name else "everybody without a name"
            raise UserError(f"--voice is given twice for {who}; leave one out")
        found[name] = Path(path)
    return found


def assigned(cues: Sequence[Cue], voices: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Return which voice each speaker takes, and notes of those without a voice of their own.

    Args:
        cues: that are spoken.
        voices: names that there is a voice for; "" is that of all others.

    Raises:
        UserError: a speaker has no voice.
    """
    folded = {name.casefold(): name for name in voices}
    found, without = {}, []
    for speaker in dict.fromkeys(cue.speaker for cue in cues):
        name = folded.get(speaker.casefold())
        if name is None and "" not in folded:
            where = next(cue.where() for cue in cues if cue.speaker == speaker)
            who = f"speaker {speaker!r}" if speaker else "a text without a speaker"
            raise UserError(
                f"{where}: there is no voice for {who} ({nearest(speaker, sorted(voices))}); give one with --voice "
                "NAME=FILE, or a voice for all others with --voice FILE"
            )
        if name is None:
            without.append(speaker)
        found[speaker] = name or ""
    if not without:
        return found, []
    return found, [f"no voice of their own: {', '.join(without)}; the voice for all others speaks for them"]
