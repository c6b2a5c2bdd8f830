"""Videos as people have them: program streams, phones held sideways, surround sound, tracks that start late."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from syncvoice.video.decode import ClipProblem, FrameSource, decode_clip, read_sound
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PrepareSettings, prepare_clip
from tests.unit.clip_files import blank_frames, clicks, face_frames, real_data, turn, write_video

SETTINGS = PrepareSettings()
CLICK = 24_000  # sample of the click in most files here


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return SETTINGS.make_detector()


def click_of(audio: np.ndarray) -> int:
    """Where the click is; lossy codecs smear it over a few samples."""
    return int(np.argmax(np.abs(audio)))


def test_program_stream_starts_where_its_clock_does(tmp_path: Path) -> None:
    """MPEG-1 in a program stream, the form of GRID: its clock does not start at zero."""
    levels = [np.full((64, 64, 3), 5 * k + 20, np.uint8) for k in range(45)]
    sound = clicks(45 * 960, at=(CLICK,))
    path = write_video(tmp_path / "a.mpg", levels, sound, codec="mpeg1video", sound_codec="mp2")
    clip = decode_clip(path)
    assert clip.frames.start_s > 0.1 and clip.n_frames == 45
    assert [round((frame.mean() - 20) / 5) for frame in clip.frames] == list(range(45))
    assert click_of(clip.audio) == pytest.approx(CLICK, abs=300)  # the encoder's filter bank delays by 240 samples


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("late", [-0.2, 0.0, 0.12, 0.4])
def test_start_of_each_track_is_honoured(tmp_path: Path, suffix: str, late: float) -> None:
    """Sound that starts later or earlier than the picture stays where the container puts it."""
    first = Fraction(max(-round(late * 1000), 0), 1000)
    times = [first + Fraction(k, 25) for k in range(60)]
    sound = clicks(60 * 960, at=(CLICK,))
    path = write_video(
        tmp_path / f"a{suffix}", blank_frames(60), sound, times=times, sound_from=max(late, 0.0), sound_codec="aac"
    )
    clip = decode_clip(path, tolerance_frames=12)
    assert clip.n_frames == 60
    assert click_of(clip.audio) == pytest.approx(CLICK + late * 24_000, abs=40)


def test_sound_that_misses_its_start_or_end_is_padded_with_silence(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 44 * 960).astype(np.float32)
    late = decode_clip(write_video(tmp_path / "late.mkv", blank_frames(50), noise, sound_from=6 * 0.04), 0.5)
    assert not late.audio[: 6 * 960 - 30].any() and np.abs(late.audio[6 * 960 :]).mean() > 0.05
    short = write_video(tmp_path / "short.mkv", blank_frames(50), noise)
    assert len(decode_clip(short, 6).audio) == 50 * 960 and not decode_clip(short, 6).audio[44 * 960 :].any()
    with pytest.raises(ClipProblem, match="44.0 video frames and the picture 50") as caught:
        decode_clip(short, 5)
    assert caught.value.reason == "length_mismatch"


@pytest.mark.parametrize(("codec", "suffix"), [("aac", ".mp4"), ("flac", ".mkv"), ("ac3", ".mpg")])
def test_surround_sound_keeps_the_speech_of_the_centre(tmp_path: Path, codec: str, suffix: str) -> None:
    """Channels FL FR FC LFE BL BR, each with a tone of its own; levels in the mix follow ITU-R BS.775."""
    time = np.arange(48_000 * 2) / 48_000
    tones = (300, 500, 700, 60, 1100, 1300)
    channels = np.stack([0.5 * np.sin(2 * np.pi * tone * time) for tone in tones])
    path = write_video(
        tmp_path / f"a{suffix}", blank_frames(50), channels, sound_codec=codec, rate=48_000, layout="5.1"
    )
    audio = read_sound(path, 0.0)[12_000:36_000]
    spectrum = np.abs(np.fft.rfft(audio)) / len(audio) * 2
    left, right, centre, bass, *back = (spectrum[tone] for tone in tones)
    assert centre / left == pytest.approx(2**0.5, rel=0.05) and right == pytest.approx(left, rel=0.05)
    assert bass < 0.01 * left and back == pytest.approx([left / 2**0.5] * 2, rel=0.05)
    assert np.abs(audio).max() <= 0.5 and centre > 0.1


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(30), Fraction(50), Fraction(24000, 1001)])
def test_mouth_and_sound_stay_together_at_any_rate(tmp_path: Path, fps: Fraction) -> None:
    """A white picture and a click at second 2; after resampling both are in frame 50, within half a source frame."""
    n = round(3 * fps)
    flash = round(2 * fps)
    frames = [np.full((64, 64, 3), 255 if k >= flash else 0, np.uint8) for k in range(n)]
    sound = clicks(3 * 24_000, at=(round(flash / float(fps) * 24_000),))
    clip = decode_clip(write_video(tmp_path / "a.mp4", frames, sound, fps=fps, sound_codec="aac"))
    shown = next(k for k, frame in enumerate(clip.frames) if frame.mean() > 128)
    assert abs(shown / 25 - click_of(clip.audio) / 24_000) <= 0.5 / float(fps) + 0.021


def test_phone_frames_of_variable_rate(tmp_path: Path) -> None:
    """About 30 fps with jitter and dropped frames: every instant shows the nearest picture, no drift."""
    draw = np.random.default_rng(3)
    times = [Fraction(round(1000 * k / 30 + draw.uniform(-8, 8)), 1000) for k in range(1, 90) if k % 11]
    times = [time - times[0] for time in times]
    path = write_video(tmp_path / "a.mp4", blank_frames(len(times)), None, times=times)
    shown = [round(frame.mean() / 3) for frame in FrameSource(path)]
    expected = [
        min(range(len(times)), key=lambda i, k=k: (abs(times[i] - Fraction(k, 25)), i)) for k in range(len(shown))
    ]
    assert shown == expected and len(shown) == pytest.approx(float(times[-1]) * 25, abs=2)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_phone_held_sideways_gives_the_same_face(tmp_path: Path, detector: FaceDetector, degrees: int) -> None:
    upright = face_frames(15)
    sound = clicks(15 * 960)
    plain = write_video(tmp_path / "a.mp4", upright, sound, sound_codec="aac")
    sideways = [np.ascontiguousarray(np.rot90(frame, degrees // 90)) for frame in upright]
    turned = turn(write_video(tmp_path / "b.mp4", sideways, sound, sound_codec="aac"), degrees)
    expected, found = (prepare_clip(path, detector, SETTINGS).track for path in (plain, turned))
    assert np.abs(expected.landmarks[:, :468, :2] - found.landmarks[:, :468, :2]).mean() < 0.7


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
def test_real_grid_clip_survives_what_phones_do_to_it(tmp_path: Path, detector: FaceDetector) -> None:
    """A GRID clip as 30 fps H.264 held sideways with late sound gives nearly the same mouth as the original."""
    source = sorted(real_data("grid").rglob("*.mpg"))[100]
    original = prepare_clip(source, detector, SETTINGS)
    clip = decode_clip(source)
    frames = list(clip.frames)
    sideways = [np.ascontiguousarray(np.rot90(frames[min(round(k / 30 * 25), 74)])) for k in range(90)]
    path = turn(
        write_video(tmp_path / "phone.mp4", sideways, clip.audio[4800:], fps=30, sound_from=0.2, sound_codec="aac"),
        90,
    )
    phone = prepare_clip(path, detector, SETTINGS)
    assert phone.n_frames == 75 and phone.track.found.all()
    difference = np.abs(original.track.landmarks[:, :468, :2] - phone.track.landmarks[:, :468, :2]).mean()
    assert difference < 2.0
    shifts = [
        np.corrcoef(original.audio[6000 + k : 70_000 + k], phone.audio[6000:70_000])[0, 1] for k in range(-24, 25)
    ]
    assert max(shifts) > 0.99, "an MP4 tells the start of a track to the millisecond, 24 samples"
    assert cv2.imdecode(phone.mouth[10], cv2.IMREAD_GRAYSCALE).shape == (96, 96)
