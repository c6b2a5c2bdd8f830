"""Errors as the page tells them: sentences that name its fields and the uploaded files, never a trace."""

import logging
from collections.abc import Iterable
from pathlib import Path

from syncvoice.errors import PASSING, ChangedFile, UserError

log = logging.getLogger(__name__)
# What messages of `dub` call the fields of the page, longest first.
FIELDS = {
    "--subtitles FILE.srt": "a subtitle file (under 2)",
    "--subtitles": "the subtitle file (under 2)",
    "--voice-blend": "stock voices (`syncvoice dub --voice-blend`)",
    "--voice-text": "“What the recording says” (under 3)",
    "--voice": "“Voice” (under 3)",
    "--text": "the text (under 2)",
    "--language": "“Language”",
    "--engine": "“Who speaks”",
    "--model": "`syncvoice dub --model`",
}


def sentence(error: BaseException, files: Iterable[Path] = ()) -> str:
    """Return what a person is told of an error; one that nobody foresaw goes to the terminal with its trace.

    Args:
        error: what was raised.
        files: uploaded files, of which a person knows the names only.
    """
    if isinstance(error, UserError | ChangedFile):
        return on_the_page(str(error), files)
    if isinstance(error, OSError) and error.errno in PASSING:
        return on_the_page(f"The system says: {error.strerror or error}. Mend that and press the button again.", files)
    log.error("the page met an error that it does not know", exc_info=error)
    return on_the_page(
        f"SyncVoice failed here, which is not your fault ({type(error).__name__}: {error}). The terminal where "
        "`syncvoice app` runs shows details for a report; another video or text may work.", files
    )  # fmt: skip


def on_the_page(message: str, files: Iterable[Path] = ()) -> str:
    """Return a message with the page's words for options, and names instead of paths of uploads."""
    names = [path.name for path in files]
    for path in files:
        message = message.replace(str(path), path.name)
    for option, field in FIELDS.items():
        message = message.replace(option, field)
    starts_with_name = any(message.startswith(name) for name in names)
    return message if starts_with_name else message[:1].upper() + message[1:]
