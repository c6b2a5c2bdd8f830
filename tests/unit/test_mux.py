"""Dubbing a video: picture untouched, sound on time, marked as synthetic, same bytes."""

import csv
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.datasets.tasks import TaskJob, make_task
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.tasks import write_task
from syncvoice.video.decode import FrameSource, decode_clip
from syncvoice.video.mux import put_sound
from tests.unit.clip_files import blank_frames, clicks, face_frames, real_data, write_video

CLICKS = (2400, 12_000, 24_000)
N = 40


def click_positions(audio: np.ndarray) -> list[int]:
    """Start of each click of `CLICKS` in decoded sound."""
    positions = []
    for expected in CLICKS:
        window = np.abs(audio[expected - 1000 : expected + 1000])
        positions.append(expected - 1000 + int(np.argmax(window > 0.5 * window.max())))
    return positions


def packets(path: Path) -> list[bytes]:
    with av.open(f"file:{path}") as source:
        return [bytes(packet) for packet in source.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mpg", "mpeg1video"), ('-it\'s "odd" %d.mp4', "libx264")]
)
def test_clicks_are_on_time_and_the_picture_is_kept(tmp_path: Path, name: str, codec: str) -> None:
    sound_codec = "mp2" if name.endswith("mpg") else "aac"
    source = write_video(tmp_path / name, face_frames(N), clicks(N * 960), codec=codec, sound_codec=sound_codec)
    put_sound(source, clicks(N * 960, at=CLICKS), tmp_path / "out.mp4")
    clip = decode_clip(tmp_path / "out.mp4")
    assert clip.n_frames == N
    assert np.abs(np.array(click_positions(clip.audio)) - CLICKS).max() <= 0.005 * 24_000
    if codec == "libx264":
        assert packets(tmp_path / "out.mp4") == packets(source), "packets are copied, not encoded again"
    for ours, theirs in zip(FrameSource(tmp_path / "out.mp4"), FrameSource(source), strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < 4


def test_late_picture_starts_at_zero(tmp_path: Path) -> None:
    from fractions import Fraction

    times = [Fraction(k, 25) + Fraction(1, 2) for k in range(N)]
    source = write_video(tmp_path / "a.mkv", blank_frames(N), clicks(N * 960), times=times)
    put_sound(source, clicks(N * 960, at=CLICKS), tmp_path / "out.mp4")
    clip = decode_clip(tmp_path / "out.mp4")
    assert clip.n_frames == N and abs(clip.frames.start_s) < 0.002
    assert np.abs(np.array(click_positions(clip.audio)) - CLICKS).max() <= 0.005 * 24_000


def test_marked_as_synthetic_and_repeatable(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", face_frames(12), clicks(12 * 960), sound_codec="aac")
    audio = np.random.default_rng(0).normal(0, 0.1, 12 * 960).astype(np.float32)
    for name in ("1.mp4", "2.mp4"):
        put_sound(source, audio, tmp_path / name)
    assert (tmp_path / "1.mp4").read_bytes() == (tmp_path / "2.mp4").read_bytes()
    put_sound(source, audio, tmp_path / "plain.mp4", synthetic=False, note="unmarked")
    put_sound(source, audio, tmp_path / "note.mp4", note="Model full.")
    with av.open(str(tmp_path / "1.mp4")) as marked, av.open(str(tmp_path / "plain.mp4")) as plain:
        assert "synthetic speech" in marked.metadata["comment"] and "synthetic" in marked.metadata["description"]
        assert "comment" not in plain.metadata
    with av.open(str(tmp_path / "note.mp4")) as noted:
        assert noted.metadata["comment"].endswith("synthetic speech, made by SyncVoice. Model full.")


def test_two_channels_at_48_khz(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", blank_frames(N), None)
    both = np.stack([clicks(N * 1920, at=tuple(2 * at for at in CLICKS)), np.zeros(N * 1920, np.float32)], axis=1)
    put_sound(source, both, tmp_path / "out.mp4", rate=48_000)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.audio[0].layout.name == "stereo"
        sound = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
    assert np.abs(sound[1]).max() < 0.01 < 0.3 < np.abs(sound[0]).max()
    assert np.abs(np.array(click_positions(sound[0, ::2])) - CLICKS).max() <= 0.005 * 24_000


def test_packets_are_written_in_the_order_of_their_times(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", face_frames(N), None)
    put_sound(source, clicks(N * 960), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        found = [(packet.pos, float(packet.dts * packet.time_base)) for packet in file.demux() if packet.size]
    times = [time for _, time in sorted(found)]
    assert max(before - after for before, after in zip(times, times[1:], strict=False)) < 0.1


def test_encoded_pictures_are_repeatable_too(tmp_path: Path) -> None:
    source = real_data("grid/s1/bbaf3s.mpg")
    if not source.exists():
        pytest.skip("the real recordings are not there; the made-up face encodes the same either way")
    made, garbage = set(), []
    for number in range(5):
        garbage.append(np.full((number * 137 + 1) * 1000, number, np.uint8))  # the encoder meets other memory
        put_sound(source, clicks(75 * 960), tmp_path / "out.mp4")
        made.add((tmp_path / "out.mp4").read_bytes())
    assert len(made) == 1


def test_odd_sides_are_encoded(tmp_path: Path) -> None:
    frames = [np.zeros((63, 65, 3), np.uint8)] * 12
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as target:
        stream = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 65, 63, "yuv444p"
        for frame in frames:
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        target.mux(stream.encode(None))
    put_sound(source, clicks(12 * 960), tmp_path / "out.mp4")
    assert next(iter(FrameSource(tmp_path / "out.mp4"))).shape == (62, 64, 3)


def test_unusable_input_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for source in (tmp_path / "text.mp4", tmp_path / "none.mp4"):
        with pytest.raises(UserError, match=source.name):
            put_sound(source, clicks(9600), tmp_path / "out.mp4")
    good = write_video(tmp_path / "a.mp4", blank_frames(12), None)
    with pytest.raises(UserError, match="shape"):
        put_sound(good, np.zeros((100, 3), np.float32), tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_mux_command(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", blank_frames(12), clicks(12 * 960), sound_codec="aac")
    first = Clip("a", "test", "d", "p", "", "", "en", "", "hello", video, tmp_path / "a.wav", 12)
    clips = [first, replace(first, id="b", video=tmp_path / "gone.mp4"), replace(first, id="c")]
    write_manifest(tmp_path / "m.gz", clips)
    write_task(tmp_path / "t.csv", make_task(clips, [], TaskJob(language="en", text="own", seed=0)))
    write_wav(tmp_path / "speech" / "x.wav", clicks(12 * 960), 24_000)
    with open(tmp_path / "speech" / "utterances.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["utterance", "point", "wav", "status", "message", "seconds_compute"])
        writer.writerow(["a", "", "x.wav", "ok", "", "1"])
        writer.writerow(["a", "f=1,l=2", "x.wav", "ok", "", "1"])
        writer.writerow(["b", "", "x.wav", "ok", "", "1"])
        writer.writerow(["c", "", "", "failed", "no reference", ""])
    names = {"--task": "t.csv", "--speech": "speech", "--manifest": "m.gz", "--out": "videos"}
    arguments = [part for name, value in names.items() for part in (name, str(tmp_path / value))]
    assert main(["mux", *arguments]) == 0
    with open(tmp_path / "videos" / "videos.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["ok", "ok", "failed", "failed"]
    assert (tmp_path / "videos" / "a.mp4").is_file() and (tmp_path / "videos" / "f=1,l=2" / "a.mp4").is_file()
    assert "gone.mp4" in rows[2]["message"] and rows[3]["message"] == "no reference"
