"""The track shard on disk: landmarks, boxes and JPEG crops of many clips in one HDF5 file, same input same bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.video.crop import decode_jpeg
from syncvoice.video.track import Track


class TrackWriter:
    """Write tracks to an open HDF5 file, one group per clip."""

    def __init__(self, path: Path | str) -> None:
        """Create the file (give a temporary path of `atomic_path`)."""
        import h5py

        self._file = h5py.File(path, "w", libver="v110")  # a fixed format; no time stamps are kept

    def add(self, clip: str, track: Track, mouth: list[np.ndarray], face: list[np.ndarray]) -> None:
        """Write one clip; `mouth` and `face` are JPEG bytes per frame."""
        import h5py

        group = self._file.create_group(clip)
        group.attrs["n_faces"], group.attrs["rule"] = track.n_faces, track.rule
        group.create_dataset(
            "landmarks", data=track.landmarks, chunks=track.landmarks.shape, shuffle=True, compression="lzf"
        )
        group.create_dataset("box", data=track.box)
        group.create_dataset("found", data=track.found)
        for name, images in (("mouth", mouth), ("face", face)):
            kind = h5py.vlen_dtype(np.uint8)
            values = np.empty(len(images), kind)
            for i, image in enumerate(images):  # one by one: numpy would take images of equal length for a matrix
                values[i] = image
            dataset = group.create_dataset(name, (len(images),), kind)
            dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, values)  # at once; `dataset[:] =` would make that matrix

    def __enter__(self) -> "TrackWriter":
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()


class TrackReader:
    """Read a track shard: `reader.track(clip)`, `reader.mouth(clip)`, `reader.face(clip)`.

    Raises:
        UserError: the file or a clip is missing.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file for reading."""
        import h5py

        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"track shard {path} does not exist; run the prepare step first")
        self._file = h5py.File(path, "r")

    def clips(self) -> Iterator[str]:
        """Yield the ids of the clips in the file."""
        yield from self._file

    def track(self, clip: str) -> Track:
        """Return the track of a clip."""
        group = self._group(clip)
        chosen = int(group.attrs["n_faces"]), str(group.attrs["rule"])
        return Track(group["landmarks"][()], group["found"][()], group["box"][()], *chosen)

    def landmarks(self, clip: str) -> np.ndarray:
        """Return landmarks (frames, 478, 3) float32 of a clip."""
        return self._group(clip)["landmarks"][()]

    def mouth(self, clip: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return grey mouth crops (frames, 96, 96) uint8 of frames start..stop."""
        return np.stack([decode_jpeg(data, colour=False) for data in self._group(clip)["mouth"][start:stop]])

    def face(self, clip: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return RGB face crops (frames, 112, 112, 3) uint8 of frames start..stop."""
        return np.stack([decode_jpeg(data, colour=True) for data in self._group(clip)["face"][start:stop]])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "TrackReader":
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _group(self, clip: str) -> Any:
        """Return a clip's group."""
        if clip not in self._file:
            raise UserError(f"clip '{clip}' is not in track shard {self.path}; run the prepare step again")
        return self._file[clip]
