"""Feature shards on disk: HDF5, one dataset per clip, the cache key in the header; stale shards are refused.

The key holds extractor, version, settings, weights digest and a digest of all sources; every clip's dataset holds the
digest of its own source, so a reader with a manifest can tell which clip changed.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import ChangedFile, UserError, raise_if_passing
from syncvoice.features.base import FeatureExtractor, Key, key_of
from syncvoice.files import atomic_path
from syncvoice.records.clips import Clip

AGAIN = "delete it and run 'syncvoice features' again"


def write_shard(
    path: Path | str, key: Key, items: Iterable[tuple[str, np.ndarray] | tuple[str, np.ndarray, str]]
) -> None:
    """Write a shard, atomically; same items, same bytes.

    Args:
        path: file to write.
        key: JSON-ready cache key for the header.
        items: (clip id, values) or (clip id, values, digest of the clip's source).
    """
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w", libver="v110") as file:
        sources = []
        for clip, values, *source in items:
            values = np.asarray(values)
            guarded = {"fletcher32": True, "chunks": values.shape} if values.size and values.ndim else {}
            dataset = file.create_dataset(clip, data=values, **guarded)
            if source:
                dataset.attrs["source"] = source[0]
                sources.append(source[0])
        digest = hashlib.sha256("".join(sorted(sources)).encode()).hexdigest()
        file.attrs["key"] = json.dumps({**key, "source_sha256": digest}, sort_keys=True)


def extract_shard(
    path: Path | str, extractor: FeatureExtractor, clips: Sequence[Clip], feature: str | None = None
) -> None:
    """Compute one feature of all clips and write the shard.

    Raises:
        UserError: a clip's sources cannot be read.
    """
    from tqdm import tqdm

    ordered = tqdm(sorted(clips, key=lambda clip: clip.id), desc=feature, unit="clip", mininterval=5)
    items = ((clip.id, extractor.extract(clip), clip.digest(*extractor.source_fields)) for clip in ordered)
    write_shard(path, key_of(extractor) | ({"feature": feature} if feature else {}), items)


class FeatureStore(Mapping[str, np.ndarray]):
    """Features of clips from one or more shards; values are read when asked for.

    Raises:
        UserError: a shard is missing or unreadable, its key differs from `expected`, or shards differ from each other.
    """

    def __init__(self, paths: Sequence[Path | str], expected: Key | None = None) -> None:
        """Open shards and check their keys.

        Args:
            paths: shard files.
            expected: what the key must hold, for example `key_of(extractor)`; other entries are not compared.
        """
        self._files: dict[Path, Any] = {}
        self._process = os.getpid()
        self._where: dict[str, Path] = {}
        self.keys_by_path: dict[Path, Key] = {}
        for path in map(Path, paths):
            file = _open(path)
            try:
                key = json.loads(file.attrs["key"])
            except (ValueError, OSError) as error:
                raise ChangedFile(f"{path}: its header changed on the disk ({error}); {AGAIN}") from error
            _check_key(path, key, expected or {})
            self._files[path] = file
            self.keys_by_path[path] = key
            self._where.update((clip, path) for clip in file)
        _check_same(self.keys_by_path)

    @property
    def dim(self) -> int | None:
        """Values per row, None for a feature without."""
        return next((key.get("dim") for key in self.keys_by_path.values()), None)

    def __getitem__(self, clip: str) -> np.ndarray:
        """Return the values of a clip.

        Raises:
            KeyError: the clip is in no shard.
            ChangedFile: the values are not those that were written.
        """
        file = self._file_of(clip)
        try:
            return file[clip][()]
        except OSError as error:  # its checksum does not fit
            raise_if_passing(error, file.filename)
            raise ChangedFile(f"{file.filename}: values of '{clip}' changed on the disk ({error}); {AGAIN}") from error

    def _file_of(self, clip: str) -> Any:
        """Return the open shard of a clip; a process that was forked opens its own, HDF5 shares no file."""
        path = self._where[clip]
        if self._process != os.getpid():
            self._files, self._process = {}, os.getpid()
        if path not in self._files:
            self._files[path] = _open(path)
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        """Yield clip ids."""
        return iter(self._where)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._where)

    def check(self, clips: Iterable[Clip]) -> None:
        """Refuse shards that lack a clip or were computed from another version of it.

        Raises:
            UserError: names the first such clip and prints both digests.
        """
        fields: list[str] = next((key.get("source_fields", []) for key in self.keys_by_path.values()), [])
        names = ", ".join(str(path) for path in self.keys_by_path)
        for clip in clips:
            if clip.id not in self._where:
                raise UserError(f"clip '{clip.id}' is in none of the feature shards {names}; make them again")
            file = self._file_of(clip.id)
            found = file[clip.id].attrs.get("source")
            expected = clip.digest(*fields)
            if found is not None and found != expected:
                raise UserError(
                    f"feature of clip '{clip.id}' in {file.filename} is stale: computed from source "
                    f"{found}, the manifest has {expected}; delete the shard and make it again"
                )

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> "FeatureStore":
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all files."""
        self.close()


class Interleaved(Mapping[str, np.ndarray]):
    """Features of films of the same clips that were taken at moments which follow each other in every video frame.

    Two films at 25 fps so give features at 50 fps. A clip that one of the films lost is lost.
    """

    def __init__(self, films: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Keep the features of all films, in the order of their moments."""
        self._films = films

    def __getitem__(self, clip: str) -> np.ndarray:
        """Return the values of a clip (films * n_frames, dim).

        Raises:
            KeyError: a film has no such clip.
        """
        values = [film[clip] for film in self._films]
        frames = min(map(len, values))
        return np.stack([value[:frames] for value in values], axis=1).reshape(-1, *values[0].shape[1:])

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of clips that all films hold."""
        return (clip for clip in self._films[0] if all(clip in film for film in self._films[1:]))

    def __len__(self) -> int:
        """Number of clips that all films hold."""
        return sum(1 for _ in self)


def open_features(folder: Path, features: Iterable[str]) -> dict[str, FeatureStore]:
    """Open the shards of the named features of a split: `folder`/feature/shard-*.h5.

    Raises:
        UserError: a feature has no shard.
    """
    stores = {}
    for feature in features:
        paths = sorted((folder / feature).glob("shard-*.h5"))
        if not paths:
            raise UserError(f"feature '{feature}' has no shard in {folder}; run the features step first")
        stores[feature] = FeatureStore(paths)
    return stores


def _open(path: Path) -> Any:
    """Open a shard.

    Raises:
        UserError: missing, no HDF5, or without a key.
    """
    import h5py

    if not path.is_file():
        raise UserError(f"feature shard {path} does not exist; run 'syncvoice features' first")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise_if_passing(error, path)
        raise UserError(f"{path} is no readable HDF5 file ({error}); delete it and run 'syncvoice features'") from error
    if "key" not in file.attrs:
        raise UserError(f"{path} has no cache key in its header; delete it and run 'syncvoice features'")
    return file


def _check_key(path: Path, found: Key, expected: Key) -> None:
    """Refuse a shard whose key differs in an entry of `expected`.

    Raises:
        UserError: prints both keys.
    """
    wanted = json.loads(json.dumps(expected, sort_keys=True))
    if any(name not in found or found[name] != value for name, value in wanted.items()):
        raise UserError(
            f"feature shard {path} is stale.\n  found    {json.dumps(found, sort_keys=True)}\n"
            f"  expected {json.dumps(wanted, sort_keys=True)}\ndelete it and run 'syncvoice features' again"
        )


def _check_same(keys: dict[Path, Key]) -> None:
    """Refuse shards made by different extractors.

    Raises:
        UserError: prints the two keys.
    """
    bare = {path: {name: value for name, value in key.items() if name != "source_sha256"} for path, key in keys.items()}
    paths = list(bare)
    for path in paths[1:]:
        if bare[path] != bare[paths[0]]:
            raise UserError(
                f"feature shards {paths[0]} and {path} were made by different extractors:\n  {bare[paths[0]]}\n"
                f"  {bare[path]}\ndelete the older one and run 'syncvoice features' again"
            )
