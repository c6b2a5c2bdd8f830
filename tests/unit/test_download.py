"""Downloads that break, archives that attack: what is fetched is right, and nothing is written outside the target."""

import gzip
import hashlib
import io
import json
import runpy
import stat
import struct
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from syncvoice.download import (
    Archive,
    Patience,
    check_disk,
    digest_of,
    fetch,
    fetch_dataset,
    published_digests,
)
from syncvoice.errors import UserError
from syncvoice.unpack import DamagedArchive, Limits, unpack

REPOSITORY = Path(__file__).resolve().parents[2]
QUICK = Patience(attempts=2, wait=0.0, timeout=5.0)


class Server(ThreadingHTTPServer):
    """A local server that can break off, corrupt and forget ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etag = '"1"'
        self.cuts: list[int] = []  # bytes after which the next answers break off
        self.corrupt = 0  # number of answers whose first byte is wrong
        self.ranges = True
        self.requests: list[tuple[str, str | None]] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def archive(self, name: str, data: bytes, digest: str | None = None) -> Archive:
        self.files[name] = data
        return Archive(name, self.url(name), digest or f"sha256:{hashlib.sha256(data).hexdigest()}")


class Handler(BaseHTTPRequestHandler):
    """Answers GET with ranges."""

    server: Server

    def do_GET(self) -> None:
        name, wanted = self.path.strip("/"), self.headers.get("Range")
        self.server.requests.append((name, wanted))
        if name not in self.server.files:
            self.send_error(404)
            return
        data, start = self.server.files[name], 0
        if wanted and self.server.ranges and self.headers.get("If-Range") == self.server.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(data):
            self.send_error(416)
            return
        body = data[start:]
        if self.server.corrupt:
            self.server.corrupt -= 1
            body = bytes([body[0] ^ 1]) + body[1:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", self.server.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


DATA = bytes(range(256)) * 2000


def test_interrupted_download_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    archive = server.archive("a.bin", DATA)
    server.cuts = [100_000, 50_000]
    fetch(archive, tmp_path / "a.bin", QUICK)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert server.requests == [("a.bin", None), ("a.bin", "bytes=100000-"), ("a.bin", "bytes=150000-")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_later_call_resumes_and_a_finished_file_is_not_fetched(server: Server, tmp_path: Path) -> None:
    archive = server.archive("a.bin", DATA)
    server.cuts = [1000, 0, 0]
    with pytest.raises(UserError, match=r"a\.bin cannot be fetched .* go on at byte 1000"):
        fetch(archive, tmp_path / "a.bin", QUICK)
    assert not (tmp_path / "a.bin").exists()
    server.requests.clear()
    fetch(archive, tmp_path / "a.bin", QUICK)
    fetch(archive, tmp_path / "a.bin", QUICK)
    assert server.requests == [("a.bin", "bytes=1000-")]
    assert (tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("change", ["other version", "no ranges", "shorter"])
def test_halves_of_two_versions_are_never_joined(server: Server, tmp_path: Path, change: str) -> None:
    archive = server.archive("a.bin", DATA)
    server.cuts = [300_000, 0, 0]
    with pytest.raises(UserError):
        fetch(archive, tmp_path / "a.bin", QUICK)
    new = DATA[::-1] if change != "shorter" else DATA[:1000]
    archive = server.archive("a.bin", new)
    server.ranges = change != "no ranges"
    server.etag = '"1"' if change == "shorter" else '"2"'
    fetch(archive, tmp_path / "a.bin", QUICK)
    assert (tmp_path / "a.bin").read_bytes() == new


def test_corrupt_archive_is_named_removed_and_fetched_again(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archives = [server.archive(f"{name}.zip", zip_of({f"{name}/x.txt": name.encode()})) for name in ("s1", "s2")]
    server.corrupt = 1
    record = fetch_dataset(archives, tmp_path / "grid", patience=QUICK)
    assert "s1.zip" in caplog.text and "is corrupt" in caplog.text and "s2.zip from" not in caplog.text
    assert [name for name, _ in server.requests] == ["s1.zip", "s1.zip", "s2.zip"]
    assert (tmp_path / "grid/s1/x.txt").read_text() == "s1" and record["s2.zip"]["files"] == 1
    assert list((tmp_path / "grid/.archives").iterdir()) == []
    assert fetch_dataset(archives, tmp_path / "grid", patience=QUICK) == record
    assert len(server.requests) == 3, "what is unpacked is not fetched again"


def test_corrupt_twice_is_an_error_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    archive = server.archive("a.bin", DATA)
    server.corrupt = 2
    with pytest.raises(UserError, match=r"a\.bin.* is corrupt: sha256:.*, expected sha256:.* fetched twice"):
        fetch(archive, tmp_path / "a.bin", QUICK)
    assert list(tmp_path.iterdir()) == []


def test_damaged_archive_without_digest_is_fetched_again(server: Server, tmp_path: Path) -> None:
    whole = zip_of({"a.txt": b"text" * 1000})
    archive = server.archive("a.zip", whole, "unverified")
    server.corrupt = 1  # the first byte of a zip's first local header
    fetch_dataset([archive], tmp_path, patience=QUICK)
    assert len(server.requests) == 2 and (tmp_path / "a.txt").read_bytes() == b"text" * 1000


def test_published_checksums_complete_the_card(server: Server) -> None:
    archive = server.archive("s1.zip", b"x", "unverified")
    entry = {"key": "s1.zip", "checksum": "md5:" + hashlib.md5(b"x").hexdigest()}
    server.files["record"] = json.dumps({"files": [entry]}).encode()
    (complete,) = published_digests(server.url("record"), [archive], QUICK)
    assert complete.digest == entry["checksum"] and complete.url == archive.url
    with pytest.raises(UserError, match=r"lists no s2\.zip"):
        published_digests(server.url("record"), [Archive("s2.zip", "http://x")], QUICK)
    with pytest.raises(UserError, match="checksums cannot be read"):
        published_digests(server.url("absent"), [archive], QUICK)


def test_fetch_script_reads_the_card(server: Server, tmp_path: Path) -> None:
    for name in ("s1", "s2"):
        server.archive(f"{name}.zip", zip_of({f"{name}/x.mpg": b"x"}))
    checksums = [
        {"key": name, "checksum": f"md5:{hashlib.md5(data).hexdigest()}"} for name, data in server.files.items()
    ]
    server.files["record"] = json.dumps({"files": checksums}).encode()
    values = yaml.safe_load((REPOSITORY / "config" / "datasets" / "grid.yaml").read_text())
    card = values["cards"]["grid"]
    card["checks"]["speakers"], card["archive_bytes"] = ["s1", "s2"], 1000
    card["download"] = {"archives": {"{speaker}.zip": server.url("{speaker}.zip")}, "checksums": server.url("record")}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(values))
    snakemake = SimpleNamespace(
        input=SimpleNamespace(card=str(tmp_path / "grid.yaml")),
        output=[str(tmp_path / "grid.json")],
        log=[str(tmp_path / "log")],
        params=SimpleNamespace(folder=str(tmp_path / "grid")),
        wildcards=SimpleNamespace(dataset="grid"),
    )
    script = REPOSITORY / "workflow" / "scripts" / "fetch_dataset.py"
    runpy.run_path(str(script), init_globals={"snakemake": snakemake})
    assert (tmp_path / "grid" / "s2" / "x.mpg").read_bytes() == b"x"
    record = json.loads((tmp_path / "grid.json").read_text())
    assert sorted(record) == ["s1.zip", "s2.zip"] and record["s1.zip"]["digest"] == checksums[0]["checksum"]


def test_wrong_addresses_are_sentences(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"HTTP 404.*by hand"):
        fetch(Archive("a", server.url("absent")), tmp_path / "a", QUICK)
    (tmp_path / "secret").write_text("x")
    with pytest.raises(UserError, match="no http or https address"):
        fetch(Archive("a", (tmp_path / "secret").as_uri()), tmp_path / "a", QUICK)
    with pytest.raises(UserError, match=r"needs about 1000000000\.0 GB more"):
        check_disk(tmp_path, 10**18)
    with pytest.raises(UserError, match="unknown kind"):
        digest_of(tmp_path / "secret", "crc:00")


# Archives --------------------------------------------------------------------------------------------------------


def zip_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tar_of(files: dict[str, bytes], *special: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        for info in special:
            file.addfile(info)
    return buffer.getvalue()


def packed(files: dict[str, bytes], kind: str) -> bytes:
    return zip_of(files) if kind == "zip" else gzip.compress(tar_of(files))


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


ODD = ["a b.txt", 'it\'s "q".txt', "-rf.txt", "$(touch x);`y`.txt", "deep/er/ö.txt", "...", ".hidden"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_odd_names_stay_inside_as_they_are(tmp_path: Path, kind: str) -> None:
    data = {name: name.encode() for name in ODD}
    archive = written(tmp_path, f"a.{kind}", (zip_of if kind == "zip" else tar_of)(data))
    files = unpack(archive, tmp_path / "out")
    assert sorted(map(str, files)) == sorted(ODD)
    assert all((tmp_path / "out" / name).read_bytes() == name.encode() for name in ODD)
    assert everything(tmp_path)[:1] == [f"a.{kind}"] and not list((tmp_path / "out").glob(".unpack*"))


def test_control_characters_become_underscores(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archive = written(tmp_path, "a.tar", tar_of({"line\nbreak\x1b[2J.mpg": b"x"}))
    assert unpack(archive, tmp_path / "out") == [Path("line_break_[2J.mpg")]
    assert "is written as" in caplog.text


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "\\evil", "a/..", "//evil"]
)
def test_names_that_leave_the_folder_write_nothing(tmp_path: Path, kind: str, name: str) -> None:
    members = {"good.txt": b"good", name: b"evil"}
    archive = written(tmp_path, f"a.{kind}", (zip_of if kind == "zip" else tar_of)(members))
    with pytest.raises(UserError, match="outside the target folder"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path) == [f"a.{kind}", "out"], "not even the good member"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    special = tarfile.TarInfo("link")
    special.type, special.linkname = kind, "/etc/passwd"
    archive = written(tmp_path, "a.tar", tar_of({"good": b""}, special))
    with pytest.raises(UserError, match="holds a link or device, 'link'"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path / "out") == []


def test_links_and_encryption_in_zip_are_refused(tmp_path: Path) -> None:
    for mode in (stat.S_IFLNK, stat.S_IFIFO):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            info = zipfile.ZipInfo("link")
            info.external_attr = (mode | 0o777) << 16
            file.writestr(info, "/etc")
        with pytest.raises(UserError, match="a link or device"):
            unpack(written(tmp_path, "a.zip", buffer.getvalue()), tmp_path / "out")
    data = bytearray(zip_of({"a": b"x"}))
    data[6] |= 1  # general purpose flag, local header and central directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UserError, match="encrypted"):
        unpack(written(tmp_path, "b.zip", bytes(data)), tmp_path / "out")


def test_link_in_the_target_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "s1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out of"):
        unpack(written(tmp_path, "a.zip", zip_of({"s1/x": b"x"})), tmp_path / "out")
    assert everything(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_decompression_bomb_stops_early(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.unpack.SMALL", 1 << 20)
    archive = written(tmp_path, f"a.{kind}", packed({"zeros": bytes(4 << 20)}, kind))
    with pytest.raises(UserError, match="decompression bomb"):
        unpack(archive, tmp_path / "out")
    assert everything(tmp_path / "out") == []
    small = written(
        tmp_path,
        f"b.{kind}",
        zip_of({"z": bytes(5000)}) if kind == "zip" else gzip.compress(tar_of({"z": bytes(5000)})),
    )
    with pytest.raises(UserError, match="decompression bomb"):
        unpack(small, tmp_path / "out", Limits(total_bytes=4000))


def test_too_many_members_and_doubles(tmp_path: Path) -> None:
    many = written(tmp_path, "a.tar", tar_of({str(number): b"" for number in range(20)}))
    with pytest.raises(UserError, match="too many members"):
        unpack(many, tmp_path / "out", Limits(members=19))
    double = written(tmp_path, "b.tar", tar_of({"x": b"1"}, tarfile.TarInfo("x")))
    with pytest.raises(UserError, match="'x' twice"):
        unpack(double, tmp_path / "out")
    with pytest.raises(UserError, match="unknown suffix"):
        unpack(written(tmp_path, "c.rar", b"Rar!"), tmp_path / "out")


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_broken_archives_are_sentences_and_leave_nothing_half(tmp_path: Path, kind: str) -> None:
    content = {f"s1/{number}.txt": struct.pack("I", number) * 500 for number in range(8)}
    if kind == "zip":
        data = zip_of(content)
    else:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:" + kind.partition(".")[2]) as file:  # type: ignore[call-overload]
            for name, body in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(body)
                file.addfile(info, io.BytesIO(body))
        data = buffer.getvalue()
    outcomes = set()
    for number in range(24):
        broken = bytearray(data)
        at = (number * 7919 + 13) % len(data)
        broken = broken[:at] if number % 2 else broken[:at] + bytes([broken[at] ^ 255]) + broken[at + 1 :]
        out = tmp_path / f"out{number}"
        try:
            files = unpack(written(tmp_path, f"a.{kind}", bytes(broken)), out)
            outcomes.add("whole")
            assert all(path.is_relative_to(tmp_path) for path in (out / file for file in files))
        except UserError as error:
            outcomes.add("damaged" if isinstance(error, DamagedArchive) else "refused")
            assert everything(out) == []
    assert "damaged" in outcomes
    assert all(name == f"a.{kind}" or name.startswith("out") for name in everything(tmp_path))
