"""A generate or score job that was killed goes on after what it had made, and ends with the same bytes."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from syncvoice.audio import write_wav
from syncvoice.commands import generate, score_task
from syncvoice.files import write_json
from syncvoice.generation import speech
from syncvoice.generation.kinds import model as kind
from syncvoice.journal import Journal, work_of
from syncvoice.model.vocoder import Vocoder
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.speech import write_speech
from syncvoice.records.tasks import Utterance, write_task
from syncvoice.records.weights import save_weights, write_metadata
from tests.unit.test_generation import VOCODER
from tests.unit.training_study import make_study


class Killed(BaseException):
    """What a test raises where a job is killed."""


def utterances(names: list[str]) -> list[Utterance]:
    row = dict(dataset="d", language="en", sex="", voice_seen="", source="", reference="clip3", reference_split="train",
               reference_text="set red", reference_language="en", split="train")  # fmt: skip
    return [Utterance(utterance=n, clip=n, text="bin blue", speaker="v", n_frames=12, **row) for n in names]


def killed_after(count: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, which is killed when it is made once more than `count` times."""
    made: list[int] = []

    def counted(*args: Any, **options: Any) -> Any:
        if len(made) == count:
            raise Killed
        made.append(1)
        return call(*args, **options)

    counted.made = made
    return counted


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> argparse.Namespace:
    """A generate job of a trained model: four utterances at two points."""
    folder = make_study(tmp_path_factory.mktemp("resume"))
    torch.manual_seed(1)
    save_weights(folder / "vocoder.safetensors", Vocoder(VOCODER).state_dict())
    write_metadata(folder / "vocoder.safetensors", {"config": VOCODER})
    (folder / "features").rename(folder / "train")
    (folder / "features").mkdir()
    (folder / "train").rename(folder / "features" / "train")
    model = run_model(folder)
    settings = kind.Settings(
        experiment="M3", voice="context", scales={"text": 2.0, "lip": 1.0}, steps=2, precision="fp32", t_shift=0.5,
        temperature=1.0, seed=1, swap="none", sweep={"lip": [0.0, 2.0]},
        vocoder=str(folder / "vocoder.safetensors"), speaker_encoder="",
    )  # fmt: skip
    write_json(folder / "row.json", settings.model_dump(mode="json"))
    write_task(folder / "task.csv", utterances(["clip1", "clip2", "clip5", "clip7"]))
    return argparse.Namespace(
        kind="model", experiment_settings=folder / "row.json", task=folder / "task.csv", model=model,
        manifest=folder / "train.cuts.jsonl.gz", features_root=folder / "features", out=folder / "speech", part="0/1",
        candidates=None, references=[],
    )  # fmt: skip


def run_model(folder: Path) -> Path:
    from syncvoice.training.run import train
    from tests.unit.training_study import recipe

    train(recipe(folder, steps=1), folder / "train.cuts.jsonl.gz", folder / "features" / "train", folder / "full")
    return folder / "full"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech, "BATCH_FRAMES", 2 * 100)  # two utterances with their context


@pytest.mark.parametrize("after", [1, 2, 5])
def test_killed_generation_goes_on_and_ends_with_the_same_bytes(
    job: argparse.Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_batches: None, after: int
) -> None:
    whole = argparse.Namespace(**vars(job) | {"out": tmp_path / "whole"})
    generate.run(whole)
    assert len(list(whole.out.rglob("*.wav"))) == 8 and not list(tmp_path.rglob("made.jsonl"))
    broken = argparse.Namespace(**vars(job) | {"out": tmp_path / "broken"})
    original = speech.decode
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(speech, "decode", killed_after(after, original))
        generate.run(broken)
    assert not broken.out.exists()
    counting = killed_after(99, original)
    monkeypatch.setattr(speech, "decode", counting)
    generate.run(broken)
    assert files(broken.out) == files(whole.out)
    assert len(counting.made) == 8 - after // 2 * 2, "whole batches are not spoken again"
    assert not broken.out.with_name("broken.part").exists()


@pytest.mark.parametrize("change", ["task", "settings", "sound"])
def test_what_another_job_left_is_not_taken(
    job: argparse.Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_batches: None, change: str
) -> None:
    mine = {"out": tmp_path / "speech", "task": tmp_path / "task.csv", "experiment_settings": tmp_path / "row.json"}
    args = argparse.Namespace(**vars(job) | mine)
    args.task.write_bytes(job.task.read_bytes())
    args.experiment_settings.write_bytes(job.experiment_settings.read_bytes())
    original = speech.decode
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(speech, "decode", killed_after(4, original))
        generate.run(args)
    if change == "task":
        write_task(args.task, utterances(["clip1", "clip2"]))
    elif change == "settings":
        write_json(args.experiment_settings, json.loads(args.experiment_settings.read_text()) | {"seed": 2})
    else:
        (sound,) = (tmp_path / "speech.part").rglob("clip1.wav")
        sound.write_bytes(sound.read_bytes()[:-2])
    counting = killed_after(99, original)
    monkeypatch.setattr(speech, "decode", counting)
    generate.run(args)
    assert len(counting.made) == {"task": 4, "settings": 8, "sound": 6}[change]
    assert len(list(args.out.rglob("*.wav"))) == (4 if change == "task" else 8)


def test_killed_scoring_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.metrics.naturalness.dnsmos import DnsmosScorer

    names, rows = ["a", "b", "c"], []
    for number, name in enumerate(names):
        noise = np.random.default_rng(number).normal(0, 0.1, 24_000).astype(np.float32)
        write_wav(tmp_path / "speech" / f"{name}.wav", noise if name != "b" else noise * 0, 24_000)
        rows.append({"utterance": name, "point": "", "wav": f"{name}.wav", "status": "ok", "message": ""})
    write_speech(tmp_path / "speech", rows)
    write_task(tmp_path / "task.csv", utterances(names))
    clip = Clip("a", "train", "d", "v", "", "", "en", "", "bin blue", None, tmp_path / "speech/a.wav", 25)
    write_manifest(tmp_path / "cuts.jsonl.gz", [clip])
    args = argparse.Namespace(
        task=tmp_path / "task.csv", speech=tmp_path / "speech", manifest=[tmp_path / "cuts.jsonl.gz"], references=[],
        network=[], weights=Path("weights"), assets=tmp_path, out=tmp_path / "whole.csv",
    )  # fmt: skip
    name = "naturalness.dnsmos:DnsmosScorer"
    score_task.score_task(name, args, {})
    args.out = tmp_path / "broken.csv"
    original = DnsmosScorer.score
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(DnsmosScorer, "score", killed_after(2, original))
        score_task.score_task(name, args, {})
    assert not args.out.exists()
    counting = killed_after(99, original)
    monkeypatch.setattr(DnsmosScorer, "score", counting)
    score_task.score_task(name, args, {})
    assert args.out.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    # The second clip is noted when the third comes, so that a note always holds all rows of a clip.
    assert len(counting.made) == 2
    assert not list(tmp_path.glob(".*.journal"))


def test_journal_drops_a_cut_line_and_another_work(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, "one") as journal:
        journal.add({"a": 1})
        journal.add({"b": 2})
    path.write_text(path.read_text() + '{"c": 3')
    with Journal(path, "one") as journal:
        assert journal.entries == [{"a": 1}, {"b": 2}]
    with Journal(path, "two") as journal:
        assert journal.entries == []


def test_work_is_another_when_a_file_changes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    before = work_of([tmp_path / "folder"], "settings")
    assert work_of([tmp_path / "folder"], "settings") == before != work_of([tmp_path / "folder"], "others")
    (tmp_path / "folder" / "a").write_text("ab")
    assert work_of([tmp_path / "folder"], "settings") != before


def test_work_is_another_when_code_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.journal.PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("a = 1")
    before = work_of([])
    (tmp_path / "a.pyc").write_text("compiled")
    assert work_of([]) == before
    (tmp_path / "a.py").write_text("a = 10")
    assert work_of([]) != before
