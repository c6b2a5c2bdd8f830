"""SyncVoice: a reproducible study of video dubbing with text, voice and lips.

from syncvoice import dub
dub("clip.mp4", "what is said", voice="reference.wav", out="dubbed.mp4")
"""

import importlib
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `dub` or `speak` when it is first asked for.

    By name, not by an import statement: importing this package must stay light, and the code digests of the workflow
    would otherwise count dubbing as a part of every job.
    """
    if name in ("dub", "speak"):
        return getattr(importlib.import_module("syncvoice.dubbing"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
