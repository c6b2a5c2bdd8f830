"""The clips of a split as sound, before they get a face: spoken now by an engine, or read from a recording of it.

A recording (`syncvoice corpus --record`) is one zip file per split: `index.json` with what `clips.csv` says of each
clip and the times of its phones and words, and one Ogg Opus file per sound. It is for engines that take minutes: the
same speech then needs neither the network nor the time.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from syncvoice.clocks import SAMPLE_RATE, samples
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, write_json
from syncvoice.minidub.engine import PlannedClip, engine_of
from syncvoice.minidub.planning import plan
from syncvoice.minidub.settings import CorpusJob, recording_path
from syncvoice.minidub.speech import Phone, Speech, Word

FORMAT = 1
COMPRESSION = 0.75  # of Opus, 0 to 1: 72 kbit/s, DistillMOS -0.02; 0.85 (45 kbit/s) costs 0.15
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time of day in the file


@dataclass(frozen=True)
class SpokenClip:
    """A clip as sound.

    Attributes:
        columns: of clips.csv, without those about media files.
        speech: of the clip.
        translation: the same voice saying the translation in the clip's time, None if there is none.
    """

    columns: dict[str, Any]
    speech: Speech
    translation: Speech | None


class SpokenSplit(Protocol):
    """All clips of a split, in the order of the plan."""

    @property
    def speakers(self) -> dict[str, str]:
        """Clip -> who speaks it."""

    def speak(self, clip: str) -> SpokenClip:
        """Return one clip."""


def open_split(job: CorpusJob, split: str) -> SpokenSplit:
    """Return the sounds of a split: from the recording that the job names, else spoken by its engine."""
    if job.recordings is None:
        return LiveSplit(job, split)
    return RecordedSplit(recording_path(job.recordings, split), job, split)


class LiveSplit:
    """Clips that the engine speaks when they are asked for."""

    def __init__(self, job: CorpusJob, split: str) -> None:
        """Plan the split.

        Raises:
            UserError: settings that cannot be met.
        """
        self._job, self._split, self._settings = job, split, job.split(split)
        self._engine = engine_of(job.engine)
        self._engine.compute_in(job.arithmetic)
        self._planned = {clip.clip: clip for clip in plan(job.seed, split, self._settings, self._engine)}

    @property
    def speakers(self) -> dict[str, str]:
        """Clip -> who speaks it."""
        return {clip: planned.voice.name for clip, planned in self._planned.items()}

    def speak(self, clip: str) -> SpokenClip:
        """Speak one clip.

        Raises:
            UserError: the engine's network is missing.
        """
        planned, engine = self._planned[clip], self._engine
        limit = engine.REFERENCE_FRAMES if self._settings.media == "audio" else None
        speech, delivery = engine.speak(planned, self._job.seed, limit)
        columns = self._columns(planned) | {"n_frames": speech.n_frames} | dict(engine.columns(delivery))
        said = engine.speak_translation(planned, speech, self._job.seed) if planned.translation else None
        return SpokenClip(columns, speech, said)

    def _columns(self, planned: PlannedClip) -> dict[str, Any]:
        """Describe a planned clip."""
        voice, sentence = planned.voice, planned.sentence
        return {
            "clip": planned.clip,
            "split": self._split,
            "dataset": self._job.dataset,
            "speaker": voice.name,
            "sex": voice.sex,
            "voice_seen": "yes" if self._engine.is_seen(voice) else "no",
            "language": sentence.language,
            "source": sentence.source,
            "text": sentence.text,
            "translation_text": planned.translation_text,
        }


class Recording:
    """A recording: what it was made from, the columns of its clips, and their sounds.

    Attributes:
        made_from: what decided it (see `made_from`).
        columns: clip -> its columns of clips.csv, in the order of the plan.
    """

    def __init__(self, path: Path, how: str = "'syncvoice corpus --record' makes it") -> None:
        """Open a zip file; `how` tells people how to make it.

        Raises:
            UserError: it is not there.
        """
        if not path.is_file():
            raise UserError(f"the recording {path} does not exist; {how}")
        self._file = zipfile.ZipFile(path)
        index = json.loads(self._file.read("index.json"))
        self.made_from: dict[str, Any] = index["made_from"]
        self._entries: dict[str, dict[str, Any]] = {entry["columns"]["clip"]: entry for entry in index["clips"]}
        self.columns = {clip: dict(entry["columns"]) for clip, entry in self._entries.items()}

    def speech(self, clip: str) -> Speech:
        """Read the speech of a clip."""
        return self._read(f"{clip}.ogg", self._entries[clip]["speech"])

    def translation(self, clip: str) -> Speech | None:
        """Read the translation of a clip, None if it has none."""
        times = self._entries[clip]["translation"]
        return self._read(f"{clip}.translation.ogg", times) if times else None

    def _read(self, name: str, times: Mapping[str, Any]) -> Speech:
        import soundfile

        audio, _ = soundfile.read(io.BytesIO(self._file.read(name)), dtype="float32")
        n_frames = times["n_frames"]
        audio = np.pad(audio, (0, max(0, samples(n_frames) - len(audio))))[: samples(n_frames)]
        phones = tuple(Phone(symbol, start, end) for symbol, start, end in times["phones"])
        words = tuple(Word(text, start, end) for text, start, end in times["words"])
        return Speech(audio, phones, words, n_frames)


class RecordedSplit:
    """Clips that were spoken before."""

    def __init__(self, path: Path, job: CorpusJob, split: str) -> None:
        """Open a recording.

        Raises:
            UserError: it is not there, or was made from other settings.
        """
        how = f"make it: 'syncvoice corpus --settings JSON --split {split} --record {path}', or set recordings: null"
        self._recording = Recording(path, how)
        wanted, found = made_from(job, split), self._recording.made_from
        if found != wanted:
            differ = [key for key, value in wanted.items() if found.get(key) != value]
            raise UserError(f"the recording {path} was made from other settings ({', '.join(differ)} differ); {how}")

    @property
    def speakers(self) -> dict[str, str]:
        """Clip -> who speaks it."""
        return {clip: columns["speaker"] for clip, columns in self._recording.columns.items()}

    def speak(self, clip: str) -> SpokenClip:
        """Read one clip."""
        recording = self._recording
        return SpokenClip(recording.columns[clip], recording.speech(clip), recording.translation(clip))


def made_from(job: CorpusJob, split: str) -> dict[str, Any]:
    """Return what decides the speech of a split, as JSON holds it."""
    settings = job.split(split).model_dump(mode="json", exclude={"prosody_coupling", "of", "moment"})
    return {
        "format": FORMAT,
        "dataset": job.dataset,
        "engine": job.engine,
        "engine_version": engine_of(job.engine).VERSION,
        "seed": job.seed,
        "split": split,
        **({} if job.arithmetic == "int8" else {"arithmetic": job.arithmetic}),
        **settings,
    }


def record(job: CorpusJob, split: str, path: Path) -> int:
    """Speak a split and write its recording; what a stopped call spoke stands beside it and is kept.

    Args:
        job: the data set.
        split: to record.
        path: the zip file to write.

    Returns:
        number of clips.
    """
    from tqdm import tqdm

    live, parts = LiveSplit(job, split), path.with_suffix(".partial")
    parts.mkdir(parents=True, exist_ok=True)
    wanted = made_from(job, split)
    for clip in tqdm(live.speakers, desc=f"{job.dataset} {split}", unit="clip", disable=None):
        done = parts / f"{clip}.json"
        if not (done.is_file() and json.loads(done.read_text(encoding="utf-8"))["made_from"] == wanted):
            write_json(done, {"made_from": wanted, "clip": _record_clip(live.speak(clip), parts)})
    entries = [json.loads((parts / f"{clip}.json").read_text(encoding="utf-8"))["clip"] for clip in live.speakers]
    index = json.dumps({"made_from": wanted, "clips": entries}, ensure_ascii=False, indent=1)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        file.writestr(zipfile.ZipInfo("index.json", _EPOCH), index, zipfile.ZIP_DEFLATED)
        for entry in entries:
            for name in _sounds(entry):
                file.writestr(zipfile.ZipInfo(name, _EPOCH), (parts / name).read_bytes(), zipfile.ZIP_STORED)
    for left in parts.iterdir():
        left.unlink()
    parts.rmdir()
    return len(entries)


def _sounds(entry: Mapping[str, Any]) -> list[str]:
    """Names of the sounds of a recorded clip."""
    clip = entry["columns"]["clip"]
    return [f"{clip}.ogg", *([f"{clip}.translation.ogg"] if entry["translation"] else [])]


def _record_clip(spoken: SpokenClip, folder: Path) -> dict[str, Any]:
    """Write the sounds of a clip; returns its entry of the index."""
    entry: dict[str, Any] = {"columns": spoken.columns, "speech": times_of(spoken.speech), "translation": None}
    if spoken.translation is not None:
        entry["translation"] = times_of(spoken.translation)
    for name, speech in zip(_sounds(entry), (spoken.speech, spoken.translation), strict=False):
        _write_opus(folder / name, speech)
    return entry


def _write_opus(path: Path, speech: Speech | None) -> None:
    import soundfile

    if speech is None:
        return
    sound = io.BytesIO()
    soundfile.write(sound, speech.audio, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
    with atomic_path(path) as temporary:
        temporary.write_bytes(sound.getvalue())


def times_of(speech: Speech) -> dict[str, Any]:
    """Length, and phones and words with their times in seconds, to the microsecond."""
    return {
        "n_frames": speech.n_frames,
        "phones": [[p.symbol, round(p.start_s, 6), round(p.end_s, 6)] for p in speech.phones],
        "words": [[w.text, round(w.start_s, 6), round(w.end_s, 6)] for w in speech.words],
    }
