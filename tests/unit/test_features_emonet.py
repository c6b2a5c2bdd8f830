"""EmoNet's features: public layout with random weights, and a variant in which no mouth can be seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.features.base import extractor_settings, key_of, make_extractor
from syncvoice.features.cache import FeatureStore, extract_shard
from syncvoice.features.extractors.emonet import HIDDEN_BELOW, HIDDEN_GREY, without_lower_face
from syncvoice.features.extractors.mesh_face import POSE_POINTS
from syncvoice.networks.emonet import EmoNet
from syncvoice.records.clips import Clip
from syncvoice.video.crop import box_transforms, decode_jpeg, encode_jpeg, warp
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import STABLE_POINTS, Track, face_boxes

N, SIZE, EYES = 4, 112, 90.0  # frames, crop, pixels between the outer eye corners
LIP_TOP = 0.7  # of the mean face; the upper lip of a shut mouth lies below


def turned(points: np.ndarray, frame: int) -> np.ndarray:
    """Mean-face points (..., 3) as pixels of a frame: the head rolls and sways."""
    angle = 0.1 * (frame - 1)
    roll = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return points @ roll.T * EYES + np.array([200 + 5 * frame, 150, 0])


def track_of_a_head() -> Track:
    """A head without mouth points: whatever needs one fails."""
    landmarks = np.full((N, 478, 3), np.nan, np.float32)
    for frame in range(N):
        for index, point in {**STABLE_POINTS, **POSE_POINTS}.items():
            landmarks[frame, index] = turned(np.array(point), frame)
    return Track(landmarks, np.ones(N, bool), face_boxes(landmarks))


def crops_of(track: Track, seed: int) -> list[np.ndarray]:
    """JPEG crops of frames whose part from the lips down is noise of this seed."""
    upper = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
    lower = np.random.default_rng(seed).integers(0, 255, upper.shape, np.uint8)
    y, x = np.mgrid[: upper.shape[0], : upper.shape[1]]
    found = []
    for frame, matrix in enumerate(box_transforms(track.box, SIZE)):
        left, right = (turned(np.array([side, LIP_TOP, 0]), frame)[:2] for side in (-0.5, 0.5))
        below = (right[0] - left[0]) * (y - left[1]) - (right[1] - left[1]) * (x - left[0]) > 0
        found.append(encode_jpeg(warp(np.where(below[..., None], lower, upper), matrix, SIZE)))
    return found


def clip_of(path: Path) -> Clip:
    common = {"split": "s", "dataset": "d", "speaker": "p", "sex": "", "voice_seen": "", "language": "en", "source": ""}
    return Clip(id="a", **common, text="t", video=None, audio=Path("a.wav"), n_frames=N, track=path)


@pytest.fixture(scope="module")
def track() -> Track:
    return track_of_a_head()


@pytest.fixture(scope="module")
def clips(track: Track, tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Two clips that differ from the lips downwards only."""
    folder = tmp_path_factory.mktemp("tracks")
    for seed in (1, 2):
        with TrackWriter(folder / f"{seed}.h5") as writer:
            writer.add("a", track, [], crops_of(track, seed))
    return [clip_of(folder / f"{seed}.h5") for seed in (1, 2)]


def random_file(path: Path, expressions: int, prefix: str = "") -> Path:
    """Random weights in the public layout; statistics that keep a random network from exploding or going silent."""
    torch.manual_seed(1)
    network = EmoNet(expressions)
    with torch.no_grad():
        network.train()(torch.rand(2, 3, 256, 256))  # the batch normalisations learn their statistics
    torch.save({f"{prefix}{key}": value for key, value in network.state_dict().items()}, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_file(tmp_path_factory.mktemp("emonet") / "emonet_8.pth", 8, "module.")


def test_feature_reaches_a_shard(clips: list[Clip], weights: Path, tmp_path: Path) -> None:
    face = make_extractor("emonet", {"weights": str(weights)})
    extract_shard(tmp_path / "shard.h5", face, clips[:1], "face")
    with FeatureStore([tmp_path / "shard.h5"], key_of(face)) as store:
        assert store["a"].shape == (N, 256) and store["a"].dtype == np.float32 and np.isfinite(store["a"]).all()
        assert store["a"].std(axis=0).max() > 0, "frames differ"
        np.testing.assert_array_equal(store["a"], face.extract(clips[0]))
        assert str(weights) not in str(store.keys_by_path)


def test_upper_sees_no_mouth_and_all_does(clips: list[Clip], weights: Path) -> None:
    every = make_extractor("emonet", {"weights": str(weights)})
    upper = make_extractor("emonet", {"weights": str(weights), "parts": "upper"})
    assert key_of(every) != key_of(upper)
    seen, hidden = ([one.extract(clip) for clip in clips] for one in (every, upper))
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    np.testing.assert_array_equal(hidden[0], hidden[1])
    assert hidden[0].std(axis=0).max() > 0, "what is above still shows"


def test_the_line_follows_the_head(track: Track) -> None:
    white = np.full((N, SIZE, SIZE, 3), 255, np.uint8)
    masked = without_lower_face(white, track)
    assert set(np.unique(masked)) == {HIDDEN_GREY, 255}
    for frame, matrix in enumerate(box_transforms(track.box, SIZE)):
        for height, colour in ((HIDDEN_BELOW - 0.1, 255), (HIDDEN_BELOW + 0.1, HIDDEN_GREY)):
            for side in (-0.5, 0.0, 0.5):
                x, y = matrix @ [*turned(np.array([side, height, 0]), frame)[:2], 1]
                if frame in (1, 2):  # at the ends the smoothed head lags a little
                    assert masked[frame, round(y), round(x), 0] == colour


def test_jpeg_smears_no_lips_above_the_line(track: Track) -> None:
    first, second = (np.stack([decode_jpeg(data, True) for data in crops_of(track, seed)]) for seed in (1, 2))
    assert (first != second).any()
    np.testing.assert_array_equal(without_lower_face(first, track), without_lower_face(second, track))


def test_chunks_and_sizes() -> None:
    torch.manual_seed(3)
    network = EmoNet().eval()
    pictures = np.random.default_rng(1).integers(0, 255, (3, 256, 256, 3), np.uint8)
    whole = network.features(pictures)
    torch.testing.assert_close(network.features(pictures, 1), whole, atol=1e-5, rtol=1e-4)
    with torch.inference_mode():
        image = torch.from_numpy(pictures[:1]).permute(0, 3, 1, 2).float() / 255
        torch.testing.assert_close(network(image), whole[:1], atol=1e-5, rtol=1e-4)
    assert network.features(pictures[:, :SIZE, :SIZE]).shape == (3, 256)


def test_files_of_five_expressions_and_wrong_ones(clips: list[Clip], weights: Path, tmp_path: Path) -> None:
    five = random_file(tmp_path / "emonet_5.pth", 5)
    assert EmoNet.load(five).expressions == 5
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="682 missing.*1 unexpected: fc.weight"):
        make_extractor("emonet", {"weights": str(tmp_path / "other.pt")})
    with pytest.raises(UserError, match="parts"):
        extractor_settings("emonet", {"parts": "lower"}, "x")
    with pytest.raises(UserError, match="'a' has no tracked face"):
        make_extractor("emonet", {"weights": str(weights)}).extract(replace(clips[0], track=None))
