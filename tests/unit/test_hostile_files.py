"""Files of strangers: damaged, mislabelled, huge or oddly named ones become rows; nothing crashes, hangs or leaks."""

import csv
import os
import random
import signal
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import soundfile

from syncvoice.cli import main
from syncvoice.commands import prepare_shard as command
from syncvoice.datasets.base import SourceClip, check_id, read_dataset, safe_id
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.records.clips import clips_of, read_excluded
from syncvoice.video import decode
from syncvoice.video.decode import REASONS, ClipProblem, FrameSource, Limits, decode_clip, decode_sound
from syncvoice.video.prepare import PrepareSettings
from syncvoice.video.shown import Upright
from tests.unit.clip_files import StillFace, clicks, portrait, real_data, write_video

N = 12  # frames
SECONDS_PER_FILE = 5.0  # of processor time; whole ones take 0.02
LOOSE = {"min_face_pixels": 1}
NAMES = [
    "a space.mkv",
    "-leading dash.mkv",
    "--help.mkv",
    'it\'s "quoted".mkv',
    "two\nlines\r.mkv",
    "tab\t`touch gone`.mkv",
    "$(touch gone); touch gone &.mkv",
    "100%03d%s.mkv",
    "你好 ü.mkv",
    "deep/..folder/x .. y.mkv",
    "a:b|c*?<>\\.mkv",
    f"{'long' * 62}.mkv",
]


def still_frames() -> list[np.ndarray]:
    """Textured pictures of 64 x 64 pixels that move."""
    return [np.roll(portrait()[80:144, 80:144], k, axis=1) for k in range(N)]


def noise(n_frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, n_frames * 960).astype(np.float32)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Small whole files of the kinds that people have, real ones too where they are at hand."""
    folder = tmp_path_factory.mktemp("originals")
    files = [
        write_video(folder / "a.mp4", still_frames(), noise(N), sound_codec="aac"),
        write_video(folder / "b.mpg", still_frames(), noise(N), codec="mpeg1video", sound_codec="mp2"),
        write_video(folder / "c.mkv", still_frames(), noise(N)),
        write_video(folder / "d.avi", still_frames(), noise(N), codec="mpeg4"),
    ]
    soundfile.write(folder / "e.wav", noise(2 * N), 24_000)
    real = real_data("grid") / "s1" / "bbaf3s.mpg"
    return [*files, folder / "e.wav", *([real] if real.is_file() else [])]


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Cut the end off, flip bits, overwrite bytes at the start or end, or copy a stretch to another place."""
    changed = bytearray(data)
    kind, count = draw.randrange(5), draw.choice([1, 3, 10, 100])
    if kind == 0:
        return bytes(changed[: draw.randrange(len(data))])
    if kind == 1:
        for _ in range(count):
            changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif kind in (2, 3):  # headers lie at the start, those of MP4 at the end
        start, stop = (0, 400) if kind == 2 else (len(data) - 900, len(data))
        for _ in range(count):
            changed[draw.randrange(max(start, 0), min(stop, len(data)))] = draw.choice([0, 127, 128, 255])
    else:
        place, origin = draw.randrange(len(data)), draw.randrange(len(data))
        changed[place : place + draw.randrange(200)] = data[origin : origin + draw.randrange(200)]
    return bytes(changed)


def everything_below(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*")}


def too_slow(_: int, __: FrameType | None) -> None:
    raise RuntimeError("a file takes forever")


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Processor time of every clip; one that hangs fails the test."""
    taken: dict[str, float] = {}
    prepare_one = command._prepare_one

    def watched(source: SourceClip, *args: object) -> object:
        start = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, 4 * SECONDS_PER_FILE)
        try:
            return prepare_one(source, *args)  # type: ignore[arg-type]
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            taken[source.id] = time.process_time() - start

    before = signal.signal(signal.SIGPROF, too_slow)
    monkeypatch.setattr(command, "_prepare_one", watched)
    yield taken
    signal.signal(signal.SIGPROF, before)


def sources_of(files: list[Path]) -> list[SourceClip]:
    return [SourceClip(path.name, "test", "d", path, "text", "s", has_video=path.suffix != ".wav") for path in files]


def test_damaged_files_become_clips_or_rows(
    tmp_path: Path, originals: list[Path], timed: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrepareSettings, "make_detector", lambda settings: StillFace())
    inbox, out = tmp_path / "in", tmp_path / "out"
    inbox.mkdir()
    contents = [path.read_bytes() for path in originals]
    for seed in range(240):
        kind = seed % 5 if seed % 30 else len(originals) - 1  # a real clip is larger: fewer of them
        path = inbox / f"{seed:03d}{originals[kind].suffix}"
        path.write_bytes(damaged(contents[kind], random.Random(seed)))
    files = sorted(inbox.iterdir())
    before = everything_below(tmp_path)
    clips, excluded = command.prepare_shard(sources_of(files), inbox, out, PrepareSettings(**LOOSE))
    assert sorted([clip.id for clip in clips] + [row.clip for row in excluded]) == [path.name for path in files]
    assert set(Counter(row.reason for row in excluded)) <= set(REASONS)
    assert all(len(row.message) > 20 and str(tmp_path) not in row.message for row in excluded)
    assert len(clips) > 40 and len(excluded) > 40, "damage of both kinds"
    for clip in clips:
        sound, rate = soundfile.read(clip.audio)
        assert rate == 24_000 and len(sound) == clip.n_frames * 960 and np.isfinite(sound).all()
    assert {path.parts[0] for path in everything_below(tmp_path) - before} == {"out"}
    assert len(timed) == len(files) and max(timed.values()) < SECONDS_PER_FILE


def test_damaged_faces_go_through_the_real_detector(tmp_path: Path, timed: dict[str, float]) -> None:
    whole = write_video(
        tmp_path / "a.mp4", [np.roll(portrait(), k, axis=1) for k in range(N)], noise(N), sound_codec="aac"
    ).read_bytes()
    inbox = tmp_path / "in"
    inbox.mkdir()
    for seed in range(16):
        changed, draw = bytearray(whole), random.Random(seed)
        for _ in range(1 + seed):  # in the pictures, so that most files open and show rubbish
            changed[draw.randrange(len(whole) // 10, len(whole) * 8 // 10)] ^= 1 << draw.randrange(8)
        (inbox / f"{seed}.mp4").write_bytes(changed)
    files = sorted(inbox.iterdir())
    clips, excluded = command.prepare_shard(sources_of(files), inbox, tmp_path / "out", PrepareSettings())
    assert len(clips) + len(excluded) == len(files) and clips
    assert {row.reason for row in excluded} <= set(REASONS) and max(timed.values()) < SECONDS_PER_FILE


def test_names_of_any_kind_through_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(PrepareSettings, "make_detector", lambda settings: StillFace())
    folder = Path('-my "data"\n$(touch gone)')
    folder.mkdir()
    content = write_video(tmp_path / "a.mkv", still_frames(), noise(N)).read_bytes()
    names = [*NAMES, os.fsdecode(b"no utf-8 \xff\xfe.mkv")]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / name).with_suffix(".txt").write_text("hello")
    write_json(Path("s.json"), {"limits": LOOSE})
    before = everything_below(tmp_path)
    options = "prepare-shard --dataset wild --layout folder --split test --settings s.json --out o "
    options += "--manifest o/m.cuts.jsonl.gz"
    assert main([*options.split(), "--excluded", "o/e.csv", f"--corpus={folder}"]) == 0
    clips, (row,) = clips_of("o/m.cuts.jsonl.gz"), read_excluded("o/e.csv")
    assert len(clips) == len(NAMES) and {clip.video for clip in clips} == {folder / name for name in NAMES}
    assert sorted(path.name for path in Path("o/audio").iterdir()) == sorted(f"{clip.id}.wav" for clip in clips)
    assert (row.reason, row.media) == ("broken_file", "no utf-8 \\udcff\\udcfe.mkv") and "UTF-8" in row.message
    assert {path.parts[0] for path in everything_below(tmp_path) - before} == {"o"}


def test_tables_cannot_lead_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "wild"
    folder.mkdir()
    write_video(folder / "a.mkv", still_frames(), noise(N))
    for media, clip in (
        ("../secret.mkv", ""),
        ("/etc/passwd", ""),
        ("a.mkv", "../../x"),
        ("a.mkv", "/tmp/x"),
        ("a.mkv", "."),
    ):
        with open(folder / "clips.csv", "w", newline="") as file:
            csv.writer(file).writerows([("media", "text", "clip"), (media, "hello", clip)])
        with pytest.raises(UserError):
            read_dataset("folder", folder, "test")


def test_long_names_become_ids_that_fit_and_differ() -> None:
    first, second = safe_id("长" * 200 + "a"), safe_id("长" * 200 + "b")
    assert first != second and first == safe_id("长" * 200 + "a")
    for name in (first, second):
        check_id(name)
    assert safe_id("short name") == "short name"
    with pytest.raises(UserError, match="200 bytes"):
        check_id("x" * 201)


def reason_of(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(ClipProblem) as caught:
        decode_sound(path, limits=limits) if path.suffix in (".wav", ".flac") else decode_clip(path, limits=limits)
    return caught.value.reason


def test_a_tiny_file_with_a_huge_picture_is_refused_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = write_video(tmp_path / "a.mp4", [np.zeros((4320, 8192, 3), np.uint8)], clicks(960), sound_codec="aac")
    assert bomb.stat().st_size < 200_000 < 4320 * 8192 * 3
    monkeypatch.setattr(Upright, "rgb", lambda *_: pytest.fail("the picture was unfolded"))
    start = time.process_time()
    assert reason_of(bomb) == "too_large" and time.process_time() - start < 2
    with pytest.raises(ClipProblem, match="8192 x 4320 pixels, at most 1000 are taken"):
        FrameSource(bomb, limits=Limits(max_pixels=1000)).count()


def test_a_picture_that_grows_midway_is_refused(tmp_path: Path) -> None:
    small = write_video(tmp_path / "a.mpg", still_frames(), noise(N), codec="mpeg1video", sound_codec="mp2")
    large = write_video(
        tmp_path / "b.mpg", [np.zeros((320, 640, 3), np.uint8)] * 3, None, codec="mpeg1video", sound_codec="mp2"
    )
    (tmp_path / "c.mpg").write_bytes(small.read_bytes() + large.read_bytes())
    assert reason_of(tmp_path / "c.mpg", Limits(max_pixels=320 * 640 - 1)) in ("too_large", "broken_file")
    assert decode_clip(small, limits=Limits(max_pixels=64 * 64)).n_frames == N


def test_hours_in_a_tiny_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [Fraction(9 * k) for k in range(100)]  # each picture shown for 9 s
    film = write_video(tmp_path / "a.mkv", [np.zeros((64, 64, 3), np.uint8)] * 100, None, times=times)
    sound = tmp_path / "a.flac"
    soundfile.write(sound, np.zeros(900 * 24_000, np.int16), 24_000)
    assert film.stat().st_size < 50_000 and sound.stat().st_size < 100_000
    limits = Limits(max_seconds=600)
    for checked in ("by what the file says", "by what comes out of it"):
        assert (reason_of(film, limits), reason_of(sound, limits)) == ("too_long", "too_long"), checked
        monkeypatch.setattr(decode, "check_length", lambda *args: None)
    assert FrameSource(film, cache_bytes=0, limits=Limits(max_seconds=1000)).count() > 22_000


@pytest.mark.parametrize("rate", [0, 1, 3_999, 192_001, 2**31 - 1, 2**32 - 1])
def test_sound_of_absurd_rates_is_refused(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(30), 24_000)
    data = bytearray(path.read_bytes())
    data[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(data)
    assert reason_of(path, Limits(max_seconds=1e6)) in ("broken_file", "too_long")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    write_video(tmp_path / "secret.mkv", still_frames(), noise(N))
    playlists = {
        "concat": "ffconcat version 1.0\nfile secret.mkv\n",
        "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:10,\nsecret.mkv\n#EXT-X-ENDLIST\n",
    }
    for name, text in playlists.items():
        (tmp_path / f"{name}.mp4").write_text(text)
        assert reason_of(tmp_path / f"{name}.mp4") == "broken_file"
    assert decode_clip(tmp_path / "secret.mkv").n_frames == N


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zeros.mp4").symlink_to("/dev/zero")
    for name in ("pipe.mp4", "zeros.mp4"):
        with pytest.raises(ClipProblem, match="pipe or device"):
            decode_clip(tmp_path / name)


def test_a_stream_that_nothing_decodes_is_a_broken_file(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", still_frames(), noise(N), codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"zzzz"))
    with pytest.raises(ClipProblem, match="unknown kind"):
        decode_clip(path)
