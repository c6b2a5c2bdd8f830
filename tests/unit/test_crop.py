"""Crops: where points land, shrinking, JPEG, the track shard, and a whole clip."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.section import validated
from syncvoice.video.crop import LIPS, box_transforms, crops, decode_jpeg, encode_jpeg, mouth_transforms, warp
from syncvoice.video.decode import ClipProblem
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PreparedClip, PrepareSettings, mouth_and_audio, prepare_clip, track_video
from syncvoice.video.store import TrackReader, TrackWriter
from syncvoice.video.track import read_mouth
from tests.unit.clip_files import blank_frames, clicks, face_frames, portrait, write_video

SETTINGS = PrepareSettings()


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return SETTINGS.make_detector()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clip") / "a.mkv", face_frames(20), clicks(20 * 960, at=(4800,)))


@pytest.fixture(scope="module")
def prepared(video: Path, detector: FaceDetector) -> PreparedClip:
    return prepare_clip(video, detector, SETTINGS)


def test_box_maps_to_the_whole_crop() -> None:
    boxes = np.array([[10.0, 20.0, 34.0, 44.0]])
    frame = np.zeros((64, 64), np.uint8)
    frame[20:44, 10:34] = 200
    (matrix,) = box_transforms(boxes, 24)
    assert warp(frame, matrix, 24).min() == 200
    (wide,) = box_transforms(boxes, 48, margin=0.5)
    shown = warp(frame, wide, 48)
    assert shown[12:36, 12:36].min() == 200 and shown[:12].max() == 0 and shown[:, 36:].max() == 0


def test_strong_shrinking_averages_instead_of_aliasing() -> None:
    board = np.indices((400, 400)).sum(axis=0) % 2 * 255
    (matrix,) = box_transforms(np.array([[0.0, 0.0, 400.0, 400.0]]), 50)
    small = warp(np.repeat(board[..., None], 3, 2).astype(np.uint8), matrix, 50)
    assert small.shape == (50, 50, 3) and np.abs(small.astype(int) - 128).max() <= 4


def test_shrinking_keeps_the_place() -> None:
    frame = np.zeros((640, 640), np.uint8)
    frame[:, 320:] = 255
    (matrix,) = box_transforms(np.array([[0.0, 0.0, 640.0, 640.0]]), 64)
    row = warp(frame, matrix, 64)[32]
    assert row[:31].max() == 0 and row[33:].min() == 255


@pytest.mark.parametrize("size", [96, 192])
def test_lips_are_centred_and_level(prepared: PreparedClip, size: int) -> None:
    landmarks = prepared.track.landmarks
    matrices = mouth_transforms(landmarks, size)
    lips = np.einsum("nij,npj->npi", matrices[:, :, :2], landmarks[:, LIPS, :2]) + matrices[:, None, :, 2]
    assert np.abs(lips.mean(axis=(0, 1)) - (size - 1) / 2).max() < 0.03 * size
    width = np.ptp(lips[:, :, 0], axis=1).mean() / size
    assert 0.35 < width < 0.85
    assert lips.min() > 0 and lips.max() < size


def test_mouth_crop_does_not_depend_on_resolution(detector: FaceDetector) -> None:
    import cv2

    small = [portrait()] * 3
    large = [cv2.resize(portrait(), (672, 672), interpolation=cv2.INTER_CUBIC)] * 3
    shown = []
    for frames in (small, large):
        landmarks, _ = detector.detect(frames)
        shown.append(next(crops(frames[:1], mouth_transforms(landmarks)[:1], 96)).astype(float))
    assert np.corrcoef(shown[0].ravel(), shown[1].ravel())[0, 1] > 0.95


def test_jpeg_keeps_the_picture() -> None:
    assert np.abs(decode_jpeg(encode_jpeg(portrait()), colour=True).astype(int) - portrait()).mean() < 4
    grey = portrait()[..., 0]
    assert np.abs(decode_jpeg(encode_jpeg(grey), colour=False).astype(int) - grey).mean() < 3


def test_prepared_clip_has_one_entry_per_frame(prepared: PreparedClip) -> None:
    assert prepared.n_frames == len(prepared.mouth) == len(prepared.face) == 20
    assert prepared.track.landmarks.shape == (20, 478, 3) and len(prepared.audio) == 20 * 960
    assert decode_jpeg(prepared.mouth[0], colour=False).shape == (96, 96)
    assert decode_jpeg(prepared.face[0], colour=True).shape == (112, 112, 3)


def test_track_shard_reads_back_and_repeats_byte_by_byte(
    tmp_path: Path, prepared: PreparedClip, video: Path, detector: FaceDetector
) -> None:
    digests = []
    for number in range(2):
        again = prepare_clip(video, detector, SETTINGS)
        with TrackWriter(tmp_path / f"{number}.h5") as writer:
            writer.add("a clip", again.track, again.mouth, again.face)
        digests.append(hashlib.sha256((tmp_path / f"{number}.h5").read_bytes()).hexdigest())
    assert digests[0] == digests[1]
    with TrackReader(tmp_path / "0.h5") as reader:
        assert list(reader.clips()) == ["a clip"]
        assert np.array_equal(reader.track("a clip").landmarks, prepared.track.landmarks)
        assert np.array_equal(reader.track("a clip").box, prepared.track.box)
        assert reader.mouth("a clip").shape == (20, 96, 96)
        assert reader.face("a clip", 5, 8).shape == (3, 112, 112, 3)
        with pytest.raises(UserError, match="other"):
            reader.track("other")
    assert np.array_equal(read_mouth(tmp_path / "0.h5", "a clip"), mouth_and_audio(video)[0])


def test_track_shard_takes_pictures_of_equal_size_in_bytes(tmp_path: Path, prepared: PreparedClip) -> None:
    still = [prepared.mouth[0]] * 20
    with TrackWriter(tmp_path / "still.h5") as writer:
        writer.add("still", prepared.track, still, prepared.face)
    assert np.array_equal(
        read_mouth(tmp_path / "still.h5", "still"), np.stack([decode_jpeg(still[0], colour=False)] * 20)
    )


def test_track_shard_holds_the_given_bytes(tmp_path: Path, prepared: PreparedClip) -> None:
    same = [prepared.face[0]] * 20
    with TrackWriter(tmp_path / "t.h5") as writer:
        writer.add("a clip", prepared.track, prepared.mouth, same)
    with h5py.File(tmp_path / "t.h5") as file:
        for name, images in (("mouth", prepared.mouth), ("face", same)):
            assert [stored.tobytes() for stored in file["a clip"][name]] == [image.tobytes() for image in images]


def reason(path: Path, detector: FaceDetector, settings: PrepareSettings = SETTINGS) -> str:
    with pytest.raises(ClipProblem) as caught:
        prepare_clip(path, detector, settings)
    return caught.value.reason


def test_faces_that_cannot_be_used(tmp_path: Path, detector: FaceDetector) -> None:
    sound = clicks(20 * 960)
    blank = blank_frames(20, 224)
    assert reason(write_video(tmp_path / "none.mkv", blank, sound), detector) == "no_face"
    lost = face_frames(10) + blank[:10]
    assert reason(write_video(tmp_path / "lost.mkv", lost, sound), detector) == "face_lost"
    pair = [np.concatenate([frame, frame], axis=1) for frame in face_frames(20)]
    two = write_video(tmp_path / "two.mkv", pair, sound)
    assert reason(two, detector) == "several_faces"
    assert prepare_clip(two, detector, PrepareSettings(several_faces="first")).n_frames == 20


def test_settings_refuse_unknown_keys() -> None:
    assert validated(PrepareSettings, {"max_gap_frames": 3}, "prepare").max_gap_frames == 3
    with pytest.raises(UserError, match="max_gap"):
        validated(PrepareSettings, {"max_gap": 3}, "prepare")
    with pytest.raises(UserError, match="exclude"):
        validated(PrepareSettings, {"several_faces": "both"}, "prepare")


def test_mouth_and_audio_tells_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none.mkv"):
        mouth_and_audio(write_video(tmp_path / "none.mkv", blank_frames(20), clicks(20 * 960)))


def test_track_of_a_silent_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "silent.mp4", face_frames(12), None)
    assert track_video(path).landmarks.shape == (12, 478, 3)
    with pytest.raises(UserError, match="gone.mp4"):
        track_video(tmp_path / "gone.mp4")
