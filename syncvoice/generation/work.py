"""The work of a generate job: what it is given, and the rows that it writes. Kinds are found by their module's name."""

import importlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np

from syncvoice import clocks
from syncvoice.audio import write_wav
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.journal import Journal
from syncvoice.records.tasks import Utterance
from syncvoice.section import nearest

FOLDER = Path(__file__).parent / "kinds"
PACKAGE = "syncvoice.generation.kinds"

Row = dict[str, object]


@dataclass(frozen=True)
class Work:
    """What a row is spoken from.

    Attributes:
        utterances: to speak.
        manifest: clips of the task.
        features_root: folder that holds SPLIT/FEATURE/shard-*.h5.
        model: folder of the trained model, None for a row without.
        out: folder for WAV files.
        journal: keeps the rows that are made, so that a killed job goes on; None keeps none.
        whole: all utterances of the task, of which `utterances` may be a part; None: these are all.
        candidates: folder of another row's speech, for a row that chooses from it.
        references: manifests of treated reference recordings, for a row that takes its voices from them.
    """

    utterances: list[Utterance]
    manifest: Path
    features_root: Path
    model: Path | None
    out: Path
    journal: Journal | None = None
    whole: list[Utterance] | None = None
    candidates: Path | None = None
    references: tuple[Path, ...] = ()

    @cached_property
    def made(self) -> dict[tuple[str, str], Row]:
        """Rows that a killed job made, by utterance and point; sounds that are not those it wrote are left out."""
        rows = self.journal.entries if self.journal else []
        return {(row["utterance"], row["point"]): row for row in rows if self._is_there(row)}

    def _is_there(self, row: Row) -> bool:
        """Whether the sound of a row is the one that was written; a row without one is."""
        path = self.out / str(row["wav"])
        return not row["wav"] or (path.is_file() and sha256_of(path) == row["sha256"])

    def keep(self, name: str, point: str, sound: np.ndarray) -> Row:
        """Write a sound (see `save`) and note it in the journal."""
        row = save(self.out, name, point, sound)
        if self.journal:
            self.journal.add(row)
        return row


def kind_names() -> list[str]:
    """Return the names of all kinds of rows: the modules of the folder."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def module_name(kind: str) -> str:
    """Return the dotted name of a kind's module."""
    return f"{PACKAGE}.{kind}"


def kind_module(kind: str) -> ModuleType:
    """Import the module of one kind of row, and no other's.

    Raises:
        UserError: there is none of that name; gives the nearest one.
    """
    names = kind_names()
    if kind not in names:
        raise UserError(f"kind '{kind}' is unknown; {nearest(kind, names)}")
    return importlib.import_module(module_name(kind))


def save(folder: Path, name: str, point: str, sound: np.ndarray) -> Row:
    """Write a WAV and return its row; sound that is not finite becomes a failed row."""
    if not np.isfinite(sound).all():
        return failed(name, point, "the generated sound is not finite; look at the model's training curve")
    wav = Path(point) / f"{name}.wav"
    write_wav(folder / wav, sound, clocks.SAMPLE_RATE)
    return {"utterance": name, "point": point, "wav": wav.as_posix(), "status": "ok", "message": "",
            "sha256": sha256_of(folder / wav)}  # fmt: skip


def failed(name: str, point: str, message: str) -> Row:
    """Return the row of an utterance that could not be spoken."""
    return {"utterance": name, "point": point, "wav": "", "status": "failed", "message": message}
