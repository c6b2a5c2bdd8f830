"""Tasks: texts, references, reproducible choices."""

from dataclasses import replace
from pathlib import Path

import pytest

from syncvoice.datasets.tasks import TaskJob, choose_reference, make_task
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.records.tasks import read_task, write_task
from syncvoice.section import validated


def job(**more: object) -> TaskJob:
    return TaskJob(language="en", text="own", seed=1, **more)


def clip(name: str, speaker: str = "a", **more: object) -> Clip:
    base = Clip(name, "test", "d", speaker, "female", "no", "en", "grid", f"text {name}", None, Path("x.wav"), 50)
    return replace(base, **more)


REFERENCES = [clip(f"r{k}", split="reference", language="zh" if k > 4 else "en") for k in range(8)]


def test_reference_is_another_recording_of_the_speaker_in_its_language() -> None:
    targets = [clip(f"c{k}") for k in range(30)]
    chosen = [choose_reference(target, [*REFERENCES, clip("other", "b")], 1) for target in targets]
    assert {reference.id for reference in chosen} == {"r0", "r1", "r2", "r3", "r4"}
    again = [choose_reference(target, [clip("other", "b"), *REFERENCES[::-1]], 1) for target in targets[::-1]]
    assert chosen == again[::-1], "order of neither list matters"
    assert chosen != [choose_reference(target, REFERENCES, 2) for target in targets]


def test_reference_is_never_the_target_nor_its_sentence() -> None:
    target = clip("r0")
    twin = clip("twin", text=target.text)
    assert choose_reference(target, [target, twin], 1) is None
    assert choose_reference(target, [target, twin, clip("zh", language="zh")], 1).id == "zh"


def test_missing_reference_is_an_empty_field_not_a_crash() -> None:
    (utterance,) = make_task([clip("c", "nobody")], REFERENCES, job())
    assert utterance.reference == utterance.reference_text == ""


def test_translation_takes_the_partner_text() -> None:
    clips = [clip("a", translation_text="你好"), clip("b")]
    (utterance,) = make_task(clips, REFERENCES, TaskJob(language="zh", text="translation", seed=1))
    assert (utterance.clip, utterance.text, utterance.language) == ("a", "你好", "zh")


def test_own_text_needs_the_language() -> None:
    clips = [clip("a"), clip("b", language="zh")]
    assert [entry.clip for entry in make_task(clips, REFERENCES, job())] == ["a"]
    with pytest.raises(UserError, match="none of 2 clips"):
        make_task(clips, REFERENCES, TaskJob(language="fr", text="own", seed=1))
    with pytest.raises(UserError, match="'own' or 'translation'"):
        validated(TaskJob, {"language": "en", "text": "given", "seed": 1}, "t.json")


def test_limit_keeps_the_same_clips_when_others_come() -> None:
    clips = [clip(f"c{k:02}") for k in range(20)]
    few = [entry.clip for entry in make_task(clips, REFERENCES, job(clips=5))]
    assert len(few) == 5 and few == sorted(few)
    assert few == [entry.clip for entry in make_task(clips[::-1], REFERENCES, job(clips=5))]
    assert set(few) < {entry.clip for entry in make_task(clips, REFERENCES, job(clips=10))}


def test_round_trip(tmp_path: Path) -> None:
    utterances = make_task([clip("a", text='say "x", y')], REFERENCES, job())
    write_task(tmp_path / "t.csv", utterances)
    assert read_task(tmp_path / "t.csv") == utterances
    with pytest.raises(UserError, match="does not exist"):
        read_task(tmp_path / "none.csv")
    (tmp_path / "bad.csv").write_text("a,n_frames\n1,2\n")
    with pytest.raises(UserError, match="no task"):
        read_task(tmp_path / "bad.csv")
