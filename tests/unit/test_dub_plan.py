"""The plan before the work: cues get a time of their own and borrow silence; what does not fit is told with numbers."""

from pathlib import Path

import pytest

from syncvoice.cli import main
from syncvoice.dubbing.arranging import apart, paced
from syncvoice.dubbing.pace import Pace
from syncvoice.dubbing.plan import Said, make_plan
from syncvoice.dubbing.script import MIN_FRAMES, Cue
from syncvoice.errors import UserError
from tests.unit.clip_files import blank_frames, write_video

WORDS = "one two three four five six seven nine ten two one three"  # 13 syllables


def cue(place: int, start: int, stop: int, text: str = "blue", speaker: str = "", silent: bool = False) -> Cue:
    return Cue(f"cue {place}", text, start, stop, (place,), speaker, silent)


def times(cues: list[Cue]) -> list[tuple[int, int]]:
    return [(one.start, one.stop) for one in cues]


# cues (start, stop, text, speaker) in a video of 100 frames -> times, texts, part of a note
ODD = {
    "touching": ([(0, 20, "a", ""), (20, 40, "b", "")], [(0, 20), (20, 40)], ["a", "b"], None),
    "short at the start": ([(0, 4, "a", "")], [(0, 10)], ["a"], "shorter than 0.4 s; it is spoken from 0.00 to 0.40 s"),
    "short at the end": ([(96, 100, "a", "")], [(90, 100)], ["a"], "shorter than 0.4 s"),
    "no length": ([(50, 50, "a", "")], [(50, 60)], ["a"], "shorter than 0.4 s"),
    "ends before it begins": ([(50, 40, "a", "")], [(50, 60)], ["a"], "shorter than 0.4 s"),
    "short before another": ([(0, 4, "I", ""), (4, 40, "am", "")], [(0, 40)], ["I am"], "spoken as one"),
    "short after another": ([(0, 40, "am", ""), (40, 44, "I", "")], [(0, 40), (40, 50)], ["am", "I"], "shorter"),
    "short beside another speaker": (
        [(0, 4, "I", "A"), (4, 40, "am", "B")],
        [(0, 10), (10, 40)],
        ["I", "am"],
        "overlap; the first is spoken from 0.00 to 0.40 s",
    ),
    "overlap": ([(0, 22, "aa", ""), (18, 40, "bb", "")], [(0, 20), (20, 40)], ["aa", "bb"], "overlap"),
    "overlap, long text first": ([(0, 30, "a" * 9, ""), (10, 40, "b", "")], [(0, 30), (30, 40)], None, "overlap"),
    "overlap, long text last": ([(0, 30, "a", ""), (10, 40, "b" * 9, "")], [(0, 10), (10, 40)], None, "overlap"),
    "one inside the other": ([(0, 40, "aa", ""), (10, 20, "bb", "")], [(0, 20), (20, 40)], None, "overlap"),
    "same time": ([(0, 40, "aa", "A"), (0, 40, "bb", "B")], [(0, 20), (20, 40)], ["aa", "bb"], "overlap"),
    "same time, too short for two": ([(0, 15, "aa", "A"), (0, 15, "bb", "B")], [(0, 15)], ["aa bb"], "as one, by A"),
    "the same twice": ([(0, 40, "aa", ""), (10, 50, "aa", "")], [(0, 50)], ["aa"], "it is spoken once"),
    "wrong order": ([(40, 60, "b", ""), (0, 20, "a", "")], [(0, 20), (40, 60)], ["a", "b"], None),
    "three at once": (
        [(0, 60, "aa", "A"), (0, 60, "bb", "B"), (0, 60, "cc", "C")],
        [(0, 30), (30, 45), (45, 60)],
        None,
        "overlap",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_short_and_overlapping_cues_get_a_time_of_their_own(name: str) -> None:
    given, expected, texts, note = ODD[name]
    cues, notes = apart([cue(place, *values) for place, values in enumerate(given, 1)], 100)
    assert times(cues) == expected
    assert texts is None or [one.text for one in cues] == texts
    assert note is None if not notes else note in " ".join(notes)
    assert (note is None) == (not notes), notes


@pytest.mark.parametrize("seed", range(20))
def test_any_cues_end_up_apart_and_keep_every_word(seed: int) -> None:
    import random

    draw = random.Random(seed)
    starts = [draw.randrange(0, 100) for _ in range(8)]
    given = [cue(k, s, s + draw.randrange(-5, 60), f"word{k}", draw.choice("AB")) for k, s in enumerate(starts, 1)]
    given = [Cue(one.name, one.text, one.start, min(one.stop, 100), one.places, one.speaker) for one in given]
    cues, _ = apart(given, 100)
    assert all(one.n_frames >= MIN_FRAMES and 0 <= one.start and one.stop <= 100 for one in cues), times(cues)
    assert all(a.stop <= b.start for a, b in zip(cues, cues[1:], strict=False)), times(cues)
    assert sorted(" ".join(one.text for one in cues).split()) == sorted(one.text for one in given)
    assert sorted(place for one in cues for place in one.places) == list(range(1, 9))


def test_silent_cues_take_no_time_from_others() -> None:
    cues, notes = apart([cue(1, 0, 100, "[MUSIC]", silent=True), cue(2, 20, 40)], 100)
    assert times(cues) == [(0, 100), (20, 40)] and not notes


# (start, stop) and syllables, limits -> new times; 7 syllables a second are the limit, 25 frames a second
PACES = {
    "fits": ([(20, 45, 7)], {}, [(20, 45)]),
    "borrows after": ([(20, 45, 8)], {}, [(20, 49)]),
    "borrows before what is missing after": ([(20, 45, 8), (48, 90, 5)], {}, [(17, 46), (48, 90)]),
    "no more than allowed": ([(40, 50, 90)], {}, [(28, 62)]),
    "nothing to borrow": ([(0, 20, 9), (20, 45, 9), (45, 100, 9)], {}, [(0, 20), (20, 45), (45, 100)]),
    "not beyond the video": ([(80, 100, 8)], {}, [(71, 100)]),
    "not before the video": ([(5, 15, 9), (20, 60, 5)], {}, [(0, 18), (20, 60)]),
    "a lower limit": ([(20, 45, 7)], {"max_rate": 1.0}, [(20, 55)]),
    "no borrowing": ([(20, 45, 8)], {"borrow_s": 0.0}, [(20, 45)]),
    "slow": ([(0, 100, 2)], {}, [(0, 50)]),
    "slow, never too short": ([(0, 100, 1)], {"min_rate": 1.0}, [(0, 10)]),
    "slow limit": ([(0, 100, 10)], {"min_rate": 0.8}, [(0, 62)]),
    "silent neighbours lend": ([(0, 20, 0), (20, 45, 8), (45, 60, 0)], {}, [(0, 20), (20, 49), (45, 60)]),
}


@pytest.mark.parametrize("name", PACES)
def test_cues_borrow_silence_within_bounds(name: str) -> None:
    given, limits, expected = PACES[name]
    cues = [cue(place, start, stop) for place, (start, stop, _) in enumerate(given, 1)]
    needed = {one.name: syllables for one, (_, _, syllables) in zip(cues, given, strict=True)}
    moved, notes = paced(cues, needed, 100, "en", Pace(**limits))
    assert times(moved) == expected
    assert len(notes) == sum(a != b for a, b in zip(times(cues), expected, strict=True))


def subtitles(folder: Path, *cues: tuple[float, float, str]) -> Path:
    blocks = [
        f"{number}\n00:00:{start:06.3f} --> 00:00:{stop:06.3f}\n{text}\n".replace(".", ",", 2)
        for number, (start, stop, text) in enumerate(cues, 1)
    ]
    (folder / "a.srt").write_text("\n".join(blocks), encoding="utf-8")
    return folder / "a.srt"


@pytest.mark.parametrize(
    ("text", "verdict", "told"),
    [
        ("bin blue at f two now", "fits", None),
        ("one two three four five six seven nine", "fast", "shorten it to about 7 syllables"),
        (" ".join([WORDS] * 2), "nobody can follow", "shorten it to about 7 syllables"),
        ("(LAUGHS)", "silent", "has nothing to say ('(LAUGHS)') and stays silent"),
    ],
)
def test_every_cue_has_a_verdict(tmp_path: Path, text: str, verdict: str, told: str | None) -> None:
    path = subtitles(tmp_path, (0, 1, text), (1, 2, "nine blue two red"))
    plan = make_plan(Said(subtitles=path), 50)
    assert [one.verdict for one in plan.cues] == [verdict, "fits"]
    assert (told is None and not plan.warnings) or any(told in warning for warning in plan.warnings if told)
    table = plan.table().splitlines()
    assert len(table) == 3 and table[1].startswith("cue 1") and verdict in table[1]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_rate": 0.1}, "rising numbers"),
        ({"min_rate": 0.0}, "above 0"),
        ({"max_rate": float("inf")}, "rising"),
        ({"max_rate": float("nan")}, "rising"),
        ({"borrow_s": -1.0}, "choose 0 to 5"),
        ({"borrow_s": 60.0}, "choose 0 to 5"),
    ],
)
def test_limits_that_mean_nothing_are_sentences(limits: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(Said("bin blue", pace=Pace(**limits)), 50)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("plan") / "clip.mp4", blank_frames(50), None)


def test_a_dry_run_makes_nothing_and_needs_no_weights(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("syncvoice.dubbing.run.choose_engine", lambda *_: pytest.fail("an engine was loaded"))
    path = subtitles(tmp_path, (0, 0.2, "blue"), (0.5, 1.5, WORDS), (1.5, 2, "[MUSIC]"))
    monkeypatch.chdir(tmp_path)
    assert main(["dub", str(video), "--subtitles", str(path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "of natural" in told and "cue 2" in told and "silent" in told and "borrows silence" in told
    assert "is shorter than 0.4 s" in told
    assert sorted(tmp_path.iterdir()) == [path]
    assert main(["dub", str(video), "--text", WORDS, "--dry-run", "--max-rate", "0.9"]) == 0
    assert "1.30 x" in (out := capsys.readouterr().out) and "shorten it to about 9 syllables" in out


def test_a_dry_run_of_a_table_tells_every_row(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(
        f"video,text,out\n{video},bin blue,\nnone.mp4,bin blue,\n{video},{WORDS},b.mp4\n", encoding="utf-8"
    )
    assert main(["dub", "--batch", str(table), "--dry-run"]) == 2
    told = capsys.readouterr()
    assert told.out.count("of natural") == 2 and "row 3: video" in told.err and "(rows 3)" in told.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "a b"], "with --out FILE.mp4"),
        (["--text", "a b", "--dry-run", "--only-cue", "1"], "give them with --subtitles"),
        (["--text", "a b", "--dry-run", "--subtitle-track", "1"], "give the video with --subtitles"),
        (["--dry-run"], "either a text"),
        (["--text", "a b", "--dry-run", "--min-rate", "3"], "rising"),
        (["--text", "a b", "--dry-run", "--voice", "none.wav"], "voice none.wav does not exist"),
        (["--text", "a b", "--dry-run", "--voice", "ANN=none.wav"], "voice of ANN none.wav does not exist"),
        (["--text", "a b", "--dry-run", "--voice", "=a.wav"], "name before '=' is empty"),
        (["--text", "a b", "--dry-run", "--voice", "ANN="], "names no file"),
        (["--text", "a b", "--dry-run", "--voice", "A=x", "--voice", "a=y"], "given twice for speaker a"),
    ],
)
def test_mistakes_are_sentences(
    video: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["dub", str(video), *arguments]) == 2
    assert message in capsys.readouterr().err
