"""MiniDub: what is said in each clip of a split, by whom and how, and the files of one shard.

A split is planned as a whole from its settings, then cut into shards by running index, so that shards can be made
side by side. Everything random of a clip is drawn from (seed, clip id).
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import seeding
from syncvoice.audio import write_wav
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.minidub import phrases
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.settings import CorpusJob, SplitSettings
from syncvoice.minidub.speech import Delivery, Speech, random_delivery, synthesise
from syncvoice.minidub.voices import PRETRAIN_VOICES, TRAIN_VOICES, UNSEEN_VOICES, Voice
from syncvoice.text.articulation import articulation, prosody

COLUMNS = (
    *("clip", "split", "dataset", "speaker", "sex", "voice_seen", "language", "source", "text", "media", "n_frames"),
    *("translation_text", "intensity"),
)
MIN_FRAMES = 35  # 1.4 s: shorter clips get a longer silence at their end
REFERENCE_FRAMES = 50  # 2 s: a reference is spoken faster or with another sentence until it fits
_REFERENCE_SHARE = 4  # one test sentence in four is kept for references, so that none is also dubbed
_VOICES = {
    "train": (TRAIN_VOICES,),
    "unseen": (UNSEEN_VOICES,),
    "both": (TRAIN_VOICES, UNSEEN_VOICES),
    "pretrain": (PRETRAIN_VOICES,),
}


@dataclass(frozen=True)
class PlannedClip:
    """A clip before it is made."""

    clip: str
    sentence: Sentence
    voice: Voice
    translation_text: str = ""


def plan(seed: int, split: str, settings: SplitSettings) -> list[PlannedClip]:
    """List every clip of a split, in a fixed order: English GRID, English phrases, Mandarin phrases.

    Raises:
        UserError: more sentences are asked for than exist.
    """
    groups = _VOICES[settings.voices]
    n_voices = sum(map(len, groups))
    counts = settings.clips or {language: n * n_voices for language, n in settings.clips_per_voice.items()}
    spoken: list[tuple[Sentence, str]] = []
    for language in sorted(counts):
        if settings.translate_to and language == "en":
            spoken += _translations(seed, settings.sentences, counts["en"])
            continue
        n_grid = round(counts[language] * settings.grid_share) if language == "en" else 0
        for source, n in (("grid", n_grid), ("phrases", counts[language] - n_grid)):
            spoken += [(sentence, "") for sentence in _sentences(seed, split, settings, language, source, n)]
    flat = [voice for group in groups for voice in group]
    planned = []
    for index, (sentence, translation) in enumerate(spoken):
        if settings.clips_per_voice:
            voice = flat[index % n_voices]
        else:
            group = groups[index % len(groups)]
            voice = group[index // len(groups) % len(group)]
        name = f"{split}_{sentence.language}{index:04d}_{voice.name}"
        planned.append(PlannedClip(name, sentence, voice, translation))
    return planned


def _sentences(seed: int, split: str, settings: SplitSettings, language: str, source: str, n: int) -> list[Sentence]:
    """Draw n different sentences; those of references and those of dubbed test clips never meet."""
    bank: Sequence[Sentence] = phrases.sentences(language, source, settings.sentences) if n else ()
    if settings.sentences == "test":
        bank = [sentence for sentence in bank if _for_reference(sentence) == (settings.media == "audio")]
    if n > len(bank):
        raise UserError(f"split {split!r} asks for {n} sentences of {source}/{language}, only {len(bank)} exist")
    order = seeding.rng(seed, "minidub", split, language, source).permutation(len(bank))
    return [bank[index] for index in order[:n]]


def _translations(seed: int, sentences: str, n: int) -> list[tuple[Sentence, str]]:
    """Draw n English sentences with their Mandarin texts, none of them kept for references."""
    pairs = phrases.sample_translation_pairs(2 * n, seed, sentences)
    free = [
        (pair.english, pair.mandarin.text) for pair in pairs if sentences == "train" or not _for_reference(pair.english)
    ]
    if len(free) < n:
        raise UserError(f"{n} translation pairs asked for, only {len(free)} of those drawn are free; ask for fewer")
    return free[:n]


def _for_reference(sentence: Sentence) -> bool:
    """Tell whether a test sentence is kept for references: by its content, alike in both languages."""
    content = int(sentence.sentence_id.rsplit("-", 1)[1], 16)
    return content // phrases.TEST_MODULUS % _REFERENCE_SHARE == 0


def speak(planned: PlannedClip, seed: int, max_frames: int | None = None) -> tuple[Speech, Delivery]:
    """Speak a planned clip with its own random delivery, between MIN_FRAMES and `max_frames` long."""
    delivery = random_delivery(seeding.rng(seed, planned.clip, "delivery"), planned.sentence)
    if max_frames is not None:
        delivery = replace(delivery, pauses=(), lead_s=min(delivery.lead_s, 0.15), tail_s=min(delivery.tail_s, 0.15))
    speech = synthesise(planned.sentence, planned.voice, delivery)
    while max_frames is not None and speech.n_frames > max_frames and delivery.rate_wpm < 400:
        delivery = replace(delivery, rate_wpm=round(delivery.rate_wpm * 1.08))
        speech = synthesise(planned.sentence, planned.voice, delivery)
    if speech.n_frames < MIN_FRAMES and max_frames is None:
        delivery = replace(delivery, tail_s=delivery.tail_s + (MIN_FRAMES - speech.n_frames) / FPS)
        speech = synthesise(planned.sentence, planned.voice, delivery)
    return speech, delivery


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
    mine = plan(job.seed, split, parts)[shard::shards]
    (out / "clips").mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    times: dict[str, dict[str, Any]] = {}
    by_voice = sorted(mine, key=lambda planned: planned.voice.name)  # a face is built once, then used for all its clips
    for planned in tqdm(by_voice, desc=f"{job.dataset} {split} {shard}", unit="clip", disable=None):
        speech, delivery = speak(planned, job.seed, REFERENCE_FRAMES if parts.media == "audio" else None)
        media = _write_media(planned, speech, parts, job, out)
        rows[planned.clip] = _row(planned, speech, delivery, split, job.dataset, media)
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


def _row(
    planned: PlannedClip, speech: Speech, delivery: Delivery, split: str, dataset: str, media: str
) -> dict[str, Any]:
    """Describe a clip in the columns of clips.csv."""
    voice, sentence = planned.voice, planned.sentence
    return {
        "clip": planned.clip,
        "split": split,
        "dataset": dataset,
        "speaker": voice.name,
        "sex": voice.sex,
        "voice_seen": "no" if voice in UNSEEN_VOICES else "yes",
        "language": sentence.language,
        "source": sentence.source,
        "text": sentence.text,
        "media": media,
        "n_frames": speech.n_frames,
        "translation_text": planned.translation_text,
        "intensity": delivery.intensity,
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
    return "\n".join(lines) + _CARD


_CARD = f"""
- **Speech**: espeak-ng (GPL-3, a separate package) at {SAMPLE_RATE} Hz; sentences of the GRID grammar and of a bank of
  English and Mandarin phrases. Rate, silences, pauses, pitch and three intensities vary at random, so that the text
  does not tell the timing.
- **Faces**: `skimage.data.astronaut()`, the NASA portrait of Eileen Collins (public domain), changed into one identity
  per voice and animated. She is a real person: she is credited here, and neither she nor NASA endorses this project.
- **Mouth**: visemes of the phones that espeak-ng reports, blended (co-articulation); {FPS} frames per second.
- **Head, brows, lids**: follow pitch and energy of the voice by the factor *prosody coupling*. A coupling above 0
  builds in what the face features are meant to find; splits with coupling 0 show what is left without it.
- **Held out**: test sentences and these voices are unknown to every shipped weight:
  {", ".join(voice.name for voice in UNSEEN_VOICES)}.
- **Limits**: one photograph, synthetic voices, clips of 1.4 to 3.2 s. It tests machinery and is no evidence about
  real speech.
"""
