"""Speed of preparing clips: every step, whole jobs alone and side by side, and what one finds in real clips.

    python -m benchmarks.prepare --data FOLDER --clips 24 --out prepare.json
    python -m benchmarks.prepare --data FOLDER --check --out prepare_grid.json

1. Steps, in one process: median seconds per clip (`--clock cpu` on a shared machine), frames and clips per second.
   The detector alone is the limit that the whole can approach.
2. Jobs: one process and two side by side, each preparing all clips from the video file to the stored track, sound and
   the features mel, lip and face. Their start (imports, detector) is timed apart. Wall clock and CPU seconds.
3. `--check` prepares every clip of the folder instead and counts frames with a face, excluded clips by reason, and
   clips whose mel, lip, face and sound do not have the lengths that `syncvoice.clocks` gives. It fails if there are
   such clips, or if the face is lost too often.

Without --data the clips are MiniDub's, made on the fly. FOLDER has GRID's layout.
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.common import CLOCKS, add_arguments, write_result
from syncvoice import clocks

LEAST_FACE_SHARE = 0.999  # of the frames of real clips
FEATURES = {"mel": "zipvoice_mel", "lip": "mesh_lip", "face": "mesh_face"}
MINIDUB = {"media": "video", "grid_share": 0.5, "voices": "train", "sentences": "train"}


@dataclass(frozen=True)
class Clips:
    """What is prepared: a folder and how its clips are read."""

    folder: Path
    layout: str
    clips: int | None  # None = all

    def sources(self) -> list[Any]:
        """List the clips, at equal distances over the folder."""
        from syncvoice.datasets.base import read_dataset

        found = [clip for clip in read_dataset(self.layout, self.folder, "benchmark") if clip.has_video]
        if self.clips is None or self.clips >= len(found):
            return found
        return [found[number * len(found) // self.clips] for number in range(self.clips)]


def made_on_the_fly(folder: Path, n: int) -> Clips:
    """Make MiniDub clips."""
    from syncvoice.minidub.corpus import make_shard
    from syncvoice.minidub.settings import CorpusJob

    make_shard(CorpusJob(splits={"benchmark": MINIDUB | {"clips": {"en": n}}}), "benchmark", 0, folder)
    return Clips(folder, "minidub", None)


class Steps:
    """Seconds of named steps of one clip."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start with nothing."""
        self.seconds: dict[str, float] = defaultdict(float)
        self._clock = clock

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block."""
        began = self._clock()
        yield
        self.seconds[name] += self._clock() - began

    def timed(self, name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Return `fn` with its calls timed."""

        def call(*args: Any, **more: Any) -> Any:
            with self.step(name):
                return fn(*args, **more)

        return call


def steps_of(source: Any, folder: Path, detector: Any, clock: Callable[[], float]) -> tuple[int, dict[str, float]]:
    """Prepare one clip step by step as `syncvoice.video.prepare` does; returns its frames and the seconds."""
    import numpy as np

    from syncvoice.audio import write_wav
    from syncvoice.features.extractors.mesh_face import face_features
    from syncvoice.features.extractors.mesh_lip import lip_features
    from syncvoice.features.mel import log_mel
    from syncvoice.video import crop, decode
    from syncvoice.video.prepare import PrepareSettings
    from syncvoice.video.shots import Watched, check_cuts
    from syncvoice.video.store import TrackWriter
    from syncvoice.video.track import make_track

    steps, settings = Steps(clock), PrepareSettings()
    with steps.step("decode picture"):
        frames = decode.FrameSource(source.media)
        n = frames.count()
    with mock.patch.object(decode, "resample", steps.timed("resample sound", decode.resample)):
        with steps.step("decode sound"):
            audio = decode.fit(decode.read_sound(source.media, frames.start_s), clocks.samples(n))
    steps.seconds["decode sound"] -= steps.seconds["resample sound"]
    with steps.step("count faces"):
        wanted = set(np.linspace(0, n - 1, settings.face_checks).round().astype(int).tolist())
        detector.count_faces([frame for number, frame in enumerate(frames) if number in wanted])
    with steps.step("detect and track"):
        landmarks, found = detector.detect(frames)
    with steps.step("look for cuts"):
        watched = Watched(frames)
        deque(watched, maxlen=0)
        seen = [points[None][: int(there)] for points, there in zip(landmarks, found, strict=True)]
        check_cuts(seen, watched.differences, settings.max_gap_frames)
    with steps.step("smooth and box"):
        track = make_track(landmarks, found, settings.max_gap_frames)
    with steps.step("mouth crops"):
        matrices = crop.mouth_transforms(track.landmarks, settings.mouth_size)
        mouths = [crop.grey(image) for image in crop.crops(frames, matrices, settings.mouth_size)]
    with steps.step("face crops"):
        faces = list(crop.crops(frames, crop.box_transforms(track.box, settings.face_size), settings.face_size))
    with steps.step("JPEG"):
        mouth, face = ([crop.encode_jpeg(image) for image in images] for images in (mouths, faces))
        stored = list(mouth), list(face)
    with steps.step("write track"), TrackWriter(folder / "tracks.h5") as writer:
        writer.add(source.id, track, *stored)
    with steps.step("write WAV"):
        write_wav(folder / "sound.wav", audio, clocks.SAMPLE_RATE)
    for name, values, feature in (("mel", (audio, n), log_mel), ("lip", (track.landmarks,), lip_features),
                                  ("face", (track.landmarks,), face_features)):  # fmt: skip
        with steps.step(f"feature {name}"):
            feature(*values)
    return n, dict(steps.seconds)


def step_medians(clips: Clips, folder: Path, runs: int, clock: Callable[[], float]) -> dict[str, Any]:
    """Median seconds per clip of each step over clips and runs, and the rates that they allow."""
    from syncvoice.video.prepare import PrepareSettings

    detector = PrepareSettings().make_detector()
    sources = clips.sources()
    steps_of(sources[0], folder, detector, clock)  # warms up
    results = [steps_of(source, folder, detector, clock) for _ in range(runs) for source in sources]
    frames = statistics.median(n for n, _ in results)
    medians = {name: statistics.median(row[name] for _, row in results) for name in results[0][1]}
    whole = statistics.median(sum(row.values()) for _, row in results)
    detector_alone = statistics.median(row["detect and track"] for _, row in results)
    return {
        "frames_per_clip": frames,
        "steps": {
            name: {"seconds_per_clip": value, "frames_per_second": frames / value, "clips_per_second": 1 / value}
            for name, value in medians.items()
        },
        "seconds_per_clip": whole,
        "clips_per_second": 1 / whole,
        "frames_per_second": frames / whole,
        "limit_clips_per_second": 1 / detector_alone,
        "share_of_detector": detector_alone / whole,
    }


def prepare_all(clips: Clips, out: Path, shard: int = 0, shards: int = 1) -> tuple[list[Any], list[Any]]:
    """Prepare the clips of a shard into `out` and compute their features, as the jobs of a study do."""
    from syncvoice.commands.prepare_shard import prepare_shard
    from syncvoice.datasets.base import in_shard
    from syncvoice.features.base import make_extractor
    from syncvoice.features.cache import extract_shard
    from syncvoice.records.clips import write_manifest
    from syncvoice.video.prepare import PrepareSettings

    sources = [source for source in clips.sources() if in_shard(source.id, shard, shards)]
    accepted, excluded = prepare_shard(sources, clips.folder, out, PrepareSettings())
    write_manifest(out / "clips.cuts.jsonl.gz", accepted)
    for feature, extractor in FEATURES.items():
        extract_shard(out / f"{feature}.h5", make_extractor(extractor), accepted, feature)
    return accepted, excluded


def _job(clips: Clips, out: Path, ready: Any, results: Any) -> None:
    """One process: load everything, wait for the others, prepare, say how long it took."""
    began = time.perf_counter()
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    first = Clips(clips.folder, clips.layout, 1)
    prepare_all(first, out / "first")
    start = time.perf_counter() - began
    ready.wait()
    began, cpu = time.perf_counter(), time.process_time()
    accepted, _ = prepare_all(clips, out / "all")
    taken = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "start_s": start}
    results.put(taken | {"clips": len(accepted), "frames": sum(clip.n_frames for clip in accepted)})


def side_by_side(processes: int, clips: Clips, folder: Path) -> dict[str, Any]:
    """Run as many jobs at once, each over all clips; returns their joint rate."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(processes), context.Queue()
    jobs = [
        context.Process(target=_job, args=(clips, folder / f"{processes}-{number}", ready, results))
        for number in range(processes)
    ]
    for job in jobs:
        job.start()
    rows = [results.get(timeout=3600) for _ in jobs]
    for job in jobs:
        job.join()
    wall = max(row["wall_s"] for row in rows)
    done = sum(row["clips"] for row in rows)
    if not done:
        raise SystemExit(f"no clip of {clips.folder} can be prepared; see why with --check")
    return {
        "clips": done,
        "wall_s": wall,
        "clips_per_second": done / wall,
        "frames_per_second": sum(row["frames"] for row in rows) / wall,
        "cpu_seconds_per_clip": sum(row["cpu_s"] for row in rows) / done,
        "start_s": statistics.median(row["start_s"] for row in rows),  # imports, detector, one clip
    }


def lengths_of(accepted: list[Any], out: Path) -> list[dict[str, Any]]:
    """What was stored of each clip: frames with a face, and the number of rows of everything that has a clock."""
    import av

    from syncvoice.audio import read_wav
    from syncvoice.features.cache import FeatureStore
    from syncvoice.video.store import TrackReader

    rows = []
    stores = {feature: FeatureStore([out / f"{feature}.h5"]) for feature in FEATURES}
    with TrackReader(out / "tracks.h5") as reader:
        for clip in accepted:
            track = reader.track(clip.id)
            with av.open(str(clip.video)) as file:
                at_25 = file.streams.video[0].average_rate == clocks.FPS
                in_file = sum(1 for _ in file.decode(video=0)) if at_25 else clip.n_frames
            rows.append(
                {
                    "clip": clip.id, "speaker": clip.speaker, "video": in_file, "frames": clip.n_frames,
                    "found": int(track.found.sum()), "track": len(track.landmarks), "mouth": len(reader.mouth(clip.id)),
                    "pictures": len(reader.face(clip.id)), "samples": len(read_wav(clip.audio)[0]),
                    **{feature: len(store[clip.id]) for feature, store in stores.items()},
                }
            )  # fmt: skip
    for store in stores.values():
        store.close()
    return rows


def disagreements(row: dict[str, Any]) -> list[str]:
    """Return what does not have the length that the clocks give for the clip's video frames."""
    n = row["frames"]
    wanted = dict.fromkeys(("video", "track", "mouth", "pictures", "lip", "face"), n)
    wanted |= {"mel": clocks.mel_frames(n), "samples": clocks.samples(n)}
    return [f"{row['clip']}: {name} has {row[name]}, expected {count}" for name, count in wanted.items()
            if row[name] != count]  # fmt: skip


def faces_in(video: Path) -> tuple[int, int]:
    """Frames of a video and how many of them show a face; (0, 0) of a file that cannot be decoded."""
    from syncvoice.video.decode import ClipProblem, FrameSource
    from syncvoice.video.prepare import PrepareSettings

    try:
        _, found = PrepareSettings().make_detector().detect(FrameSource(video))
    except ClipProblem:
        return 0, 0
    return len(found), int(found.sum())


def check(clips: Clips, folder: Path) -> dict[str, Any]:
    """Prepare every clip; returns counts of frames, faces, excluded clips and wrong lengths.

    Frames of excluded clips count too: what was left out must not make the share of faces better.
    """
    accepted, excluded = prepare_all(clips, folder)
    rows = lengths_of(accepted, folder)
    counts = {row["clip"]: (row["frames"], row["found"]) for row in rows}
    counts |= {row.clip: faces_in(clips.folder / row.media) for row in excluded}
    frames, found = (sum(count) for count in zip(*counts.values(), strict=True))
    return {
        "clips": len(accepted) + len(excluded),
        "accepted": len(accepted),
        "speakers": len({row["speaker"] for row in rows}),
        "excluded": dict(Counter(row.reason for row in excluded)),
        "excluded_clips": {row.clip: row.message for row in excluded},
        "frames": frames,
        "frames_with_face": found,
        "share_with_face": found / frames if frames else 0.0,
        "clips_with_lost_frames": sorted(clip for clip, (n, seen) in counts.items() if seen < n),
        "wrong_lengths": [problem for row in rows for problem in disagreements(row)],
    }


def main() -> None:
    """Measure or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=3)
    parser.add_argument("--data", type=Path, help="folder of clips (default: MiniDub, made on the fly)")
    parser.add_argument("--layout", default="grid", help="of the folder: grid, lrs3 or folder")
    parser.add_argument("--clips", type=int, help="number of clips (default: 12; with --check all)")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="jobs side by side")
    parser.add_argument("--check", action="store_true", help="check every clip instead of measuring")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n = args.clips or (None if args.check and args.data else 12)
        clips = Clips(args.data, args.layout, n) if args.data else made_on_the_fly(folder / "minidub", n or 12)
        if args.check:
            found = check(clips, folder / "check")
            good = found["share_with_face"] >= LEAST_FACE_SHARE and not found["wrong_lengths"]
            result: dict[str, Any] = {"check": found | {"passed": good}}
        else:
            steps = step_medians(clips, folder, args.runs, CLOCKS[args.clock])
            jobs = {str(k): side_by_side(k, clips, folder) for k in args.processes}
            result = {"clock_of_steps": args.clock, "layout": clips.layout, "steps": steps, "processes": jobs}
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    write_result(args.out, result)
    if args.check and not result["check"]["passed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
