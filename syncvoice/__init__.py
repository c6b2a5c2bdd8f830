"""SyncVoice: a reproducible study of video dubbing with text, voice and lips.

from syncvoice import dub, score
dub("clip.mp4", "what is said", voice="reference.wav", out="dubbed.mp4")
print(score("dubbed/", ["lse", "wer"], videos="videos/", texts="texts.csv"))
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "dub": "syncvoice.dubbing",
    "Dubber": "syncvoice.dubbing",
    "speak": "syncvoice.dubbing",
    "score": "syncvoice.commands.score_folders",
    "UserError": "syncvoice.errors",
}
__all__ = ["__version__", *_PLACES]  # noqa: PLE0604 (names from the table above)


def __getattr__(name: str) -> Any:
    """Import what people call when it is first asked for.

    By name, not by an import statement: importing this package must stay light, and the code digests of the workflow
    would otherwise count dubbing as a part of every job.
    """
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what people call, whether imported already or not."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
