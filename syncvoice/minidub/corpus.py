"""MiniDub: faces for what is spoken in a split, and the files of one shard.

A split is cut into shards by running index, so that shards can be made side by side.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import seeding
from syncvoice.audio import write_wav
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.minidub.engine import engine_of
from syncvoice.minidub.settings import CorpusJob, SplitSettings
from syncvoice.minidub.spoken import SpokenClip, open_split, times_of
from syncvoice.text.articulation import articulation, prosody

COLUMNS = (
    *("clip", "split", "dataset", "speaker", "sex", "voice_seen", "language", "source", "text", "media", "n_frames"),
    *("translation_text", "translation_media", "intensity", "rate"),
)


def make_shard(job: CorpusJob, split: str, shard: int, out: Path) -> int:
    """Make one shard of a split: out/clips/*, out/clips.csv, out/phones.jsonl.

    Args:
        job: the data set.
        split: name of the split.
        shard: number of the shard, from 0.
        out: folder of the shard.

    Returns:
        number of clips.

    Raises:
        UserError: settings that cannot be met.
    """
    from tqdm import tqdm

    parts, shards = job.split(split), job.shards.get(split, 1)
    source = parts.of or split
    if not 0 <= shard < shards:
        raise UserError(f"split {split!r} has shards 0 to {shards - 1}; {shard} was asked for")
    spoken_split = open_split(job, source)
    speakers = spoken_split.speakers
    mine = list(speakers)[shard::shards]
    (out / "clips").mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    times: dict[str, dict[str, Any]] = {}
    by_voice = sorted(mine, key=speakers.__getitem__)  # a face is built once, then used for all its clips
    for clip in tqdm(by_voice, desc=f"{job.dataset} {split} {shard}", unit="clip", disable=None):
        spoken = spoken_split.speak(clip)
        media = _write_media(spoken, job.split(source), parts.moment, job, out)
        files = {"media": media, "translation_media": _write_translation(spoken, out)}
        rows[clip] = spoken.columns | {"split": split} | files
        known = times_of(spoken.speech)
        times[clip] = {"clip": clip, "phones": known["phones"], "words": known["words"]}
    _write_csv(out / "clips.csv", [rows[clip] for clip in mine])
    with atomic_path(out / "phones.jsonl") as temporary:
        lines = [json.dumps(times[clip], ensure_ascii=False) + "\n" for clip in mine]
        temporary.write_text("".join(lines), encoding="utf-8")
    return len(mine)


def _write_media(spoken: SpokenClip, parts: SplitSettings, moment: float, job: CorpusJob, out: Path) -> str:
    """Write a clip's wav or mp4, its pictures `moment` frames late; returns its path relative to the shard."""
    clip, speech = str(spoken.columns["clip"]), spoken.speech
    if parts.media == "audio":
        media = f"clips/{clip}.wav"
        write_wav(out / media, speech.audio, SAMPLE_RATE)
        return media
    from syncvoice.minidub.face import motion, renderer_of
    from syncvoice.minidub.film import write_film

    random = seeding.rng(job.seed, clip, "motion")
    coupling = float(random.uniform(*np.broadcast_to(parts.prosody_coupling, 2)))
    mouth = articulation(speech.phones, speech.n_frames, later=moment)
    moves = motion(prosody(speech.audio, SAMPLE_RATE, speech.n_frames), speech.n_frames, coupling, random)
    frames = renderer_of(spoken.columns["speaker"], spoken.columns["sex"]).render(mouth, taken_later(moves, moment))
    media = f"clips/{clip}.mp4"
    write_film(out / media, frames, speech.audio, job.image_size)
    return media


def taken_later(curves: np.ndarray, moment: float) -> np.ndarray:
    """Curves (frames, n) `moment` frames later, linear between frames; the ends are held."""
    frames = np.arange(len(curves))
    return np.stack([np.interp(frames + moment, frames, curve) for curve in curves.T], axis=1).astype(curves.dtype)


def _write_translation(spoken: SpokenClip, out: Path) -> str:
    """Write a recording of the translation by the clip's voice, as long as the clip; "" if there is none."""
    if spoken.translation is None:
        return ""
    media = f"clips/{spoken.columns['clip']}.translation.wav"
    write_wav(out / media, spoken.translation.audio, SAMPLE_RATE)
    return media


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write clips.csv."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def data_card(job: CorpusJob) -> str:
    """Return the data card of the corpus as Markdown: what it is, how it is made, whose face it is, its limits."""
    lines = [
        f"# Data card: {job.dataset}",
        "",
        "Synthetic talking heads, made by this project from nothing but installed packages; no recording of a person.",
        "",
        "| split | clips | voices | sentences | media | prosody coupling |",
        "|---|---|---|---|---|---|",
    ]
    lines += ["| " + " | ".join(_card_row(job, split)) + " |" for split in sorted(job.splits)]
    kept = _RECORDED.format(folder=job.recordings) if job.recordings else ""
    return "\n".join(lines) + "\n\n" + engine_of(job.engine).CARD + kept + _CARD


def _card_row(job: CorpusJob, split: str) -> tuple[str, ...]:
    """Say of a split what it holds."""
    parts = job.split(split)
    if parts.of is not None:
        kept = job.split(parts.of)
        moment = f"as there, {parts.moment:+g} frames late"
        return split, f"those of {parts.of}", kept.voices, kept.sentences, kept.media, moment
    counts = parts.clips or {f"{language} per voice": n for language, n in parts.clips_per_voice.items()}
    clips = ", ".join(f"{n} {language}" for language, n in sorted(counts.items()))
    return split, clips, parts.voices, parts.sentences, parts.media, str(parts.prosody_coupling)


_RECORDED = """\
- **Recorded**: the engine spoke every clip once; the sounds lie in `{folder}` as Ogg Opus at 72 kbit/s.
"""
_CARD = f"""\
- **Faces**: `skimage.data.astronaut()`, the NASA portrait of Eileen Collins (public domain), changed into one identity
  per voice and animated. She is a real person: she is credited here, and neither she nor NASA endorses this project.
- **Mouth**: visemes of the phones, blended (co-articulation); {FPS} frames per second.
- **Head, brows, lids**: follow pitch and energy of the voice by the factor *prosody coupling*. A coupling above 0
  builds in what the face features are meant to find; splits with coupling 0 show what is left without it.
- **Limits**: one photograph, synthetic voices, clips of 1.4 to 3.6 s. It tests machinery and is no evidence about
  real speech.
"""
