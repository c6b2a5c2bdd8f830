"""SyncNet v2 against the package syncnet-python: same random weights, equal boxes, crops and scores."""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest
import soundfile
import torch

from syncvoice.fast.syncnet_fused import FusedSyncNet
from syncvoice.metrics.lip_sync.curve import sync_curve
from syncvoice.metrics.lip_sync.distances import embed_lips, lip_sync_of, score_embeddings, window_distances
from syncvoice.metrics.lip_sync.tracked import (
    FaceTrack,
    crop_track,
    face_tracks,
    jpeg_round_trip,
    shots,
    smoothed_windows,
)
from syncvoice.networks.s3fd import S3FD
from syncvoice.networks.syncnet import V2, SyncNet
from syncvoice.video.boxes import S3FDBoxes


@pytest.fixture(scope="module")
def package() -> ModuleType:
    """The package; `ffmpeg`, which it imports for steps that we do not run, is replaced by an empty module."""
    pytest.importorskip("scenedetect")
    if importlib.util.find_spec("syncnet_python") is None:
        pytest.skip("package syncnet-python is not installed")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ffmpeg", "torchvision"):
            if importlib.util.find_spec(name) is None:
                patch.setitem(sys.modules, name, ModuleType(name))
        yield importlib.import_module("syncnet_python")


def pictures(n: int, height: int = 224, width: int = 224, seed: int = 0) -> list[np.ndarray]:
    """Smooth random pictures that change from frame to frame, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (n, 12, 12, 3), dtype=np.uint8)
    return [cv2.resize(picture, (width, height)) for picture in coarse]


def sound(seconds: float) -> np.ndarray:
    """Tones and noise as a 16-bit file holds them, float32 at 16 kHz."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    signal = 0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t) + 0.02 * np.random.default_rng(1).standard_normal(len(t))
    return (np.round(signal * 32768) / 32768).astype(np.float32)


def random_s(package: ModuleType) -> torch.nn.Module:
    """Their network with random weights and random normalisation."""
    torch.manual_seed(3)
    network = package.SyncNetModel(1024).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    return network


def test_scores_of_the_same_crops_are_equal(package: ModuleType, tmp_path: Path) -> None:
    theirs = random_s(package)
    crops, audio = pictures(13), sound(0.52)
    for number, crop in enumerate(crops):
        cv2.imwrite(str(tmp_path / f"{number:06d}.jpg"), crop)
    soundfile.write(tmp_path / "audio.wav", audio, 16_000, subtype="PCM_16")
    options = SimpleNamespace(tmp_dir=str(tmp_path), batch_size=4, vshift=15)
    offset, confidence, distance = package.SyncNetInstance(theirs, device="cpu").evaluate(options)

    plain = SyncNet(V2).eval()
    plain.load_state_dict(theirs.state_dict())
    frames = np.stack([jpeg_round_trip(crop) for crop in crops])
    heard = soundfile.read(tmp_path / "audio.wav", dtype="float32")[0]
    for network in (plain, FusedSyncNet(plain)):
        ours = score_embeddings(embed_lips(network, frames), network, heard)
        assert ours.offset == offset
        assert ours.lse_d == pytest.approx(distance, abs=1e-3)
        assert ours.lse_c == pytest.approx(confidence, abs=1e-3)
    half = FusedSyncNet(plain, "bfloat16")
    assert score_embeddings(embed_lips(half, frames), half, heard).lse_d == pytest.approx(distance, abs=0.01)


def test_frame_wise_confidence_is_theirs(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    lips, sounds = random.normal(size=(2, 30, 16)).astype(np.float32)
    calc = sys.modules["syncnet_python.SyncNetInstance"].calc_pdist
    theirs = torch.stack(calc(torch.from_numpy(lips), torch.from_numpy(sounds), 15))  # (windows, 31)
    mean = theirs.mean(0)
    confidence = (mean.median() - theirs[:, mean.argmin()]).numpy()
    curve = sync_curve(window_distances(lips, sounds), np.zeros(16_000, np.float32))
    np.testing.assert_allclose(curve.confidence, confidence, atol=1e-4)
    assert curve.overall == lip_sync_of(window_distances(lips, sounds).mean(0))


def their_pipeline(package: ModuleType) -> object:
    """Their pipeline object without weights."""
    module = sys.modules["syncnet_python.syncnet_pipeline"]
    pipeline = module.SyncNetPipeline.__new__(module.SyncNetPipeline)
    pipeline.cfg = module.PipelineConfig(min_track=50, min_face_size=50)
    return pipeline


def drifting(n: int, x: float, y: float, size: float, seed: int) -> np.ndarray:
    """Boxes (n, 4) of a face that moves a little."""
    random = np.random.default_rng(seed)
    corner = np.array([x, y]) + np.cumsum(random.normal(0, 0.7, (n, 2)), axis=0)
    side = size + random.normal(0, 2, (n, 1))
    return np.concatenate([corner, corner + side * [1, 1.3]], axis=1)


def test_tracks_are_theirs(package: ModuleType) -> None:
    one, two = drifting(90, 40, 30, 80, 0), drifting(90, 220, 40, 70, 1)
    boxes = []
    for frame in range(90):
        faces = [one[frame], two[frame]] if frame % 7 else [one[frame]]  # the second face is lost now and then
        boxes.append(np.array([] if 30 <= frame < 36 else faces).reshape(-1, 4))
    detections = [
        [{"frame": frame, "bbox": list(box), "conf": 1.0} for box in faces] for frame, faces in enumerate(boxes)
    ]
    theirs = their_pipeline(package)._track(detections)
    ours = face_tracks(boxes, min_track=50)
    assert len(ours) == len(theirs) == 2
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.frames, other["frame"])
        np.testing.assert_allclose(mine.boxes, other["bbox"])


def test_crops_are_theirs(package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = pictures(20, 288, 360)
    boxes = drifting(16, 5, 150, 90, 2)  # reaches over the picture's edge
    track = FaceTrack(np.arange(3, 19), boxes)
    written: list[np.ndarray] = []
    writer = SimpleNamespace(write=lambda image: written.append(image.copy()), release=lambda: None)
    module = sys.modules["syncnet_python.syncnet_pipeline"]
    stand_in = SimpleNamespace(
        **{name: getattr(cv2, name) for name in ("copyMakeBorder", "BORDER_CONSTANT", "resize")},
        VideoWriter=lambda *_: writer,
        VideoWriter_fourcc=lambda *_: 0,
        imread=lambda number: frames[number],
    )
    monkeypatch.setattr(module, "cv2", stand_in)
    monkeypatch.setattr(module.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(module.os, "remove", lambda _: None)
    their_pipeline(package)._crop(
        {"frame": track.frames, "bbox": boxes}, list(range(20)), "audio.wav", tmp_path / "crop" / "0"
    )
    ours = list(crop_track(frames, track))
    assert len(ours) == len(written) == 16
    np.testing.assert_array_equal(np.stack(ours), np.stack(written))
    assert smoothed_windows(boxes).shape == (16, 3)


def test_face_detector_is_theirs(package: ModuleType) -> None:
    from syncnet_python.detectors.s3fd import S3FD as TheirDetector
    from syncnet_python.detectors.s3fd.nets import S3FDNet

    torch.manual_seed(0)
    network = S3FDNet(device="cpu").eval()
    for layer in network.vgg:
        if isinstance(layer, torch.nn.Conv2d):  # keep the signal alive through sixteen random layers
            torch.nn.init.kaiming_normal_(layer.weight)
    for level, layer in enumerate(network.conf):  # confident, so that boxes are kept and suppressed, but without ties
        layer.weight.data *= 12 if level < 3 else 0.05
    ours = S3FD().eval()
    assert list(ours.state_dict()) == list(network.state_dict())
    ours.load_state_dict(network.state_dict())
    frames = pictures(2, 200, 264)
    found = S3FDBoxes(ours).boxes(frames)
    for frame, boxes in zip(frames, found, strict=True):
        theirs = TheirDetector(network, device="cpu").detect_faces(frame, conf_th=0.9, scales=[0.25])
        assert len(boxes) == len(theirs) > 1
        order = np.lexsort(boxes.T), np.lexsort(theirs[:, :4].T)
        np.testing.assert_allclose(boxes[order[0]], theirs[order[1], :4], atol=0.02)
    images = torch.randn(2, 3, 50, 66) * 60
    with torch.inference_mode():
        (scores, corners), (rough, near) = ours(images), ours.bfloat16()(images.bfloat16())
    assert S3FDBoxes(ours).version == "1 bfloat16" and near.dtype == torch.float32
    sides = (corners[..., 2:] - corners[..., :2]).repeat(1, 1, 2)
    assert ((near - corners).abs() / sides).quantile(0.99) < 0.03
    assert (rough - scores).abs().mean() < 0.02


def test_shots_are_those_of_scenedetect(package: ModuleType) -> None:
    from scenedetect import ContentDetector

    bright, dark = np.full((40, 60, 3), (200, 80, 40), np.uint8), np.full((40, 60, 3), (20, 60, 120), np.uint8)
    frames = [bright] * 20 + [dark] * 25 + [bright] * 18
    detector = ContentDetector()
    cuts = [cut for number, frame in enumerate(frames) for cut in detector.process_frame(number, frame[:, :, ::-1])]
    assert [start for start, _ in shots(frames)][1:] == cuts == [20, 45]
    assert shots(frames)[-1] == (45, 63)
