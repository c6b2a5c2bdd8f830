"""MiniDub: what is said in each clip of a split, by whom and how, and the files of one shard.

A split is planned as a whole from its settings, then cut into shards by running index, so that shards can be made
side by side. Everything random of a clip is drawn from (seed, clip id).
"""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import seeding
from syncvoice.audio import write_wav
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.minidub.engine import Engine, PlannedClip, Wanted, engine_of
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.settings import CorpusJob, SplitSettings
from syncvoice.minidub.speech import Speech
from syncvoice.text.articulation import articulation, prosody

COLUMNS = (
    *("clip", "split", "dataset", "speaker", "sex", "voice_seen", "language", "source", "text", "media", "n_frames"),
    *("translation_text", "translation_media", "intensity", "rate"),
)


def plan(seed: int, split: str, settings: SplitSettings, engine: Engine) -> list[PlannedClip]:
    """List every clip of a split, in a fixed order: English GRID, English phrases, Mandarin phrases.

    Raises:
        UserError: more sentences are asked for than exist.
    """
    per_voice = settings.clips_per_voice
    counts = settings.clips or {
        language: n * sum(map(len, engine.voices(settings.voices, language))) for language, n in per_voice.items()
    }
    spoken: list[tuple[Sentence, Sentence | None]] = []
    for language in sorted(counts):
        wanted = Wanted(seed, split, settings.sentences, settings.media == "audio", counts[language])
        if settings.translate_to and language == "en":
            spoken += engine.translations(wanted)
            continue
        n_grid = round(counts[language] * settings.grid_share) if language == "en" else 0
        for source, n in (("grid", n_grid), ("phrases", counts[language] - n_grid)):
            spoken += [(sentence, None) for sentence in engine.sentences(language, source, replace(wanted, n=n))]
    planned = []
    for index, (sentence, translation) in enumerate(spoken):
        groups = engine.voices(settings.voices, sentence.language)
        if per_voice:
            flat = [voice for group in groups for voice in group]
            voice = flat[index % len(flat)]
        else:
            group = groups[index % len(groups)]
            voice = group[index // len(groups) % len(group)]
        name = f"{split}_{sentence.language}{index:04d}_{voice.name}"
        planned.append(PlannedClip(name, sentence, voice, translation))
    return planned


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
    if not 0 <= shard < shards:
        raise UserError(f"split {split!r} has shards 0 to {shards - 1}; {shard} was asked for")
    engine = engine_of(job.engine)
    mine = plan(job.seed, split, parts, engine)[shard::shards]
    (out / "clips").mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    times: dict[str, dict[str, Any]] = {}
    by_voice = sorted(mine, key=lambda planned: planned.voice.name)  # a face is built once, then used for all its clips
    for planned in tqdm(by_voice, desc=f"{job.dataset} {split} {shard}", unit="clip", disable=None):
        speech, delivery = engine.speak(planned, job.seed, engine.REFERENCE_FRAMES if parts.media == "audio" else None)
        said = {"media": _write_media(planned, speech, parts, job, out), "n_frames": speech.n_frames}
        said |= {"translation_media": _write_translation(planned, speech, engine, job, out)}
        seen = "yes" if engine.is_seen(planned.voice) else "no"
        rows[planned.clip] = _row(planned, split, job.dataset, seen) | said | dict(engine.columns(delivery))
        times[planned.clip] = _times(planned.clip, speech)
    _write_csv(out / "clips.csv", [rows[planned.clip] for planned in mine])
    with atomic_path(out / "phones.jsonl") as temporary:
        lines = [json.dumps(times[planned.clip], ensure_ascii=False) + "\n" for planned in mine]
        temporary.write_text("".join(lines), encoding="utf-8")
    return len(mine)


def _write_media(planned: PlannedClip, speech: Speech, parts: SplitSettings, job: CorpusJob, out: Path) -> str:
    """Write a clip's wav or mp4; returns its path relative to the shard."""
    if parts.media == "audio":
        media = f"clips/{planned.clip}.wav"
        write_wav(out / media, speech.audio, SAMPLE_RATE)
        return media
    from syncvoice.minidub.face import motion, renderer_of
    from syncvoice.minidub.film import write_film

    random = seeding.rng(job.seed, planned.clip, "motion")
    coupling = float(random.uniform(*np.broadcast_to(parts.prosody_coupling, 2)))
    mouth = articulation(speech.phones, speech.n_frames)
    moves = motion(prosody(speech.audio, SAMPLE_RATE, speech.n_frames), speech.n_frames, coupling, random)
    frames = renderer_of(planned.voice.name, planned.voice.sex).render(mouth, moves)
    media = f"clips/{planned.clip}.mp4"
    write_film(out / media, frames, speech.audio, job.image_size)
    return media


def _write_translation(planned: PlannedClip, speech: Speech, engine: Engine, job: CorpusJob, out: Path) -> str:
    """Write a recording of the translation by the clip's voice, as long as the clip; "" if there is none."""
    translation = engine.speak_translation(planned, speech, job.seed) if planned.translation else None
    if translation is None:
        return ""
    media = f"clips/{planned.clip}.translation.wav"
    write_wav(out / media, translation.audio, SAMPLE_RATE)
    return media


def _row(planned: PlannedClip, split: str, dataset: str, voice_seen: str) -> dict[str, Any]:
    """Describe a planned clip in the columns of clips.csv."""
    voice, sentence = planned.voice, planned.sentence
    return {
        "clip": planned.clip,
        "split": split,
        "dataset": dataset,
        "speaker": voice.name,
        "sex": voice.sex,
        "voice_seen": voice_seen,
        "language": sentence.language,
        "source": sentence.source,
        "text": sentence.text,
        "translation_text": planned.translation_text,
    }


def _times(clip: str, speech: Speech) -> dict[str, Any]:
    """List phones and words with their times in seconds, to the microsecond."""
    return {
        "clip": clip,
        "phones": [[p.symbol, round(p.start_s, 6), round(p.end_s, 6)] for p in speech.phones],
        "words": [[w.text, round(w.start_s, 6), round(w.end_s, 6)] for w in speech.words],
    }


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
    for split, parts in sorted(job.splits.items()):
        counts = parts.clips or {f"{language} per voice": n for language, n in parts.clips_per_voice.items()}
        clips = ", ".join(f"{n} {language}" for language, n in sorted(counts.items()))
        row = (split, clips, parts.voices, parts.sentences, parts.media, str(parts.prosody_coupling))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n\n" + engine_of(job.engine).CARD + _CARD


_CARD = f"""\
- **Faces**: `skimage.data.astronaut()`, the NASA portrait of Eileen Collins (public domain), changed into one identity
  per voice and animated. She is a real person: she is credited here, and neither she nor NASA endorses this project.
- **Mouth**: visemes of the phones, blended (co-articulation); {FPS} frames per second.
- **Head, brows, lids**: follow pitch and energy of the voice by the factor *prosody coupling*. A coupling above 0
  builds in what the face features are meant to find; splits with coupling 0 show what is left without it.
- **Limits**: one photograph, synthetic voices, clips of 1.4 to 3.6 s. It tests machinery and is no evidence about
  real speech.
"""
