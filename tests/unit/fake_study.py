"""A results folder with made-up but plausible scores, speech and videos, for tests of the reports."""

import csv
import json
import shutil
import wave
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.commands.columns import column_of

TASK_COLUMNS = (
    "utterance,clip,split,dataset,text,language,speaker,sex,voice_seen,source,"
    "reference,reference_split,reference_text,reference_language,n_frames"
).split(",")
SCORE_COLUMNS = (
    "utterance,point,metric,value,scorer,scorer_version,weights_sha256,status,message,"
    "errors,words,substitutions,deletions,insertions"
).split(",")
SCORERS = {
    "lse_d.syncnet_mini": ("lse.syncnet_mini", 7.0, 0.5),
    "lse_c.syncnet_mini": ("lse.syncnet_mini", 5.0, 0.5),
    "offset.syncnet_mini": ("lse.syncnet_mini", 0.0, 1.0),
    "wer.ctc_mini": ("wer.ctc_mini", 0.15, 0.1),
    "cer.ctc_mini": ("wer.ctc_mini", 0.2, 0.1),
    "sim_o.ge2e_resemblyzer": ("sim_o.ge2e_resemblyzer", 0.75, 0.05),
    "dnsmos_ovrl.p835": ("dnsmos.p835", 2.8, 0.2),
}
# shift of a row in standard deviations of "goodness"
ROWS = {
    "ground_truth": 2.0,
    "zero_shot_tts": -0.5,
    "M1": 0.0,
    "M2": 0.4,
    "M3": 1.0,
    "M4": 0.1,
    "M5": 0.2,
    "noise": -4.0,
}
TEXTS = {
    "en": [
        "place blue at a nine soon",
        "set white with p two soon",
        "bin red by q four please",
        "lay green in t one now",
    ],
    "zh": [
        "今天的天气很好，我们去公园散步。",
        "请把窗户打开，谢谢。",
        "他明天早上坐火车去北京。",
        "这本书比那本书有意思。",
    ],
}
N_FRAMES = 25
SWEEP = [(face, lip) for face in (0, 1, 2, 3) for lip in (0, 1, 2, 3)]


def columns(metrics: list[str]) -> list[dict[str, Any]]:
    """What the study tells a table or plot about the metrics that it shows."""
    return [column_of(metric).model_dump() for metric in metrics]


def write_csv(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV; missing keys stay empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def task_rows(task: str, n: int) -> list[dict[str, Any]]:
    """Rows of a task file: speakers in turn, the last two of six are unseen."""
    language = task.split("_")[1]
    rows = []
    for index in range(n):
        speaker = f"voice_{index % 6}"
        reference = {"reference": f"ref_{speaker}", "reference_split": "reference", "reference_text": "a sentence"}
        rows.append(
            {
                **{
                    "utterance": f"{task}_{index:03d}",
                    "clip": f"{task}_{index:03d}",
                    "split": "test",
                    "dataset": "minidub",
                },
                **{
                    "text": TEXTS[language][index % 4],
                    "language": language,
                    "speaker": speaker,
                    "source": "phrases" if index % 3 == 2 else "grid",
                },
                **{"sex": "fm"[index % 2], "voice_seen": "no" if index % 6 >= 4 else "yes", "reference_language": "en"},
                **{"n_frames": N_FRAMES, **reference},
            }
        )
    return rows


def score_row(utterance: str, metric: str, value: float | None, status: str = "ok", **more: Any) -> dict[str, Any]:
    """One row of a tidy score file."""
    scorer = SCORERS[metric][0]
    row = {"utterance": utterance, "metric": metric, "value": "" if value is None else value, "scorer": scorer}
    return {**row, "scorer_version": "1", "weights_sha256": "ab" * 32, "status": status, "point": "", **more}


def random_scores(
    rows: list[dict[str, Any]], metric: str, row: str, shift: float, point: str = ""
) -> list[dict[str, Any]]:
    """Scores of one row and metric: a common part per clip, so that rows are correlated, and an own part."""
    _, mean, deviation = SCORERS[metric]
    sign = -1 if metric.split(".")[0] in ("lse_d", "wer", "cer") else 1
    lines = []
    for line in rows:
        common = np.random.default_rng(zlib.crc32(f"{line['utterance']}{metric}".encode())).normal()
        own = np.random.default_rng(zlib.crc32(f"{line['utterance']}{metric}{row}{point}".encode())).normal()
        value = mean + deviation * (sign * shift + 0.8 * common + 0.5 * own)
        more: dict[str, Any] = {"point": point}
        if metric.startswith("offset"):
            value = float(round(value))
        if metric.split(".")[0] in ("wer", "cer"):
            words = len(line["text"].split()) if line["language"] == "en" else sum(map(str.isalnum, line["text"]))
            errors = int(np.clip(round(value * words), 0, words))
            value = errors / words
            more |= {"errors": errors, "words": words}
        lines.append(score_row(line["utterance"], metric, round(float(value), 6), **more))
    return lines


def write_scores(root: Path, experiment: str, task: str, lines: list[dict[str, Any]]) -> None:
    """Write score lines to the metric files they belong to."""
    files: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        files.setdefault(SCORERS[line["metric"]][0], []).append(line)
    for file, part in files.items():
        write_csv(root / "metrics" / experiment / task / f"{file}.csv", SCORE_COLUMNS, part)


def write_speech(path: Path, n_frames: int, seed: int) -> np.ndarray:
    """Write a chirpy 24 kHz wav of exactly 960 samples per frame; returns the samples (int16)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(960 * n_frames) / 24000
    random = np.random.default_rng(seed)
    pitch = 110 + 40 * np.sin(2 * np.pi * (0.6 + 0.2 * random.random()) * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 24000
    envelope = np.clip(np.sin(2 * np.pi * 3 * time + seed), 0, 1) ** 0.7
    sound = sum(np.sin(k * phase) / k * np.exp(-(((k * 120 - 500 - 300 * envelope) / 900) ** 2)) for k in range(1, 30))
    samples = (8000 * envelope * sound + random.normal(0, 20, len(time))).clip(-32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(samples.tobytes())
    return samples


def write_video(path: Path, n_frames: int, hue: int, samples: np.ndarray | None = None) -> None:
    """Write a small mp4 with a moving mouth-like disc."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0:96, 0:96]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "32"})
        stream.width, stream.height, stream.pix_fmt = 96, 96, "yuv420p"
        sound = container.add_stream("aac", rate=24000) if samples is not None else None
        for index in range(n_frames):
            image = np.full((96, 96, 3), (40 + hue, 90, 140), dtype=np.uint8)
            image[(x - 48) ** 2 + (y - 48) ** 2 < 1400] = (200, 150 + hue // 4, 120)
            opening = 4 + 8 * abs(np.sin(index / 3))
            image[((x - 48) / 16) ** 2 + ((y - 62) / opening) ** 2 < 1] = (90, 20, 30)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            frame.sample_rate = 24000
            resampled = av.AudioResampler(format="fltp", layout="mono", rate=24000, frame_size=1024).resample(frame)
            for part in resampled:
                for packet in sound.encode(part):
                    container.mux(packet)
            for packet in sound.encode():
                container.mux(packet)


def write_track(root: Path, rows: list[dict[str, Any]]) -> None:
    """Write mesh landmarks of the clips, whose lips open and close."""
    from syncvoice.video.store import TrackWriter
    from syncvoice.video.track import Track

    path = root / "prepared" / "minidub" / "test" / "shard-0" / "tracks.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with TrackWriter(path) as writer:
        for row in rows:
            n_frames = int(row["n_frames"])
            landmarks = np.zeros((n_frames, 478, 3), dtype=np.float32)
            opening = 8 * np.clip(np.sin(2 * np.pi * 3 * np.arange(n_frames) / 25), 0, 1) + 1
            landmarks[:, 13, 1], landmarks[:, 14, 1] = 60 - opening / 2, 60 + opening / 2
            landmarks[:, 33, 0], landmarks[:, 263, 0] = 30, 70
            box = np.tile(np.float32([20, 20, 80, 80]), (n_frames, 1))
            writer.add(row["clip"], Track(landmarks, np.ones(n_frames, dtype=bool), box), [], [])


def build_study(root: Path, n: int = 18, media: int = 2, videos: bool = True) -> Path:
    """Make results/{study} with two tasks, eight rows, a sweep, curves, and speech and videos of the first clips."""
    metrics = {"en_en": [*list(SCORERS)[:4], *list(SCORERS)[5:]], "en_zh": [*list(SCORERS)[:3], *list(SCORERS)[4:]]}
    for task, names in metrics.items():
        rows = task_rows(task, n)
        write_csv(root / "tasks" / f"{task}.csv", TASK_COLUMNS, rows)
        for seed, (experiment, shift) in enumerate(ROWS.items()):
            lines = [line for name in names for line in random_scores(rows, name, experiment, shift)]
            write_scores(root, experiment, task, lines)
            utterances = []
            for index, row in enumerate(rows):
                wav = f"{row['utterance']}.wav"
                utterances.append({"utterance": row["utterance"], "point": "", "wav": wav, "status": "ok"})
                if index < media:
                    samples = write_speech(root / "speech" / experiment / task / wav, N_FRAMES, seed + 10 * index)
                    video = root / "videos" / experiment / task / f"{row['utterance']}.mp4"
                    if videos and not (first := root / "videos" / experiment / "en_en" / "en_en_000.mp4").exists():
                        write_video(first, N_FRAMES, 20 * seed, samples)
                    if videos and video != first:  # one film per row: encoding takes most of the time
                        video.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(first, video)
            columns = ["utterance", "point", "wav", "status", "message", "seconds_compute"]
            write_csv(root / "speech" / experiment / task / "utterances.csv", columns, utterances)
    rows = task_rows("en_en", n)
    write_track(root, rows[:media] + task_rows("en_zh", n)[:media])
    lines = []
    for face, lip in SWEEP:
        shifts = {
            "lse_c.syncnet_mini": 0.2 * face + 0.5 * lip - 0.1 * lip * lip,
            "dnsmos_ovrl.p835": -0.15 * lip - 0.1 * face,
        }
        shifts |= {"lse_d.syncnet_mini": 0.5 * lip, "wer.ctc_mini": -0.2 * lip + 0.2 * face - 0.08 * face * face}
        for metric, shift in shifts.items():
            lines += random_scores(rows[: n // 2], metric, "guidance_sweep", shift, f"face{face:.1f}_lip{lip:.1f}")
    write_scores(root, "guidance_sweep", "en_en", lines)
    for recipe, level in (("no_visual", 0.9), ("full", 0.8), ("lip_trained", 0.85)):
        random = np.random.default_rng(zlib.crc32(recipe.encode()))
        curve = [
            {"step": step, "loss": level * (1 + 2 * np.exp(-step / 80)) + 0.05 * random.normal(), "learning_rate": 1e-3}
            for step in range(10, 410, 10)
        ]
        write_csv(root / "models" / recipe / "curve.csv", ["step", "loss", "learning_rate"], curve)
    figures = {"own_beats_other": 0.98, "offset_within_1": 0.97, "delays_recovered": 0.96, "passed": True}
    (root / "metrics" / "syncnet_check.json").write_text(json.dumps(figures))
    return root
