"""Decoding: clocks, alignment of sound and picture, hostile files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from syncvoice.video.decode import REASONS, ClipProblem, FrameSource, decode_clip, decode_sound, fit, read_sound
from tests.unit.clip_files import blank_frames, clicks, face_frames, real_data, turn, write_video


def levels(source: FrameSource) -> list[int]:
    """Numbers that `blank_frames` wrote into the pictures."""
    return [round(frame.mean() / 3) for frame in source]


def test_25_fps_is_taken_frame_by_frame(tmp_path: Path) -> None:
    clip = decode_clip(write_video(tmp_path / "a.mkv", blank_frames(40), clicks(40 * 960)))
    assert clip.n_frames == 40
    assert levels(clip.frames) == list(range(40))
    assert clip.audio.shape == (40 * 960,) and clip.audio.dtype == np.float32


@pytest.mark.parametrize(
    ("fps", "count", "expected"),
    [
        (50, 80, [2 * k for k in range(40)]),
        (30, 60, [min(range(60), key=lambda i, k=k: (abs(i / 30 - k / 25), i)) for k in range(50)]),
        (Fraction(30000, 1001), 60, None),
        (15, 30, None),
    ],
)
def test_other_rates_take_the_nearest_picture(tmp_path: Path, fps: Fraction, count: int, expected: list[int]) -> None:
    path = write_video(tmp_path / "a.mkv", blank_frames(count), None, fps=fps)
    found = levels(FrameSource(path))
    rate = float(fps)
    assert abs(len(found) - count / rate * 25) <= 0.51
    if expected is not None:
        assert found == expected
    # the picture shown at k / 25 s is never further away than half a source frame (mkv rounds times to 1 ms)
    assert all(abs(shown / rate - k / 25) <= 0.5 / rate + 0.0021 for k, shown in enumerate(found[:-1]))


def test_variable_rate_holds_a_picture_through_a_pause(tmp_path: Path) -> None:
    times = [Fraction(k, 25) for k in range(10)] + [Fraction(k + 10, 25) for k in range(10, 20)]
    found = levels(FrameSource(write_video(tmp_path / "a.mkv", blank_frames(20), None, times=times)))
    assert len(found) == 30
    assert found[:10] == list(range(10)) and found[20:] == list(range(10, 20))
    assert set(found[10:20]) == {9, 10}


def test_jumping_time_stamps_are_a_broken_file(tmp_path: Path) -> None:
    times = [Fraction(k, 25) + (100 if k > 10 else 0) for k in range(20)]
    assert reason_of(write_video(tmp_path / "a.mkv", blank_frames(20), clicks(20 * 960), times=times)) == "broken_file"
    late = write_video(tmp_path / "b.mkv", blank_frames(20), clicks(20 * 960), sound_from=90.0)
    assert reason_of(late) == "broken_file"


def test_sound_that_starts_late_is_led_by_silence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", blank_frames(50), clicks(45 * 960, at=(4800,)), sound_from=0.2)
    clip = decode_clip(path)
    assert np.argmax(np.abs(clip.audio) > 0.4) == pytest.approx(4800 + 0.2 * 24_000, abs=24)


def test_sound_that_starts_before_the_picture_is_cut(tmp_path: Path) -> None:
    times = [Fraction(k, 25) + Fraction(1, 5) for k in range(50)]
    path = write_video(tmp_path / "a.mkv", blank_frames(50), clicks(55 * 960, at=(12_000,)), times=times)
    clip = decode_clip(path)
    assert clip.n_frames == 50
    assert np.argmax(np.abs(clip.audio) > 0.4) == pytest.approx(12_000 - 0.2 * 24_000, abs=24)


def test_sound_is_resampled_and_cut_to_the_picture(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(3 * 44_100) / 44_100).astype(np.float32) * 0.5
    clip = decode_clip(write_video(tmp_path / "a.mkv", blank_frames(74), tone, rate=44_100))
    assert len(clip.audio) == 74 * 960
    spectrum = np.abs(np.fft.rfft(clip.audio))
    assert np.argmax(spectrum) * 24_000 / len(clip.audio) == pytest.approx(440, abs=1)


def test_fit_pads_and_cuts() -> None:
    assert fit(np.ones(5, np.float32), 3).tolist() == [1, 1, 1]
    assert fit(np.ones(2, np.float32), 4).tolist() == [1, 1, 0, 0]


def test_frames_can_be_read_twice_with_and_without_cache(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", blank_frames(30), None)
    small = FrameSource(path, cache_bytes=1000)
    assert levels(small) == levels(small) == levels(FrameSource(path)) == list(range(30))


def reason_of(path: Path, **options: float) -> str:
    with pytest.raises(ClipProblem) as caught:
        decode_clip(path, **options)
    assert caught.value.reason in REASONS
    assert str(path.parent) not in caught.value.message, "messages must not hold paths of the machine"
    return caught.value.reason


def test_frames_are_what_pyav_converts_one_by_one(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", face_frames(12), None)
    with av.open(str(path)) as file:
        wanted = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert np.array_equal(np.stack(list(FrameSource(path))), np.stack(wanted))


def test_some_frames_can_be_picked(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", blank_frames(20), None)
    read = FrameSource(path)
    every = list(read)
    for source in (FrameSource(path), read):
        picked = source.pick({3, 0, 11})
        assert sorted(picked) == [0, 3, 11]
        assert all(np.array_equal(frame, every[number]) for number, frame in picked.items())
    with pytest.raises(ClipProblem, match="no frame 20"):
        FrameSource(path).pick({4, 20})


def test_hostile_files_become_reasons(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4", face_frames(40), clicks(40 * 960), sound_codec="aac")
    truncated = tmp_path / "truncated.mp4"
    truncated.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    text = tmp_path / "text.mp4"
    text.write_text("this is no video")
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    (tmp_path / "folder.mp4").mkdir()
    for path in (truncated, text, empty, tmp_path / "missing.mp4", tmp_path / "folder.mp4"):
        assert reason_of(path) == "broken_file", path.name


def test_damaged_files_decode_or_become_reasons(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4", face_frames(15), clicks(15 * 960), sound_codec="aac").read_bytes()
    rng = np.random.default_rng(1)
    outcomes = set()
    for number in range(20):
        data = bytearray(good if number % 2 else good[: int(rng.integers(len(good)))])
        for position in rng.integers(0, len(data), 1 + 10 * (number % 4)):
            data[position] ^= int(rng.integers(1, 256))
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(data)
        try:
            clip = decode_clip(path)
            assert len(clip.audio) == 960 * clip.n_frames
            outcomes.add("decoded")
        except ClipProblem as problem:
            assert problem.reason in REASONS
            outcomes.add(problem.reason)
    assert "broken_file" in outcomes


def test_missing_streams_and_lengths(tmp_path: Path) -> None:
    assert reason_of(write_video(tmp_path / "silent.mkv", blank_frames(30), None)) == "no_audio"
    assert reason_of(write_video(tmp_path / "short.mkv", blank_frames(5), clicks(5 * 960))) == "too_short"
    half = write_video(tmp_path / "half.mkv", blank_frames(40), clicks(20 * 960))
    assert reason_of(half) == "length_mismatch"
    assert decode_clip(half, tolerance_frames=20).n_frames == 40
    import soundfile

    soundfile.write(tmp_path / "sound.wav", clicks(24_000), 24_000)
    assert reason_of(tmp_path / "sound.wav") == "no_video"


def test_sound_only_clip_is_cut_to_whole_frames(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", clicks(24_000 + 500), 24_000)
    audio, n_frames = decode_sound(tmp_path / "a.wav")
    assert n_frames == 25 and len(audio) == 25 * 960


@pytest.mark.parametrize("name", ["with space.mkv", 'it\'s "quoted".mkv', "-leading.mkv", "über 100%.mkv", "a:b.mkv"])
def test_odd_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_video(Path(name), blank_frames(12), clicks(12 * 960))
    assert decode_clip(path).n_frames == 12


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_honoured(tmp_path: Path, degrees: int) -> None:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:32, :48] = 255  # the upper left quarter is white
    path = turn(write_video(tmp_path / "a.mp4", [frame] * 12, clicks(12 * 960), sound_codec="aac"), degrees)
    shown = next(iter(FrameSource(path)))
    expected = np.rot90(frame, -degrees // 90)
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 10 < np.abs(shown.astype(int) - 255 + expected).mean()


def test_read_sound_averages_channels_of_all_formats(tmp_path: Path) -> None:
    import soundfile

    stereo = np.stack([np.full(24_000, 0.5), np.full(24_000, -0.1)], axis=1)
    for subtype in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE"):
        soundfile.write(tmp_path / f"{subtype}.wav", stereo, 24_000, subtype=subtype)
        assert np.allclose(read_sound(tmp_path / f"{subtype}.wav", None)[100:-100], 0.2, atol=0.006)


@pytest.mark.skipif(not real_data("grid").is_dir(), reason="no GRID clips at hand")
@pytest.mark.parametrize("name", ["s1/bbaf3s", "s22/lbbc2a"])
def test_real_grid_clip(name: str) -> None:
    clip = decode_clip(real_data("grid") / f"{name}.mpg")
    assert clip.n_frames == 75 and len(clip.audio) == 72_000
    assert next(iter(clip.frames)).shape == (288, 360, 3)
    assert 0.01 < np.abs(clip.audio).max() <= 1
