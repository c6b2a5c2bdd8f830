"""Unpack archives from strangers: nothing is written outside the target, and nothing at all if a member is unsafe.

An archive is unpacked into a folder beside its final place and moved when all of it is good. Only plain files and
folders are taken; permissions, owners and times are not. Our choice throughout.
"""

import bz2
import gzip
import io
import logging
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from syncvoice.errors import UserError

log = logging.getLogger(__name__)
CHUNK = 1 << 20
SMALL = 64 << 20  # bytes that any archive may unpack to, whatever its ratio: tiny files compress very well
STREAMS: dict[str, Callable[[Path], Any]] = {
    ".tar": lambda path: open(path, "rb"),
    ".tar.gz": lambda path: gzip.open(path, "rb"),
    ".tgz": lambda path: gzip.open(path, "rb"),
    ".tar.bz2": lambda path: bz2.open(path, "rb"),
    ".tar.xz": lambda path: lzma.open(path, "rb"),
}
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError)


class DamagedArchive(UserError):
    """The bytes are not those of a whole archive; fetching it again may help."""


@dataclass(frozen=True)
class Limits:
    """What an archive may become.

    Attributes:
        total_bytes: of all files.
        ratio: unpacked size to archive size; does not count below 64 MiB.
        members: files and folders.
    """

    total_bytes: int = 64 << 30
    ratio: float = 100.0
    members: int = 500_000


class Member(NamedTuple):
    """One entry of an archive."""

    name: str
    is_folder: bool
    problem: str  # "" or why it is refused
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path, limits: Limits | None = None) -> list[Path]:
    """Unpack a .zip or .tar (.gz, .bz2, .xz) archive into `folder`.

    Control characters in names become "_" (with a warning); spaces, quotes and leading dashes stay.

    Returns:
        the files, relative to `folder`, sorted.

    Raises:
        DamagedArchive: the archive is cut off or corrupt.
        UserError: a member leaves the folder, is a link or device, occurs twice, or the archive exceeds a limit; then
            nothing of the archive is in `folder`.
    """
    limits = limits or Limits()
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder))
    try:
        meter = _Meter(archive, limits)
        with _members(archive, meter) as members:
            for member in members:
                _write(archive, member, staging, meter)
        return _move(archive, staging, folder)
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"archive {archive} cannot be unpacked to {folder}: {error}") from error
        raise DamagedArchive(f"archive {archive} is damaged ({error}); delete it and fetch it again") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class _Meter:
    """Counts what comes out of an archive and stops a decompression bomb while it unfolds."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        """Set the limits by the archive's own size."""
        self._archive = archive
        self._members = limits.members
        self._bytes = int(min(limits.total_bytes, max(SMALL, limits.ratio * archive.stat().st_size)))

    def member(self) -> None:
        """Count one member.

        Raises:
            UserError: too many.
        """
        self._members -= 1
        if self._members < 0:
            raise UserError(f"archive {self._archive} holds too many members; it is refused")

    def data(self, count: int) -> None:
        """Count unpacked bytes.

        Raises:
            UserError: too many.
        """
        self._bytes -= count
        if self._bytes < 0:
            raise UserError(
                f"archive {self._archive} ({self._archive.stat().st_size} bytes) unpacks to far more than data of this "
                "kind does; it is refused as a decompression bomb"
            )


class _MeteredStream(io.RawIOBase):
    """A decompressed stream whose bytes are counted, headers of a tar included."""

    def __init__(self, stream: IO[bytes], meter: _Meter) -> None:
        """Wrap a stream."""
        self._stream = stream
        self._meter = meter

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        data = self._stream.read(CHUNK if size is None or size < 0 else size)
        self._meter.data(len(data))
        return data


@contextmanager
def _members(archive: Path, meter: _Meter) -> Iterator[Iterator[Member]]:
    """Open an archive by its suffix."""
    name = archive.name.lower()
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive) as file:
            yield _zip_members(file)
        return
    suffix = next((suffix for suffix in STREAMS if name.endswith(suffix)), None)
    if suffix is None:
        raise UserError(f"archive {archive} has an unknown suffix; expected .zip, {', '.join(STREAMS)}")
    with STREAMS[suffix](archive) as stream:
        metered = _MeteredStream(stream, meter)
        with tarfile.open(fileobj=metered, mode="r|") as tar:  # type: ignore[call-overload]
            yield _tar_members(tar)


def _zip_members(file: zipfile.ZipFile) -> Iterator[Member]:
    """Yield the entries of a zip archive."""
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        problem = "" if kind in (0, stat.S_IFREG, stat.S_IFDIR) else "a link or device"
        problem = problem or ("encrypted" if info.flag_bits & 1 else "")
        # Zip names end at a NUL for the library; the original may hide more behind it.
        problem = problem or ("a name with a NUL character" if "\0" in info.orig_filename else "")
        yield Member(info.filename, info.is_dir(), problem, lambda info=info: file.open(info))  # type: ignore[misc]


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    """Yield the entries of a tar archive."""
    for info in tar:
        problem = "" if info.isreg() or info.isdir() else "a link or device"
        yield Member(info.name, info.isdir(), problem, lambda info=info: tar.extractfile(info))  # type: ignore[misc,arg-type]
    while rest := tar.fileobj.read(CHUNK):  # type: ignore[union-attr]
        if rest.strip(b"\0"):  # the library takes a broken header for the end and says nothing
            raise tarfile.ReadError("a member's header is broken")


def _write(archive: Path, member: Member, staging: Path, meter: _Meter) -> None:
    """Write one member below `staging`.

    Raises:
        UserError: the member is unsafe or a limit is exceeded.
    """
    meter.member()
    if member.problem:
        raise UserError(f"archive {archive} holds {member.problem}, {member.name!r}; it is refused")
    relative = _safe_path(archive, member.name)
    if relative is None:
        return  # "./", the folder itself
    path = staging / relative
    is_tar = not archive.name.lower().endswith(".zip")  # its bytes are counted where they are decompressed
    try:
        if member.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, open(path, "xb") as target:
            while chunk := source.read(CHUNK):
                meter.data(0 if is_tar else len(chunk))
                target.write(chunk)
    except FileExistsError as error:
        raise UserError(f"archive {archive} holds {member.name!r} twice; it is refused") from error
    except (NotImplementedError, RuntimeError) as error:  # a compression or encryption that Python lacks
        raise UserError(f"archive {archive} cannot be read: {member.name!r}: {error}") from error
    except OSError as error:
        if error.errno is None:  # from a decompressor, not from the disk
            raise
        raise UserError(f"archive {archive}: {member.name!r} cannot be written in {staging.parent}: {error}") from error


def _safe_path(archive: Path, name: str) -> PurePosixPath | None:
    """Return the place of a member below the target, None for the target itself.

    Raises:
        UserError: the name is absolute or climbs out.
    """
    plain = name.replace("\\", "/")  # what another system would take for folders must not hide a ".."
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain) or ".." in plain.split("/"):
        raise UserError(f"archive {archive} holds {name!r}, which lies outside the target folder; it is refused")
    printable = "".join(letter if letter.isprintable() else "_" for letter in plain)
    if printable != plain:
        log.warning("%s: member %r is written as %r", archive, name, printable)
    path = PurePosixPath(printable)
    return path if path.parts else None


def _move(archive: Path, staging: Path, folder: Path) -> list[Path]:
    """Move what was unpacked to its place; folders merge, files replace.

    Raises:
        UserError: a folder stands where a file should go, or the other way round.
    """
    files = sorted(path.relative_to(staging) for path in staging.rglob("*") if path.is_file())
    for relative in files:
        target = folder / relative
        try:
            if not target.parent.resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{target.parent} leads out of {folder} through a link; remove it and unpack again")
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / relative, target)
        except OSError as error:
            raise UserError(f"archive {archive}: {target} cannot be written ({error}); remove what is there") from error
    return files
