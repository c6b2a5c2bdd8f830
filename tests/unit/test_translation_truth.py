"""A data set that has recordings of its translations: they are prepared, and are what the row `ground_truth` says."""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import read_wav, write_wav
from syncvoice.commands.prepare_shard import prepare_shard
from syncvoice.datasets.base import SourceClip
from syncvoice.generation.kinds import ground_truth
from syncvoice.generation.work import Work
from syncvoice.records.clips import Clip, clips_of, write_manifest
from syncvoice.records.tasks import Utterance
from syncvoice.video.prepare import PrepareSettings


def tone(seconds: float, hz: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(24_000 * seconds)) / 24_000)).astype(np.float32)


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Two prepared clips; the first has a recording of its translation, a little longer than the clip."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    sources = []
    for name, extra in (("first", corpus / "first.translation.wav"), ("second", None)):
        write_wav(corpus / f"{name}.wav", tone(2.0, 200), 24_000)
        if extra:
            write_wav(extra, tone(2.3, 900), 24_000)
        sources.append(
            SourceClip(
                name, "test", "minidub", corpus / f"{name}.wav", "the red cup", "anna", has_video=False,
                translation_text="红杯子", translation_media=extra,
            )
        )  # fmt: skip
    found, excluded = prepare_shard(sources, corpus, tmp_path / "out", PrepareSettings())
    assert not excluded
    write_manifest(tmp_path / "cuts.jsonl.gz", found)
    return list(clips_of(tmp_path / "cuts.jsonl.gz"))


def row(clip: Clip, text: str, language: str) -> Utterance:
    return Utterance(
        clip.id, clip.id, clip.split, clip.dataset, text, language, "anna", "", "yes", "", "", "", "", "", clip.n_frames
    )


def test_recording_of_the_translation_has_the_clips_length(clips: list[Clip], tmp_path: Path) -> None:
    first, second = clips
    assert first.translation_audio is not None and second.translation_audio is None
    sound, _ = read_wav(first.translation_audio)
    assert len(sound) == 960 * first.n_frames == len(read_wav(first.audio)[0])


def test_ground_truth_says_the_text_of_the_row(clips: list[Clip], tmp_path: Path) -> None:
    first, second = clips
    utterances = [row(first, "红杯子", "zh"), row(second, "红杯子", "zh"), row(second, "the red cup", "en")]
    work = Work(utterances, tmp_path / "cuts.jsonl.gz", tmp_path, None, tmp_path / "speech")
    (tmp_path / "speech").mkdir()
    said, missing, own = ground_truth.speak(ground_truth.Settings(experiment="ground_truth"), work)
    crossings = [np.abs(np.diff(np.sign(read_wav(tmp_path / "speech" / r["wav"])[0]))).sum() for r in (said, own)]
    assert crossings[0] > 3 * crossings[1]
    assert missing["status"] == "failed" and "second" in missing["message"]
