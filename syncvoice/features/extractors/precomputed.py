"""Features that another program wrote: one file per clip, or one HDF5 file for all clips.

AV-HuBERT, EmoNet and other encoders are often run by their authors' own programs; the corpora of the field are passed
on with such files (`.npy` of shape (frames, dim), 25 fps).
"""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from pydantic import Field, field_validator

from syncvoice import clocks
from syncvoice.errors import UserError, raise_if_passing
from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip

READ = {".npy": "_npy", ".npz": "_npz", ".pt": "_torch", ".pth": "_torch", ".h5": "_hdf5", ".hdf5": "_hdf5"}


class Settings(ExtractorSettings):
    """Where the files lie and what they hold.

    Attributes:
        folder: where the files lie.
        dim: values per row.
        origin: what made the files, e.g. "AV-HuBERT large_lrs3_iter5"; part of the cache key, so change it when the
            files change (they are not read to plan).
        made_with: network that made them, by its name in config/assets.yaml or among the scorers, so that it is not
            asked to score too; "" if none did.
        pattern: name of a clip's file in the folder; {clip}, {speaker} and {split} stand for the clip's own. The suffix
            decides the format: .npy, .npz, .pt, .pth, .h5, .hdf5.
        key: name inside an .npz, .h5, .hdf5 or a dictionary in a .pt.
        fps: rows per second in the files.
        tolerance_frames: video frames by which a file may be longer or shorter than the clip.
    """

    folder: str
    dim: int = Field(ge=1)
    origin: str
    made_with: str = ""
    pattern: str = "{clip}.npy"
    key: str = "{clip}"
    fps: float = Field(float(clocks.FPS), gt=0)
    tolerance_frames: int = Field(2, ge=0)

    @field_validator("pattern")
    @classmethod
    def _known_suffix(cls, pattern: str) -> str:
        """The suffix says how a file is read."""
        if Path(pattern).suffix not in READ:
            raise ValueError(f"{pattern!r} has no known suffix; use {', '.join(READ)}")
        return pattern

    def reads_through(self) -> str:
        """Return the network that made the files."""
        return self.made_with


class Extractor:
    """A visual feature read from files: (n_frames, dim) float32 at 25 fps."""

    name = "precomputed"
    version = "1"
    fps: float | None = float(clocks.FPS)
    weights_sha256: str | None = None
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Keep the settings; the key names files by origin, not by place."""
        self.dim: int | None = settings.dim
        self.folder, self.pattern, self.key = Path(settings.folder), settings.pattern, settings.key
        self.rows_per_s, self.tolerance = settings.fps, settings.tolerance_frames
        self.settings: dict[str, Any] = settings.model_dump(exclude={"folder", "dim", "made_with"})

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip.

        Raises:
            UserError: the file is missing, unreadable, of another width or length, or holds values that are not finite.
        """
        path = self.folder / _named(self.pattern, clip)
        if not path.is_file():
            raise UserError(
                f"clip '{clip.id}' has no precomputed feature {path}; put it there or correct folder and pattern"
            )
        values = self._read(path, _named(self.key, clip))
        if values.ndim != 2 or values.shape[1] != self.dim:
            raise UserError(
                f"{path} has shape {values.shape}, expected (frames, {self.dim}); correct the setting dim or the file"
            )
        if not np.isfinite(values).all():
            raise UserError(f"{path} holds values that are not finite; make the file again")
        return self._fitted(path, clip, values.astype(np.float32))

    def _fitted(self, path: Path, clip: Clip, values: np.ndarray) -> np.ndarray:
        """Bring rows to one per video frame.

        At 25 fps the first row belongs to the first frame: rows too many at the end are cut, the last row is repeated
        for rows that lack. At any other rate rows are interpolated linearly between their centres, (k + 1/2) / fps.

        Raises:
            UserError: length differs from the clip's by more than the tolerance.
        """
        length = len(values) * clocks.FPS / self.rows_per_s  # in video frames
        if not len(values) or abs(length - clip.n_frames) > self.tolerance:
            raise UserError(
                f"{path} has {len(values)} rows, {length:g} video frames at {self.rows_per_s:g} rows per second; clip "
                f"'{clip.id}' has {clip.n_frames}, and the tolerance is {self.tolerance}; make the file from this clip "
                "or correct the setting fps"
            )
        if self.rows_per_s == clocks.FPS:
            return values[np.minimum(np.arange(clip.n_frames), len(values) - 1)]
        position = np.clip(clocks.frame_centres(clip.n_frames) * self.rows_per_s - 0.5, 0, len(values) - 1)
        left = position.astype(int)
        right, weight = np.minimum(left + 1, len(values) - 1), (position - left)[:, None]
        return ((1 - weight) * values[left] + weight * values[right]).astype(np.float32)

    def _read(self, path: Path, key: str) -> np.ndarray:
        """Return the array of a file.

        Raises:
            UserError: the file is unreadable, or lacks `key`.
        """
        try:
            values = getattr(self, READ[path.suffix])(path, key)
        except KeyError as error:
            raise UserError(f"{path} has no entry '{key}'; correct the setting key of the feature") from error
        except (OSError, ValueError, EOFError, BadZipFile) as error:
            raise_if_passing(error, path)
            raise UserError(f"{path} is no readable {path.suffix} file ({error}); make it again") from error
        return np.asarray(values)

    @staticmethod
    def _npy(path: Path, key: str) -> np.ndarray:
        """Read NumPy's format; pickled objects are refused."""
        return np.load(path, allow_pickle=False)

    @staticmethod
    def _npz(path: Path, key: str) -> np.ndarray:
        """Read one array of an archive; pickled objects are refused."""
        with np.load(path, allow_pickle=False) as archive:
            return archive[key]

    @staticmethod
    def _torch(path: Path, key: str) -> np.ndarray:
        """Read a tensor, bare or in a dictionary, by the restricted loader."""
        from syncvoice.records.weights import read_checkpoint

        content = read_checkpoint(path)
        tensor = content[key] if isinstance(content, dict) else content
        if not hasattr(tensor, "detach"):
            raise ValueError(f"holds {type(tensor).__name__}, expected a tensor")
        return tensor.detach().float().numpy()

    @staticmethod
    def _hdf5(path: Path, key: str) -> np.ndarray:
        """Read one dataset."""
        import h5py

        with h5py.File(path, "r") as file:
            if not isinstance(file.get(key), h5py.Dataset):
                raise KeyError(key)
            return file[key][()]


def _named(pattern: str, clip: Clip) -> str:
    """Put a clip's own values into a pattern; other braces stay."""
    for name in ("clip", "speaker", "split"):
        pattern = pattern.replace("{" + name + "}", clip.id if name == "clip" else getattr(clip, name))
    return pattern
