"""A folder that keeps every spoken cue, so that a dub resumes, and one cue can be spoken again without the others."""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.audio import read_wav
from syncvoice.dubbing.script import Cue
from syncvoice.errors import ChangedFile, UserError
from syncvoice.files import atomic_path, make_folder, read_json, sha256_of, write_json

LIST = "session.json"


@dataclass
class Session:
    """Spoken cues on disk: a sound file each, and a list that says what they were made from.

    Attributes:
        folder: where they lie.
        given: digest of what all cues depend on: engine, voices, video.
        cues: by name what is kept: key, seed, takes, sound, sha256.
    """

    folder: Path
    given: str
    cues: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any], files: Mapping[str, Path]) -> "Session":
        """Open a session, or begin one.

        Args:
            folder: is made.
            settings: that all sounds depend on.
            files: likewise, by what they are (the video, the voices).

        Raises:
            UserError: the folder cannot be made, or holds a list that is none.
        """
        if folder.exists() and not folder.is_dir():
            raise UserError(f"the session {folder} is a file; give the name of a folder")
        make_folder(folder)
        given = {"settings": settings, "files": {name: sha256_of(path) for name, path in sorted(files.items())}}
        session = cls(folder, _digest(given))
        if (folder / LIST).is_file():
            try:
                session.cues = dict(read_json(folder / LIST)["cues"])
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(f"{folder / LIST} is no list of a session; remove it to begin anew") from error
        return session

    def find(self, cue: Cue, seed: int, takes: int, wanted: str) -> np.ndarray | None:
        """Return the sound of a cue, (samples,) float32 at 24 kHz; None if it must be spoken.

        Args:
            cue: as it is planned now.
            seed, takes: that it would be spoken with.
            wanted: "named" (this cue shall be spoken: only the same seed will do), "all" (so will what was spoken again
                by name) or "other" (other cues are named: any seed will do).
        """
        kept = self.cues.get(cue.name)
        if kept is None or kept["key"] != self._key(cue):
            return None
        loose = wanted == "other" or (wanted == "all" and kept["again"])
        if not loose and (kept["seed"], kept["takes"]) != (seed, takes):
            return None
        try:
            sound, _ = read_wav(self.folder / kept["sound"], sha256=kept["sha256"])
        except (UserError, ChangedFile):
            return None
        return sound if len(sound) == clocks.samples(cue.n_frames) else None

    def keep(self, cue: Cue, sound: np.ndarray, seed: int, takes: int, again: bool) -> None:
        """Keep the sound of a cue, and that it was spoken `again` by name."""
        import soundfile

        content = io.BytesIO()
        soundfile.write(content, sound.astype(np.float32), clocks.SAMPLE_RATE, format="WAV", subtype="FLOAT")
        name = f"{re.sub(r'[^a-z0-9]+', '_', cue.name.lower()).strip('_')}.wav"
        with atomic_path(self.folder / name) as temporary:
            temporary.write_bytes(content.getvalue())
        digest = hashlib.sha256(content.getvalue()).hexdigest()
        self.cues[cue.name] = {
            "key": self._key(cue), "seed": seed, "takes": takes, "again": again, "sound": name, "sha256": digest,
            "text": cue.text,
        }  # fmt: skip
        write_json(self.folder / LIST, {"cues": self.cues})

    def _key(self, cue: Cue) -> str:
        """Digest of what the sound of a cue depends on, its seed apart."""
        return _digest([self.given, cue.text, cue.start, cue.stop, cue.speaker])


def _digest(value: object) -> str:
    """SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
