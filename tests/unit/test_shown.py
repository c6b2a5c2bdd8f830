"""One clock for what a player shows: copied or encoded, the dubbed picture is what was shown, from its start on."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from syncvoice.video.decode import ClipProblem, FrameSource, decode_clip
from syncvoice.video.mux import picture_seconds, put_sound
from syncvoice.video.shown import fitted, look_at
from tests.unit.clip_files import blank_frames, clicks, write_video

N = 60


def shown(path: Path) -> tuple[list[float], np.ndarray]:
    """Times from the first frame and grey levels, by the decoder alone (no code of ours)."""
    with av.open(f"file:{path}") as source:
        frames = list(source.decode(video=0))
    times = [float(frame.pts * frame.time_base) for frame in frames]
    greys = [frame.to_ndarray(format="gray").mean() for frame in frames]
    return [time - times[0] for time in times], np.array(greys)


def remuxed(source: Path, target: Path, keep: Callable[[int], bool], shift: Fraction = Fraction(0)) -> Path:
    """Copy the packets that `keep` accepts by number, without decoding, with their times moved back by `shift`."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        number = -1
        for packet in old.demux():
            if packet.dts is None:
                continue
            number += packet.stream.type == "video"
            if packet.stream.type == "video" and not keep(number):
                continue
            packet.pts -= round(shift / packet.time_base)
            packet.dts -= round(shift / packet.time_base)
            packet.stream = copies[packet.stream.index]
            new.mux(packet)
    return target


def long_clip(path: Path, group: int = 25, between: int = 0) -> Path:
    """A clip of N frames at 25 fps whose grey level tells the frame, a key frame every `group`."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "10", "x264-params": f"keyint={group}:scenecut=0:bframes={between}"}
        for number, image in enumerate(blank_frames(N)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def agree(source: Path, out: Path) -> str:
    """Dub, and hold the result against what is shown of the source; returns the sentence."""
    length = FrameSource(source).count()
    said = put_sound(source, clicks(length * 960, at=(2400, 12_000)), out)
    (times, greys), (new_times, new_greys) = shown(source), shown(out)
    assert new_times == pytest.approx(times, abs=0.011), "the same frames at the same times"
    np.testing.assert_allclose(new_greys, greys, atol=4)
    ours, theirs = list(FrameSource(out)), list(FrameSource(source))
    assert len(ours) == len(theirs), "speech is made for these frames"
    for mine, other in zip(ours, theirs, strict=True):
        assert np.abs(mine.astype(int) - other).mean() < 5
    assert float(picture_seconds(out)) == pytest.approx(float(picture_seconds(source)), abs=0.011)
    sound = decode_clip(out, tolerance_frames=2).audio
    assert abs(int(np.argmax(np.abs(sound[1400:3400]) > 0.3)) + 1400 - 2400) <= 120, "sound starts with the picture"
    return said


@pytest.mark.parametrize("between", [0, 2])
@pytest.mark.parametrize("cut_s", ["0.2", "0.52", "0.96"])
def test_edit_lists_hide_what_lies_before_the_cut(tmp_path: Path, cut_s: str, between: int) -> None:
    source = long_clip(tmp_path / "long.mp4", between=between)
    cut = remuxed(source, tmp_path / "cut.mp4", lambda number: True, Fraction(cut_s))
    assert FrameSource(cut).count() == N - round(float(cut_s) * 25)
    assert "shown by no player" in agree(cut, tmp_path / "out.mp4")


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
@pytest.mark.parametrize("lost", [1, 7, 24])
def test_a_stream_that_begins_between_key_frames(tmp_path: Path, suffix: str, lost: int) -> None:
    source = long_clip(tmp_path / "long.mkv")
    cut = remuxed(source, tmp_path / f"cut.{suffix}", lambda number: number >= lost)
    agree(cut, tmp_path / "out.mp4")


@pytest.mark.parametrize("start", ["-0.4", "0.08", "1.48", "-0.04"])
@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_negative_and_late_starts(tmp_path: Path, suffix: str, start: str) -> None:
    source = long_clip(tmp_path / "long.mkv", group=10, between=2)
    moved = remuxed(source, tmp_path / f"moved.{suffix}", lambda number: True, -Fraction(start))
    agree(moved, tmp_path / "out.mp4")


def test_plain_clips_are_copied_and_nothing_is_said(tmp_path: Path) -> None:
    for number, between in enumerate((0, 2)):
        source = long_clip(tmp_path / f"{number}.mp4", between=between)
        assert agree(source, tmp_path / "out.mp4") == ""
        with av.open(str(source)) as old, av.open(str(tmp_path / "out.mp4")) as new:
            old_packets, new_packets = ([bytes(p) for p in file.demux(video=0) if p.size] for file in (old, new))
        assert old_packets == new_packets


@pytest.mark.parametrize("name", ["a.h264", "a.avi"])
def test_videos_without_time_stamps(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    codec = "libx264" if name.endswith("h264") else "mpeg4"
    write_video(path, blank_frames(30), None, codec=codec)
    out = tmp_path / "out.mp4"
    put_sound(path, clicks(30 * 960), out)
    assert len(shown(out)[0]) == 30 and float(picture_seconds(out)) == pytest.approx(1.2, abs=0.011)


def packed_avi(path: Path) -> Path:
    """MPEG-4 as DivX 5 wrote it into AVI: a B frame travels in the packet before its own, which is left a stump."""
    codec = av.CodecContext.create("mpeg4", "w")
    codec.width = codec.height = 64
    codec.pix_fmt, codec.time_base, codec.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
    codec.max_b_frames, codec.options = 1, {"bf": "1", "q": "2"}
    packets: list[bytes] = []
    for number, image in enumerate([*blank_frames(31), None]):
        frame = None if image is None else av.VideoFrame.from_ndarray(image, format="rgb24")
        if frame is not None:
            frame.pts, frame.time_base = number, Fraction(1, 25)
        packets += [bytes(packet) for packet in codec.encode(frame)]
    writer = packets[0][packets[0].index(b"Lavc") :][:13]
    packets = [packet.replace(writer, b"DivX503b1393p") for packet in packets]
    stump = bytes.fromhex("000001b6507f")
    packed = packets[:1] + [part for at in range(1, 31, 2) for part in (packets[at] + packets[at + 1], stump)]
    with av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number, data in enumerate(packed):
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            packet.is_keyframe = number == 0
            target.mux(packet)
    return path


def test_packed_frames_of_old_avi_are_shown_once(tmp_path: Path) -> None:
    source, out = packed_avi(tmp_path / "a.avi"), tmp_path / "out.mp4"
    greys = [image.mean() for image in FrameSource(source)]
    assert len(greys) in (30, 31), "stumps are no frames"
    np.testing.assert_allclose(greys, [3 * number for number in range(len(greys))], atol=4)
    put_sound(source, clicks(30 * 960), out)
    made = [image.mean() for image in FrameSource(out)]
    np.testing.assert_allclose(made, greys, atol=4)
    assert float(picture_seconds(out)) == pytest.approx(float(picture_seconds(source)), abs=0.011)


@pytest.mark.parametrize("fps", ["24", "25", "24000/1001", "30000/1001", "50", "60", "12.5", "15"])
def test_encoded_pictures_keep_their_rate(tmp_path: Path, fps: str) -> None:
    source = write_video(tmp_path / "a.mkv", blank_frames(40), None, fps=Fraction(fps), codec="ffv1")
    assert "ffv1" in agree(source, tmp_path / "out.mp4")


def test_encoded_pictures_keep_irregular_times(tmp_path: Path) -> None:
    times = [Fraction(number**2, 900) for number in range(40)]
    source = write_video(tmp_path / "a.mkv", blank_frames(40), None, times=times, codec="ffv1")
    assert "ffv1" in agree(source, tmp_path / "out.mp4")


# What a player does with the picture, as (a, b, c, d) of the display matrix, and the same in numpy.
TURNS = {
    "upright": ((1, 0, 0, 1), lambda image: image),
    "clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "half": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "anticlockwise": ((0, -1, 1, 0), lambda image: np.rot90(image)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "flipped": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "transposed the other way": ((0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
}


def with_matrix(path: Path, values: tuple[int, ...]) -> Path:
    """Replace the display matrix of an MP4."""
    a, b, c, d = ((value << 16).to_bytes(4, "big", signed=True) for value in values)
    one, zero = (1 << 16).to_bytes(4, "big"), bytes(4)
    data = bytearray(path.read_bytes())
    position = data.index(one + 3 * zero + one, data.index(b"tkhd"))
    data[position : position + 20] = a + b + zero + c + d
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("kind", TURNS)
def test_turned_and_mirrored_pictures_are_upright_everywhere(tmp_path: Path, kind: str) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = (220, 30, 30), (30, 220, 30), (30, 30, 220)  # four corners
    matrix, turned = TURNS[kind]
    source = with_matrix(write_video(tmp_path / "a.mp4", [image] * 12, None), matrix)
    said = put_sound(source, clicks(12 * 960), tmp_path / "out.mp4")
    assert ("mirrored" in said) == (kind != "upright")
    for path in (source, tmp_path / "out.mp4"):
        found = next(iter(FrameSource(path)))
        assert found.shape == turned(image).shape and np.abs(found.astype(int) - turned(image)).mean() < 12
    with av.open(str(tmp_path / "out.mp4")) as file:
        frame = next(file.decode(video=0))
        assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - turned(image)).mean() < 12


def odd_pixels(path: Path, shape: Fraction, codec: str) -> Path:
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 72, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = shape
        for image in blank_frames(12):
            frame = np.ascontiguousarray(np.broadcast_to(image[:, :1], (64, 72, 3)))
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "mkv"), ("libx264", "mkv"), ("mpeg4", "avi")])
@pytest.mark.parametrize("shape", ["64/45", "16/15", "8/9", "1"])
def test_pixel_shapes_are_kept(tmp_path: Path, shape: str, codec: str, suffix: str) -> None:
    source = odd_pixels(tmp_path / f"a.{suffix}", Fraction(shape), codec)
    put_sound(source, clicks(12 * 960), tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert (file.streams.video[0].sample_aspect_ratio or Fraction(1)) == Fraction(shape)
    source = with_matrix(odd_pixels(tmp_path / "a.mp4", Fraction(shape), "libx264"), (0, 1, -1, 0))
    put_sound(source, clicks(12 * 960), tmp_path / "turned.mp4")
    with av.open(str(tmp_path / "turned.mp4")) as file:
        assert (file.streams.video[0].sample_aspect_ratio or Fraction(1)) == 1 / Fraction(shape)


def tagged(path: Path, codec: str, matrix: int, primaries: int, transfer: int) -> Path:
    """Three coloured stripes whose file says what its numbers mean."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :32], image[:, 32:64], image[:, 64:] = (200, 30, 30), (30, 180, 40), (40, 60, 200)
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 4_000_000
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc = matrix, primaries, transfer
        for number in range(12):
            space = {"dst_colorspace": matrix} if matrix != 2 else {}
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p", **space)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def colours(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Tags of the first picture, and its stripes."""
    with av.open(str(path)) as file:
        frame, context = next(file.decode(video=0)), file.streams.video[0].codec_context
        tags = int(frame.colorspace), int(context.color_primaries), int(context.color_trc)
        return tags, frame.reformat(format="rgb24").to_ndarray()[32, [16, 48, 80]].astype(int)


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg2video", "mpg"), ("mpeg2video", "mkv"), ("libx264", "mp4")])
@pytest.mark.parametrize("tags", [(1, 1, 1), (5, 5, 6), (6, 6, 6), (9, 9, 14), (2, 2, 2)])
def test_colours_look_alike_and_keep_their_tags(
    tmp_path: Path, codec: str, suffix: str, tags: tuple[int, int, int]
) -> None:
    source = tagged(tmp_path / f"a.{suffix}", codec, *tags)
    put_sound(source, clicks(12 * 960), tmp_path / "out.mp4")
    (before, seen), (after, shown) = colours(source), colours(tmp_path / "out.mp4")
    assert before == after == tags
    assert np.abs(seen - shown).max() < 6


@pytest.mark.parametrize("second", [(128, 128), (32, 32), (64, 128), (96, 48)])
def test_frames_whose_size_changes_are_shown_whole(tmp_path: Path, second: tuple[int, int]) -> None:
    data = b""
    for number, (height, width) in enumerate([(64, 64), second]):
        image = np.zeros((height, width, 3), np.uint8)
        image[height // 2 :, width // 2 :] = 240  # the corner that would be lost
        data += write_video(tmp_path / f"{number}.h264", [image] * 15, None).read_bytes()
    (tmp_path / "both.h264").write_bytes(data)
    said = put_sound(tmp_path / "both.h264", clicks(30 * 960), tmp_path / "out.mp4")
    assert "size of the picture changes" in said
    frames = list(FrameSource(tmp_path / "out.mp4"))
    assert {frame.shape for frame in frames} == {(64, 64, 3)} and len(frames) == 30
    scale = min(64 / second[0], 64 / second[1])
    bottom, right = round(32 + second[0] * scale / 4), round(32 + second[1] * scale / 4)
    assert frames[20][bottom, right].mean() > 200 and frames[20][64 - bottom, 64 - right].mean() < 40


def test_fitted_pictures_keep_their_proportions() -> None:
    wide = fitted(np.full((10, 40, 3), 200, np.uint8), 64, 64)
    assert wide.shape == (64, 64, 3) and wide[24:40].min() == 200 and wide[:23].max() == 0


def cover(path: Path) -> Path:
    """An MP4 whose first stream is a picture of a cover."""
    import cv2

    jpeg = cv2.imencode(".jpg", np.full((300, 300, 3), 255, np.uint8))[1].tobytes()
    source = write_video(path.with_name("plain.mkv"), blank_frames(20), clicks(20 * 960), codec="mpeg4")
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        still = new.add_stream("mjpeg")
        still.width = still.height = 300
        still.pix_fmt = "yuvj420p"
        still.disposition = av.stream.Disposition.attached_pic
        copies = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        packet = av.Packet(jpeg)
        packet.stream, packet.pts, packet.dts, packet.time_base = still, 0, 0, Fraction(1, 25)
        new.mux(packet)
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                new.mux(packet)
    return path


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = cover(tmp_path / "a.mkv")
    with av.open(str(path)) as file:
        covers = [bool(s.disposition & av.stream.Disposition.attached_pic) for s in file.streams.video]
    if not any(covers):
        pytest.skip("this FFmpeg writes no cover into Matroska")
    assert FrameSource(path).count() == 20 and next(iter(FrameSource(path))).shape == (64, 64, 3)
    put_sound(path, clicks(20 * 960), tmp_path / "out.mp4")
    assert FrameSource(tmp_path / "out.mp4").count() == 20


def encoder(*names: str) -> Iterator[str]:
    """The first of some encoders that this build has."""
    for name in names:
        if name in av.codecs_available:
            yield name
            return


@pytest.mark.parametrize("codec", [*encoder("libsvtav1", "libaom-av1"), *encoder("libvpx-vp9"), *encoder("libx265")])
def test_codecs_that_mp4_holds_are_copied(tmp_path: Path, codec: str) -> None:
    source = write_video(tmp_path / "a.mkv", blank_frames(20), None, codec=codec)
    assert look_at(source).obstacle == ""
    assert put_sound(source, clicks(20 * 960), tmp_path / "out.mp4") == ""
    with av.open(str(source)) as old, av.open(str(tmp_path / "out.mp4")) as new:
        assert old.streams.video[0].codec_context.codec.canonical_name == (
            new.streams.video[0].codec_context.codec.canonical_name
        )


def test_nothing_decodable_is_a_problem(tmp_path: Path) -> None:
    source = remuxed(long_clip(tmp_path / "a.mkv", group=250), tmp_path / "cut.ts", lambda number: number >= 55)
    with pytest.raises(ClipProblem, match="no decodable picture|cannot be decoded"):
        look_at(source)
