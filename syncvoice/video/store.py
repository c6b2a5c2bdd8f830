"""The track shard on disk: landmarks, boxes and JPEG crops of many clips in one HDF5 file, same input same bytes."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import ChangedFile, UserError, raise_if_passing
from syncvoice.video.crop import decode_jpeg
from syncvoice.video.track import Track


def _digests(images: Iterable[np.ndarray]) -> np.ndarray:
    """Return the SHA-256 of each image, (images, 32) uint8."""
    digests = b"".join(hashlib.sha256(np.asarray(image, np.uint8).tobytes()).digest() for image in images)
    return np.frombuffer(digests, np.uint8).reshape(-1, 32)


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
            "landmarks",
            data=track.landmarks,
            chunks=track.landmarks.shape,
            shuffle=True,
            compression="lzf",
            fletcher32=True,
        )
        group.create_dataset("box", data=track.box, chunks=track.box.shape, fletcher32=True)
        group.create_dataset("found", data=track.found, chunks=track.found.shape, fletcher32=True)
        for name, images in (("mouth", mouth), ("face", face)):
            kind = h5py.vlen_dtype(np.uint8)
            values = np.empty(len(images), kind)
            for i, image in enumerate(images):  # one by one: numpy would take images of equal length for a matrix
                values[i] = image
            dataset = group.create_dataset(name, (len(images),), kind)
            # Checksums of HDF5 do not cover values of unequal length.
            group.create_dataset(f"{name}_sha256", data=_digests(images))
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
        landmarks, found, box = (self._values(clip, name) for name in ("landmarks", "found", "box"))
        return Track(landmarks, found, box, *chosen)

    def landmarks(self, clip: str) -> np.ndarray:
        """Return landmarks (frames, 478, 3) float32 of a clip."""
        return self._values(clip, "landmarks")

    def mouth(self, clip: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return grey mouth crops (frames, 96, 96) uint8 of frames start..stop."""
        return np.stack([decode_jpeg(data, colour=False) for data in self._images(clip, "mouth", start, stop)])

    def face(self, clip: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return RGB face crops (frames, 112, 112, 3) uint8 of frames start..stop."""
        return np.stack([decode_jpeg(data, colour=True) for data in self._images(clip, "face", start, stop)])

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "TrackReader":
        """Return the reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def _values(self, clip: str, name: str) -> np.ndarray:
        """Return an array of a clip.

        Raises:
            ChangedFile: its checksum does not fit.
        """
        try:
            return self._group(clip)[name][()]
        except OSError as error:
            raise_if_passing(error, self.path)
            raise self._changed(clip, name) from error

    def _images(self, clip: str, name: str, start: int, stop: int | None) -> np.ndarray:
        """Return JPEG bytes of frames start..stop of a clip.

        Raises:
            ChangedFile: a digest does not fit.
        """
        group = self._group(clip)
        images, recorded = group[name][start:stop], group[f"{name}_sha256"][start:stop]
        if not np.array_equal(_digests(images), recorded):
            raise self._changed(clip, name)
        return images

    def _changed(self, clip: str, name: str) -> ChangedFile:
        """Return the error of an array that is not what was written."""
        return ChangedFile(
            f"{self.path}: {name} of clip '{clip}' was changed on the disk; delete it and run the prepare step again"
        )

    def _group(self, clip: str) -> Any:
        """Return a clip's group."""
        if clip not in self._file:
            raise UserError(f"clip '{clip}' is not in track shard {self.path}; run the prepare step again")
        return self._file[clip]
