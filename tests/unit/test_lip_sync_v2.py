"""SyncNet v2: folded network, protocols, weights; the sync curve. Scores are checked against the package elsewhere."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.fast.syncnet_fused import FusedSyncNet
from syncvoice.metrics.lip_sync.curve import COLUMNS, CurveWriter, plot_curve, speech_windows, sync_curve
from syncvoice.metrics.lip_sync.distances import window_distances
from syncvoice.metrics.lip_sync.syncnet_mini import SyncNetMiniScorer
from syncvoice.metrics.lip_sync.syncnet_v2 import TrackedScorer, WholeFrameScorer, load_v2
from syncvoice.metrics.lip_sync.tracked import crop_window, face_tracks, running_median
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Sources
from syncvoice.networks.syncnet import MINI, V2, SyncNet, audio_windows
from tests.unit.clip_files import RATE, face_frames, real_data, write_video
from tests.unit.spoken import noise, utterance


class PictureNetwork:
    """Stands for SyncNet v2: lips are their mean colour, sounds the mean of their MFCC; counts its calls."""

    config = V2
    takes_bytes = False
    device = torch.device("cpu")

    def __init__(self) -> None:
        self.frames: list[torch.Tensor] = []

    def embed_lips(self, frames: torch.Tensor) -> torch.Tensor:
        self.frames.append(frames)
        return frames[0].mean((2, 3)).T[:-4]  # (T - 4, 3)

    def embed_audio(self, mfcc: torch.Tensor) -> torch.Tensor:
        return mfcc[:, 0, :3].mean(2)


class FixedBoxes:
    """A detector that knows the answer."""

    name, version, weights_sha256 = "fixed", "1", None

    def __init__(self, boxes: list[np.ndarray]) -> None:
        self._boxes = boxes

    def boxes(self, frames: object) -> list[np.ndarray]:
        return self._boxes


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 20 frames, 224 x 224, with sound."""
    folder = tmp_path_factory.mktemp("film")
    return write_video(folder / "a.mkv", face_frames(20), noise(0.8, sample_rate=RATE))


def sources_of(video: Path | None, **options: object) -> Sources:
    return Sources(Path("weights"), {"u1": SimpleNamespace(id="u1", video=video, track=None)}, options=options)


def boxes_of(frames: range, n: int = 20) -> list[np.ndarray]:
    return [np.array([[30.0, 20, 180, 200]]) if k in frames else np.zeros((0, 4)) for k in range(n)]


@pytest.fixture(scope="module")
def v2() -> SyncNet:
    """The public layout with random weights and random normalisation."""
    torch.manual_seed(0)
    network = SyncNet(V2).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network


def test_folded_network_gives_the_same_embeddings(v2: SyncNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.fast.syncnet_fused.RUN", 2)  # three windows: two runs
    lips, sounds = torch.randint(0, 256, (1, 3, 7, 224, 224)).float(), torch.randn(9, 1, 13, 20)
    with torch.inference_mode():
        expected = v2.embed_lips(lips), v2.embed_audio(sounds)
    fused, half = FusedSyncNet(v2), FusedSyncNet(v2, "bfloat16")
    for found, wanted in zip((fused.embed_lips(lips), fused.embed_audio(sounds)), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert (half.embed_lips(lips) - expected[0]).abs().max() < 0.05 * expected[0].std()


def test_only_v2_in_evaluation_mode_is_folded(v2: SyncNet) -> None:
    with pytest.raises(ValueError, match="layout v2"):
        FusedSyncNet(SyncNet(MINI).eval())
    with pytest.raises(ValueError, match="evaluation mode"):
        FusedSyncNet(SyncNet(V2))
    with pytest.raises(ValueError, match="unknown dtype"):
        FusedSyncNet(v2, "float16")  # type: ignore[arg-type]


def test_public_file_is_found_loaded_and_its_absence_is_told(v2: SyncNet, tmp_path: Path) -> None:
    state = {key: value for key, value in v2.state_dict().items() if not key.endswith("num_batches_tracked")}
    (tmp_path / "assets").mkdir()
    sources = Sources(tmp_path / "weights", assets=tmp_path / "assets")
    with pytest.raises(UserError, match="weights syncnet_v2 are not in"):
        WholeFrameScorer.from_sources(sources)
    torch.save(state, tmp_path / "assets" / "syncnet_v2.model")
    assert sources.find_asset("s3fd") is None
    scorer = WholeFrameScorer.from_sources(sources)
    assert len(scorer.weights_sha256) == 64
    loaded = load_v2(sources.asset_file("syncnet_v2"))
    assert all(torch.equal(loaded.state_dict()[key], value) for key, value in state.items())


def test_lrs_sees_whole_frames_in_bgr(video: Path) -> None:
    network = PictureNetwork()
    scores = WholeFrameScorer(network, sources_of(video)).score(utterance(noise(0.8)))
    assert [score.metric for score in scores] == [
        f"{name}.syncnet_v2.lrs" for name in ("lse_d", "lse_c", "offset", "in_sync")
    ]
    (seen,) = network.frames
    assert seen.shape == (1, 3, 20, 224, 224)
    mean = np.stack(face_frames(20)).mean((0, 1, 2))
    np.testing.assert_allclose(seen[0].mean((1, 2, 3)).numpy(), mean[::-1], atol=4)


def test_tracked_cuts_lips_and_sound_to_the_track(video: Path) -> None:
    network = PictureNetwork()
    scorer = TrackedScorer(network, sources_of(video), "w", FixedBoxes(boxes_of(range(4, 20))))
    item = utterance(noise(0.8))
    assert np.isfinite([score.value for score in scorer.score(item)]).all()
    assert network.frames[0].shape[2] == 16
    assert scorer.first_frame(item) == 4
    assert scorer.distances(item).shape == (16 - 5, 31)
    assert "boxes fixed 1" in scorer.VERSION and scorer.NAME == "syncnet_v2.tracked"


def test_jpeg_option_is_named_and_changes_pixels(video: Path) -> None:
    plain, lossy = PictureNetwork(), PictureNetwork()
    WholeFrameScorer(plain, sources_of(video)).score(utterance(noise(0.8)))
    scorer = WholeFrameScorer(lossy, sources_of(video, jpeg=True))
    scorer.score(utterance(noise(0.8)))
    assert scorer.VERSION == "1, jpeg"
    difference = (plain.frames[0] - lossy.frames[0]).abs()
    assert 0 < difference.mean() < 4


def test_clip_without_face_or_video_says_so(video: Path) -> None:
    nobody = TrackedScorer(PictureNetwork(), sources_of(video), "", FixedBoxes(boxes_of(range(0))))
    with pytest.raises(ScoreError, match="found in 0 of 20 frames"):
        nobody.score(utterance(noise(0.8)))
    with pytest.raises(NotApplicable, match="no video"):
        WholeFrameScorer(PictureNetwork(), sources_of(None)).score(utterance(noise(0.8)))


def test_short_clips_need_a_track_over_half_of_them() -> None:
    assert len(face_tracks(boxes_of(range(75), 75))) == 1  # GRID: 75 frames
    assert len(face_tracks(boxes_of(range(11), 20))) == 1
    assert not face_tracks(boxes_of(range(10), 20))
    assert not face_tracks(boxes_of(range(50), 200))


def test_gap_is_interpolated_and_long_gap_splits() -> None:
    seen = [*range(0, 60), *range(80, 150), *range(180, 240)]
    tracks = face_tracks(boxes_of(seen, 240))  # type: ignore[arg-type]
    assert [(int(track.frames[0]), int(track.frames[-1])) for track in tracks] == [(0, 149), (180, 239)]
    np.testing.assert_allclose(tracks[0].boxes[70], [30, 20, 180, 200])


def test_small_faces_are_left_out() -> None:
    assert not face_tracks([np.array([[0.0, 0, 40, 45]])] * 80)


def test_crop_outside_the_picture_is_grey() -> None:
    crop = crop_window(np.zeros((100, 100, 3), np.uint8), 40, 0, 50)
    assert crop.shape == (224, 224, 3)
    assert (crop[:, :60] == 110).all() and not crop[112, 150:].any()
    with pytest.raises(ValueError, match="empty crop"):
        crop_window(np.zeros((100, 100, 3), np.uint8), 40, 500, 50)


def test_running_median_is_scipys() -> None:
    from scipy.signal import medfilt

    values = np.random.default_rng(0).normal(size=40)
    np.testing.assert_array_equal(running_median(values, 13), medfilt(values, 13))


def test_sixteen_bit_samples_reach_the_front_end_unchanged() -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 16_000)
    audio = (samples / 32768).astype(np.float32)
    from syncvoice.networks.syncnet import mfcc

    np.testing.assert_allclose(audio_windows(audio, 2, 32768)[1, 0], mfcc(samples)[4:24].T, rtol=1e-5)


def test_face_of_a_grid_clip_is_tracked_with_mediapipe() -> None:
    clip = real_data("grid") / "s1" / "bbaf3s.mpg"
    if not clip.exists():
        pytest.skip("real GRID clips are not there")
    from syncvoice.metrics.lip_sync.tracked import crop_track
    from syncvoice.video.boxes import MediaPipeBoxes
    from syncvoice.video.decode import FrameSource

    frames = FrameSource(clip)
    (track,) = face_tracks(MediaPipeBoxes().boxes(frames))
    assert len(track.frames) == 75
    crops = list(crop_track(frames, track))
    again = MediaPipeBoxes().boxes(crops[:3])
    for box in again:  # the face fills the middle of the crop: 1.4 half sides to the left, 1 above and 1.8 below
        assert box.shape == (1, 4)
        np.testing.assert_allclose([(box[0, 0] + box[0, 2]) / 2, (box[0, 1] + box[0, 3]) / 2], [112, 80], atol=14)


def test_curve_marks_silence_and_follows_the_clip() -> None:
    random = np.random.default_rng(0)
    lips = random.normal(size=(60, 8)).astype(np.float32)
    audio = np.concatenate([np.zeros(20 * 640), 0.1 * random.normal(size=44 * 640)]).astype(np.float32)
    curve = sync_curve(window_distances(lips, np.roll(lips, 3, axis=0)), audio, first_frame=10)
    assert curve.overall.offset == -3
    assert (curve.own_offset[5:50] == -3).all()
    assert not curve.speech[:16].any() and curve.speech[16:].all()
    assert curve.time_s[0] == pytest.approx(0.4)
    assert curve.distance.mean() == pytest.approx(curve.overall.lse_d)
    assert not speech_windows(np.zeros(16_000, np.float32), 20).any()


def test_curve_writer_writes_a_table_and_a_picture(tmp_path: Path) -> None:
    lips = np.random.default_rng(0).normal(size=(40, 128)).astype(np.float32)
    torch.manual_seed(0)
    scorer = SyncNetMiniScorer(SyncNet(MINI).eval(), Sources(Path("weights")))
    scorer._lips = lambda _: SimpleNamespace(embeddings=lips, start=0, sound=lambda audio: audio)
    item = utterance(noise(1.7))
    scores = scorer.score(item)
    scorer.watch = CurveWriter(tmp_path)
    assert scores == scorer.score(item)
    lines = (tmp_path / "u1.csv").read_text().splitlines()
    assert lines[0].split(",") == list(COLUMNS) and len(lines) == 1 + 37
    assert "confidence" in (tmp_path / "u1.svg").read_text() or (tmp_path / "u1.svg").stat().st_size > 1000
    curve = sync_curve(scorer.distances(item), np.zeros(27_200, np.float32))
    (axis,) = plot_curve(curve).axes
    assert len(axis.lines) == 3 and len(axis.patches) == 1  # all of it is silent: one shaded part
