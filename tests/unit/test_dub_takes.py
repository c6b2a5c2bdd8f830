"""Takes, single cues and sessions: the best of several readings, what a session keeps, and what is spoken again."""

import json
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import read_wav
from syncvoice.cli import main
from syncvoice.dubbing import Dubbed, Sound, Wishes
from syncvoice.dubbing.judging import ear_of, listener_of
from syncvoice.dubbing.script import Cue
from syncvoice.dubbing.session import Session
from syncvoice.dubbing.takes import Judged, Jury, best_take
from syncvoice.errors import UserError
from tests.unit.test_dub import dub, place, sound_of, subtitles

__all__ = ["place"]  # the fixture
CUES = ((0.0, 0.5, "bin blue"), (0.5, 1.0, "at f two"), (1.0, 1.6, "now"))


def test_the_best_take_is_the_most_alike_and_then_the_best_heard() -> None:
    assert best_take([Judged(1, 0.5), Judged(2, 0.7), Judged(3, 0.6)]).seed == 2
    assert best_take([Judged(1, 0.70, 0.5), Judged(2, 0.69, 0.1), Judged(3, 0.5, 0.0)]).seed == 2, "nearly as alike"
    assert best_take([Judged(1, 0.6, 0.2), Judged(2, 0.61, 0.2)]).seed == 2
    assert best_take([Judged(1, -1.0), Judged(2, -1.0)]).seed == 1, "no voice in any"


def test_a_jury_finds_the_voice_of_the_recording_and_the_words() -> None:
    time = np.arange(48_000) / 24_000
    voices = {f: np.sign(np.sin(2 * np.pi * f * time)).astype(np.float32) * 0.1 for f in (110.0, 150.0, 260.0)}
    cue = Cue("cue 1", "hello", 0, 50, (1,), "ANN")
    seed, told = Jury({"ANN": voices[150.0]}, "en").choose(cue, {4: voices[110.0], 5: voices[150.0], 6: voices[260.0]})
    assert seed == 5 and "seed 5 is the best of 3" in told and "seed 5 1.00" in told
    missed = {4: 0.5, 5: 0.25}
    jury = Jury({"ANN": voices[150.0]}, "en", lambda sound, text: missed[4 if sound[10] < 0 else 5])
    seed, told = jury.choose(cue, {4: -voices[150.0], 5: voices[150.0]})
    assert seed == 5 and "50% of the words missed" in told and "25% of the words missed" in told
    jury = Jury({"ANN": voices[150.0]}, "en", lambda *_: pytest.fail("the voices decide"))
    assert jury.choose(cue, {4: voices[110.0], 5: voices[150.0]})[0] == 5
    assert Jury({"ANN": np.zeros(48_000, np.float32)}, "en").choose(cue, {7: voices[110.0]})[0] == 7


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.dubbing.judging.LISTENERS", {})
    listener_of.cache_clear()


def spoken(place: Path, out: str, seed: int = 1, **wishes: object) -> Dubbed:
    """Dub three cues."""
    path = subtitles(place, "three.srt", *CUES)
    return dub(place, out, None, subtitles=path, sound=Sound(steps=1, seed=seed), wishes=Wishes(**wishes))  # type: ignore[arg-type]


def pieces(result: Dubbed) -> dict[str, np.ndarray]:
    return {name.removeprefix("cue "): sound for name, sound in result.sounds.items()}


def test_without_whisper_nobody_listens_to_takes() -> None:
    assert ear_of("en") is None


def test_takes_are_the_readings_of_following_seeds_and_the_best_is_kept(place: Path) -> None:
    result = spoken(place, "takes.mp4", takes=3, seed=4)
    told = [note for note in result.notes if "is the best of 3" in note]
    assert len(told) == 3 and all(f"seed {seed} " in told[0] for seed in (4, 5, 6))
    again = spoken(place, "again.mp4", takes=3, seed=4)
    assert again.out.read_bytes() == result.out.read_bytes(), "same seeds, same bytes"
    seed = int(told[1].split("seed ")[1].split(" ")[0])
    (alone,) = [sound for name, sound in pieces(spoken(place, "one.mp4", seed=seed)).items() if name == "2"]
    assert np.allclose(alone, pieces(result)["2"], atol=1e-3), "a take is the reading of its seed"


def test_a_session_resumes_and_speaks_one_cue_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place / "session"
    first = pieces(spoken(place, "first.mp4", session=folder))
    kept = json.loads((folder / "session.json").read_text(encoding="utf-8"))["cues"]
    assert set(kept) == {"cue 1", "cue 2", "cue 3"}
    sound, rate = read_wav(folder / kept["cue 2"]["sound"])
    assert rate == 24_000 and np.array_equal(sound, first["2"]), "kept without loss"

    other = spoken(place, "other.mp4", session=folder, only_cues=(2,), seed=9)
    assert np.array_equal(pieces(other)["1"], first["1"]) and np.array_equal(pieces(other)["3"], first["3"])
    assert not np.array_equal(pieces(other)["2"], first["2"])
    assert any("2 cues are kept, 1 are spoken" in note for note in other.notes)

    third = pieces(spoken(place, "third.mp4", session=folder, only_cues=(2,), seed=10))
    assert not np.array_equal(third["2"], pieces(other)["2"]), "again, with another seed"
    other = spoken(place, "other.mp4", session=folder, only_cues=(2,), seed=9)

    monkeypatch.setattr("syncvoice.dubbing.by_model.ModelEngine.look", lambda *_: pytest.fail("nothing is to be made"))
    whole = spoken(place, "whole.mp4", session=folder)
    assert np.array_equal(whole.speech, other.speech), "what was spoken again stays"


@pytest.mark.parametrize("change", ["text", "time", "voice", "seed", "steps", "damaged", "list"])
def test_what_changed_is_spoken_again(place: Path, tmp_path: Path, change: str) -> None:
    session = tmp_path / "session"
    cues = list(CUES)
    before = subtitles(place, "c.srt", *cues)
    options: dict = {"sound": Sound(steps=1), "wishes": Wishes(session=session)}
    dub(place, "a.mp4", None, subtitles=before, **options)
    if change == "text":
        cues[1] = (*cues[1][:2], "at g two")
    elif change == "time":
        cues[2] = (1.1, 1.6, "now")
    elif change == "voice":
        options["voice"] = place / "clip.mp4"
        from syncvoice.audio import write_wav

        write_wav(tmp_path / "v.wav", np.random.default_rng(3).normal(0, 0.05, 36_000).astype(np.float32), 24_000)
        options["voice"] = tmp_path / "v.wav"
    elif change in ("seed", "steps"):
        options["sound"] = Sound(steps=2) if change == "steps" else Sound(steps=1, seed=2)
    elif change == "damaged":
        (session / "cue_1.wav").write_bytes(b"no sound")
    else:
        (session / "session.json").unlink()
    result = dub(place, "b.mp4", None, subtitles=subtitles(place, "c.srt", *cues), **options)
    spoken = {"text": 1, "time": 1, "damaged": 1}.get(change, 3)
    told = [note for note in result.notes if "are kept" in note]
    assert told == ([] if spoken == 3 else [f"session {session}: {3 - spoken} cues are kept, {spoken} are spoken"])


def test_one_cue_without_a_session_is_spoken_alone(place: Path) -> None:
    result = spoken(place, "alone.mp4", only_cues=(2,))
    assert set(pieces(result)) == {"2"} and any("silent: cue 1, cue 3" in warning for warning in result.warnings)
    sound = np.abs(sound_of(result.out))
    assert sound[round(0.6 * 24_000) : round(0.9 * 24_000)].max() > 10 * sound[: round(0.4 * 24_000)].max()


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"only_cues": (4,)}, "no cue 4; the subtitles have cues 1 to 3"),
        ({"takes": 0}, "at least one is needed"),
        ({"session": Path(__file__)}, "is a file; give the name of a folder"),
        ({"track": "1"}, "holds no subtitle track|names a track of a video"),
    ],
)
def test_wishes_that_cannot_be_fulfilled_are_sentences(place: Path, wishes: dict, message: str) -> None:
    if "track" in wishes:
        with pytest.raises(UserError, match=message):
            dub(place, "x.mp4", wishes=Wishes(**wishes))
        return
    with pytest.raises(UserError, match=message):
        spoken(place, "x.mp4", **wishes)


def test_a_list_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    for content in ("[]", "{}", "x"):
        (tmp_path / "session.json").write_text(content)
        with pytest.raises(UserError, match="session"):
            Session.open(tmp_path, {}, {})


def test_each_speaker_has_a_voice(place: Path, tmp_path: Path) -> None:
    from syncvoice.audio import write_wav

    draw = np.random.default_rng(5)
    for name in ("ann", "bob"):
        write_wav(tmp_path / f"{name}.wav", draw.normal(0, 0.05, 48_000).astype(np.float32), 24_000)
    path = subtitles(place, "who.srt", (0.0, 0.8, "ANN: bin blue"), (0.8, 1.6, "BOB: bin blue"))
    voices = {"ANN": tmp_path / "ann.wav", "BOB": tmp_path / "bob.wav"}
    options: dict = {"subtitles": path, "sound": Sound(steps=1)}
    two = dub(place, "two.mp4", None, voice=voices, **options)
    one = dub(place, "one_voice.mp4", None, voice=tmp_path / "ann.wav", **options)
    assert [line.cue.speaker for line in two.lines] == ["ANN", "BOB"] and two.lines[0].cue.text == "bin blue"
    assert one.lines[0].cue.text == "ANN: bin blue", "a name that comes once and has no voice is a word"
    cues = ((0.0, 0.8, "ANN: bin blue"), (0.8, 1.2, "BOB: bin"), (1.2, 1.6, "BOB: blue"))
    options["subtitles"] = subtitles(place, "who2.srt", *cues)
    with pytest.raises(UserError, match="no voice for speaker 'BOB'"):
        dub(place, "x.mp4", None, voice={"ANN": tmp_path / "ann.wav"}, **options)
    command = ["dub", str(place / "clip.mp4"), "--model", str(place / "model"), "--out", str(place / "cli2.mp4"),
               "--subtitles", str(path), "--steps", "1", "--no-scores",
               *(part for name, file in voices.items() for part in ("--voice", f"{name}={file}"))]  # fmt: skip
    assert main(command) == 0
    assert (place / "cli2.mp4").read_bytes() == two.out.read_bytes()


def test_a_table_gives_each_row_its_speaker_and_voices(place: Path, tmp_path: Path) -> None:
    from syncvoice.dubbing.batch import read_batch

    (tmp_path / "a=b.wav").touch()
    table = tmp_path / "t.csv"
    table.write_text(
        'video,text,voice,speaker,out\na.mp4,hi,v.wav,,1.mp4\na.mp4,hi,"ANN=x.wav; y.wav",Ann,2.mp4\n'
        "a.mp4,hi,a=b.wav,,3.mp4\na.mp4,hi,,BOB,4.mp4\n"
    )
    rows = read_batch(table, tmp_path / "out")
    common = {"voice": {"BOB": Path("b.wav")}, "wishes": Wishes(session=Path("s"), speaker="ALL"), "subtitles": "x.srt"}
    merged = [row.merged(common) for row in rows]
    assert [one["voice"] for one in merged] == [
        {"": tmp_path / "v.wav"},
        {"ANN": tmp_path / "x.wav", "": tmp_path / "y.wav"},
        {"": tmp_path / "a=b.wav"},
        {"BOB": Path("b.wav")},
    ]
    assert [one["wishes"].speaker for one in merged] == ["ALL", "Ann", "ALL", "BOB"]
    assert [one["wishes"].session for one in merged] == [Path("s") / str(number) for number in (1, 2, 3, 4)]
    assert all(one["subtitles"] is None and one["text"] == "hi" for one in merged)
