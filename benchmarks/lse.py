"""LSE of real clips: the stages of the package syncnet-python against ours, same weights, same boxes.

    python -m benchmarks.lse --data shared/data/grid/s1 --clips 40 --threads 1 --out lse.json

1. From decoded frames and given boxes to numbers: the package crops frames that lie on disk as JPEG, writes a film,
   takes it apart into JPEG files, reads them and runs the network window by window. Ours crops in memory. Boxes of
   both: MediaPipe's, found beforehand. The difference in LSE-D is taken on the crops that the package ended with.
2. From the video file, face detection included: the package's S3FD runs on --detector-frames frames and its time is
   scaled to all of them; its conversion of the film by ffmpeg is left out. Ours decodes the file and finds boxes with
   MediaPipe (what scores when S3FD's weights are missing), and with our S3FD.

Times are processor seconds, which other work on the machine hardly changes. Random weights (none can
be shipped). What the package asks of ffmpeg is done in process, see `syncnet_peer`.
"""

import argparse
import contextlib
import copy
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.common import write_result
from benchmarks.syncnet_peer import Peer, package, pair_of_networks
from syncvoice.audio import resample, write_wav
from syncvoice.clocks import SAMPLE_RATE
from syncvoice.fast.syncnet_fused import FusedSyncNet
from syncvoice.metrics.lip_sync.distances import LipSync, embed_lips, score_embeddings
from syncvoice.metrics.lip_sync.syncnet_v2 import bgr
from syncvoice.metrics.lip_sync.tracked import FaceTrack, crop_track, face_tracks, shots
from syncvoice.metrics.scorer import read_16k
from syncvoice.networks.s3fd import S3FD
from syncvoice.video.boxes import MediaPipeBoxes, S3FDBoxes
from syncvoice.video.decode import FrameSource, read_sound


@dataclass
class Case:
    """One clip: decoded RGB frames, its face track, its sound; `files` are the frames as the package wants them."""

    video: Path
    frames: list[np.ndarray]
    track: FaceTrack
    audio: np.ndarray
    sound: Path
    files: list[str]


def prepared(video: Path, folder: Path, detector: MediaPipeBoxes) -> Case:
    """Decode a clip, find its face and put frames and sound where the package finds them."""
    source = FrameSource(video)
    frames = list(source)
    track = face_tracks(detector.boxes(frames))[0]
    folder.mkdir(parents=True, exist_ok=True)
    files = [str(folder / f"{number:06d}.jpg") for number in range(len(frames))]
    for file, frame in zip(files, bgr(frames), strict=True):
        cv2.imwrite(file, frame)
    sound = folder / "speech.wav"
    write_wav(sound, resample(read_sound(video, source.start_s), SAMPLE_RATE, 16_000), 16_000)
    return Case(video, frames, track, read_16k(sound), sound, files)


def ours_of(network: FusedSyncNet, frames: list[np.ndarray], track: FaceTrack, audio: np.ndarray) -> LipSync:
    """Our crop and network stages."""
    lips = embed_lips(network, np.stack(list(crop_track(bgr(frames), track))))
    return score_embeddings(lips, network, audio[640 * int(track.frames[0]) :])


def from_file(network: FusedSyncNet, video: Path, audio: np.ndarray, boxes: Callable[..., Any]) -> LipSync:
    """Our whole way from a video file."""
    frames = decoded(video)
    return ours_of(network, frames, face_tracks(boxes(frames), shots(frames))[0], audio)


def seconds(run: Callable[[], Any]) -> float:
    """Processor seconds of one call (all threads): other work on the machine hardly changes them."""
    began = time.process_time()
    run()
    return time.process_time() - began


def decoded(video: Path) -> list[np.ndarray]:
    """All frames of a video."""
    return list(FrameSource(video))


def their_boxes(detector: Any, frames: list[np.ndarray]) -> list[np.ndarray]:
    """The package's detector, frame by frame as its pipeline calls it."""
    return [detector.detect_faces(frame, conf_th=0.9, scales=[0.25]) for frame in frames]


def main() -> None:
    """Measure clip by clip; the candidates take turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("shared/data/grid/s1"), help="folder of videos")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--detector-frames", type=int, default=8, help="frames per clip for the package's S3FD")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    videos = sorted(path for path in args.data.iterdir() if path.suffix in (".mpg", ".mp4"))[: args.clips]
    if not videos:
        parser.error(f"{args.data} holds no .mpg or .mp4")
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(videos, Path(folder), args.detector_frames)
    report(rows, args)


def measured(videos: list[Path], folder: Path, detector_frames: int) -> list[dict[str, float]]:
    """Processor seconds of every candidate and differences in LSE-D, one row per clip."""
    peer = package()
    from syncnet_python.detectors.s3fd import S3FD as TheirDetector
    from syncnet_python.detectors.s3fd.nets import S3FDNet

    theirs, plain = pair_of_networks(peer)
    networks = {"float32": FusedSyncNet(plain), "bfloat16": FusedSyncNet(plain, "bfloat16")}
    their_net = S3FDNet(device="cpu").eval()
    our_net = S3FD().eval()
    our_net.load_state_dict(their_net.state_dict())
    detector = TheirDetector(their_net, device="cpu")
    our_net = our_net.to(memory_format=torch.channels_last)
    our_s3fd = {"float32": S3FDBoxes(our_net), "bfloat16": S3FDBoxes(copy.deepcopy(our_net).bfloat16())}
    mesh = MediaPipeBoxes()
    pipeline = Peer(peer, theirs, folder)
    rows: list[dict[str, float]] = []
    for number, video in enumerate([videos[0], *videos]):  # the first clip warms up
        case = prepared(video, folder / "frames", mesh)
        row, results = stage_times(case, pipeline, networks)
        step = max(1, len(case.frames) // detector_frames)
        chosen = case.frames[::step]
        scale = len(case.frames) / len(chosen)
        row["peer s3fd"] = scale * seconds(partial(their_boxes, detector, chosen))
        for name, boxes in our_s3fd.items():
            row[f"our s3fd {name}"] = scale * seconds(partial(boxes.boxes, chosen))
        row["our decoding"] = seconds(partial(decoded, video))
        for name, network in networks.items():
            row[f"ours from file {name}"] = seconds(partial(from_file, network, video, case.audio, mesh.boxes))
        row |= differences(results, networks, case)
        if number:
            rows.append(row)
    return rows


def stage_times(
    case: Case, pipeline: Peer, networks: dict[str, FusedSyncNet]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds from frames and boxes to numbers, and the package's result."""
    results: dict[str, Any] = {}

    def peer() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            results.update(pipeline.score(case.files, case.track.frames, case.track.boxes, case.sound))

    row = {"peer": seconds(peer)}
    for name, network in networks.items():
        row[f"ours {name}"] = seconds(partial(ours_of, network, case.frames, case.track, case.audio))
    return row, results


def differences(results: dict[str, Any], networks: dict[str, FusedSyncNet], case: Case) -> dict[str, float]:
    """How far our LSE-D is from the package's on the package's own crops, and on ours."""
    crops = np.stack([cv2.imread(str(path)) for path in sorted(results["crops"].glob("*.jpg"))])
    audio = case.audio[640 * int(case.track.frames[0]) :]
    row = {}
    for name, network in networks.items():
        same = score_embeddings(embed_lips(network, crops), network, audio)
        row[f"difference {name}"] = abs(same.lse_d - results["lse_d"])
    own = ours_of(networks["float32"], case.frames, case.track, case.audio)
    return {**row, "difference own crops": abs(own.lse_d - results["lse_d"])}


def report(rows: list[dict[str, float]], args: argparse.Namespace) -> None:
    """Print medians and ratios and write the file."""
    median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    for name, value in median.items():
        print(f"{name:28s} {value:10.6f}")
    peer_file = median["peer"] + median["peer s3fd"]
    ratios = {}
    for name in ("float32", "bfloat16"):
        ratios[f"frames and boxes to numbers, {name}"] = median["peer"] / median[f"ours {name}"]
        ratios[f"file to numbers, MediaPipe boxes, {name}"] = peer_file / median[f"ours from file {name}"]
        with_s3fd = median["our decoding"] + median[f"our s3fd {name}"] + median[f"ours {name}"]
        ratios[f"file to numbers, S3FD boxes, {name}"] = peer_file / with_s3fd
        ratios[f"S3FD alone, {name}"] = median["peer s3fd"] / median[f"our s3fd {name}"]
    worst = {name: max(row[name] for row in rows) for name in rows[0] if name.startswith("difference")}
    for name, value in ratios.items():
        print(f"{name}: {value:.2f} x")
    for name, value in worst.items():
        print(f"largest {name} in LSE-D: {value:.2e}")
    arguments = {"clips": len(rows), "detector_frames": args.detector_frames, "threads": args.threads}
    write_result(args.out, {**arguments, "median_processor_seconds": median, "ratios": ratios, "largest": worst})


if __name__ == "__main__":
    main()
