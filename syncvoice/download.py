"""Fetch the archives of a data set: resumed when interrupted, checked, unpacked. Only `fetch_*` rules call this."""

import hashlib
import http.client
import json
import logging
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.files import read_json, write_json
from syncvoice.unpack import DamagedArchive, Limits, unpack

log = logging.getLogger(__name__)
UNVERIFIED = "unverified"
CHUNK = 1 << 20
RECORD = ".fetched.json"  # in the data set's folder: archives that are unpacked, with their digests
BROKEN = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


@dataclass(frozen=True)
class Archive:
    """A file to fetch.

    Attributes:
        name: of the file.
        url: http or https.
        digest: "sha256:HEX", "md5:HEX" or "unverified".
    """

    name: str
    url: str
    digest: str = UNVERIFIED


@dataclass(frozen=True)
class Patience:
    """How a download goes on after trouble.

    Attributes:
        attempts: in a row that may bring no new byte.
        wait: seconds before the next one, times the number of attempts so far.
        timeout: seconds without an answer.
    """

    attempts: int = 5
    wait: float = 5.0
    timeout: float = 60.0


def fetch_dataset(
    archives: Sequence[Archive], folder: Path, limits: Limits | None = None, patience: Patience | None = None
) -> dict[str, Any]:
    """Fetch and unpack archives into `folder`; what an earlier call has finished is not fetched again.

    An archive lies in `folder/.archives` until it is unpacked. One that is corrupt is named, removed and fetched once
    more.

    Returns:
        by archive: url, digest, sha256, bytes, number of files (also in `folder/.fetched.json`).

    Raises:
        UserError: an archive cannot be had, is corrupt twice, or is unsafe.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    for number, archive in enumerate(archives, start=1):
        known = record.get(archive.name, {})
        if known.get("url") == archive.url and archive.digest in (UNVERIFIED, known.get("digest")):
            continue
        log.info("%s (%d of %d)", archive.name, number, len(archives))
        record[archive.name] = _fetch_and_unpack(archive, folder, limits, patience)
        write_json(folder / RECORD, record)
    return {archive.name: record[archive.name] for archive in archives}


def check_disk(folder: Path, needed: int) -> None:
    """Stop before a download that cannot fit.

    Raises:
        UserError: fewer than `needed` bytes are free, not counting what an earlier call has fetched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    needed -= sum(entry["bytes"] for entry in record.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} needs about {needed / 1e9:.1f} GB more, {free / 1e9:.1f} GB are free; make room, or let the "
            "folder lie on another disk"
        )


def fetch(archive: Archive, path: Path, patience: Patience | None = None) -> None:
    """Fetch one file to `path` unless it is there and right; goes on where an earlier call was interrupted.

    Raises:
        UserError: no connection, or the digest is wrong twice.
    """
    patience = patience or Patience()
    path.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        if not path.is_file():
            _download(archive, path, patience)
        found = digest_of(path, archive.digest)
        if archive.digest in (UNVERIFIED, found):
            return
        path.unlink()
        message = f"{path} from {archive.url} is corrupt: {found}, expected {archive.digest}"
        if last:
            raise UserError(f"{message}; removed, it was fetched twice: check the address and the digest of its card")
        log.warning("%s; removed, fetching it again", message)


def published_digests(url: str, archives: Sequence[Archive], patience: Patience | None = None) -> list[Archive]:
    """Fill in digests that the archives lack from the record of a Zenodo deposit (JSON: files with key, checksum).

    Raises:
        UserError: the record cannot be read or does not list an archive.
    """
    try:
        with _open(url, {}, (patience or Patience()).timeout) as answer:
            files = json.load(answer)["files"]
        digests = {file["key"]: str(file["checksum"]) for file in files}
    except (*BROKEN, ValueError, KeyError, TypeError) as error:
        raise UserError(f"checksums cannot be read from {url} ({type(error).__name__}: {error}); try later") from error
    missing = [archive.name for archive in archives if archive.digest == UNVERIFIED and archive.name not in digests]
    if missing:
        raise UserError(f"{url} lists no {missing[0]} ({len(missing)} missing); the deposit has changed, see the card")
    return [
        replace(archive, digest=digests[archive.name]) if archive.digest == UNVERIFIED else archive
        for archive in archives
    ]


def digest_of(path: Path, like: str = UNVERIFIED) -> str:
    """Return the digest of a file as "KIND:HEX", of the kind that `like` has (sha256 if it has none).

    Raises:
        UserError: the kind is unknown.
    """
    kind = "sha256" if like == UNVERIFIED else like.partition(":")[0]
    if kind not in ("sha256", "md5"):
        raise UserError(f"digest {like!r} is of an unknown kind; expected 'sha256:...', 'md5:...' or 'unverified'")
    with open(path, "rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


def _fetch_and_unpack(
    archive: Archive, folder: Path, limits: Limits | None, patience: Patience | None
) -> dict[str, Any]:
    """Fetch and unpack one archive; one that turns out damaged is fetched once more."""
    path = folder / ".archives" / archive.name
    for last in (False, True):
        fetch(archive, path, patience)
        try:
            files = unpack(path, folder, limits)
            break
        except DamagedArchive as error:
            path.unlink()
            if last:
                raise
            log.warning("%s; removed, fetching it again", error)
    entry = {"url": archive.url, "digest": digest_of(path, archive.digest), "sha256": digest_of(path)[7:]}
    size = path.stat().st_size
    path.unlink()
    return entry | {"bytes": size, "files": len(files)}


def _download(archive: Archive, path: Path, patience: Patience) -> None:
    """Download to PATH.part and rename; reconnects as long as bytes arrive.

    Raises:
        UserError: several attempts in a row brought nothing, or the address is wrong.
    """
    if urllib.parse.urlsplit(archive.url).scheme not in ("http", "https"):
        raise UserError(f"{archive.url} is no http or https address; correct it in the data set's card")
    part = path.with_name(path.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            _continue(archive.url, part, patience.timeout)
            os.replace(part, path)
            _validator(part).unlink(missing_ok=True)
            return
        except urllib.error.HTTPError as error:
            if 400 <= error.code < 500 and error.code not in (408, 429):
                raise UserError(
                    f"{archive.name} cannot be fetched from {archive.url} (HTTP {error.code}); the card of the data "
                    "set says how to get it by hand"
                ) from error
            problem: Exception = error
        except BROKEN as error:
            problem = error
        failures = 0 if _size(part) > before else failures + 1
        if failures >= patience.attempts:
            raise UserError(
                f"{archive.name} cannot be fetched from {archive.url} ({problem}); run again to go on at byte "
                f"{_size(part)}"
            ) from problem
        log.warning("%s: %s; going on at byte %d", archive.name, problem, _size(part))
        time.sleep(patience.wait * max(failures, 1))


def _continue(url: str, part: Path, timeout: float) -> None:
    """Append what is missing to `part`; begins anew if the server's file is another than before.

    Raises:
        ConnectionError: the body is shorter than announced.
        OSError, http.client.HTTPException: as urllib raises them.
    """
    validator = read_json(_validator(part)) if _validator(part).is_file() else ""
    start = _size(part) if validator else 0  # without a validator nobody knows whether the halves belong together
    headers = {"Range": f"bytes={start}-", "If-Range": validator} if start else {}
    try:
        answer = _open(url, headers, timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the range begins behind the end: the part is whole, or of another file
            raise
        part.unlink()
        answer = _open(url, {}, timeout)
    with answer:
        start = start if answer.status == 206 and _range_start(answer) == start else 0
        if answer.status == 206 and _range_start(answer) != start:
            raise ConnectionError(f"the server sent another range ({answer.headers.get('Content-Range')})")
        validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        write_json(_validator(part), "" if validator.startswith("W/") else validator)
        expected = answer.headers.get("Content-Length")
        with open(part, "r+b" if start else "wb") as file:
            file.seek(start)
            shutil.copyfileobj(answer, file, CHUNK)
    if expected is not None and _size(part) != start + int(expected):
        raise ConnectionError(f"the connection ended after {_size(part)} of {start + int(expected)} bytes")


def _open(url: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    """Open an address."""
    request = urllib.request.Request(url, headers={"User-Agent": "syncvoice", **headers})
    answer: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    return answer


def _range_start(answer: http.client.HTTPResponse) -> int:
    """Return the first byte of a partial answer, -1 if it does not say."""
    text = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(text) if text.isdigit() else -1


def _validator(part: Path) -> Path:
    """Return the file that keeps what identifies the server's version."""
    return part.with_name(part.name + ".json")


def _size(path: Path) -> int:
    """Return the size of a file, 0 without one."""
    return path.stat().st_size if path.is_file() else 0
