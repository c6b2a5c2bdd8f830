"""`syncvoice score --generated`: any folder; every trouble is a row, a message and a count."""

import csv
import weakref
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncvoice.audio import resample, write_wav
from syncvoice.cli import main
from syncvoice.commands.score_folders import Tally, report
from syncvoice.errors import UserError
from syncvoice.metrics import registry
from syncvoice.metrics.folders import Folder, chosen_files, read_texts
from syncvoice.metrics.metric import MetricFile
from syncvoice.metrics.registry import METRIC_FILES
from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Sources, cached_by_id
from syncvoice.metrics.scoring import scored
from tests.unit.clip_files import RATE, blank_frames, write_video
from tests.unit.spoken import noise, script, speech


class Level(Scorer):
    """Scores the level of a sound; remembers what it was given."""

    NAME = "level"

    def __init__(self) -> None:
        self.heard: dict[str, tuple[int, int]] = {}

    @classmethod
    def from_sources(cls, sources: Sources) -> "Level":
        return cls()

    def metrics_for(self, row: dict[str, str]) -> list[str]:
        return ["level"]

    def score(self, utterance: object) -> list[Score]:
        self.heard[utterance.id] = (len(utterance.audio), len(utterance.audio_16k))
        return [Score("level", float(np.abs(utterance.audio).max()))]


class Batched(Level):
    """The same, several at once; refuses loud sounds."""

    BATCH = 2
    sizes: list[int]

    def score_many(self, utterances: list[object]) -> list[object]:
        self.sizes = [*getattr(self, "sizes", []), len(utterances)]
        return [ScoreError("too loud") if np.abs(u.audio).max() > 0.9 else self.score(u)[0:1] for u in utterances]


def rows_of(folder: Folder, entry: str = "dnsmos.p835", scorer: Level | None = None) -> dict[str, dict[str, str]]:
    return {row["utterance"]: row for row in scored(scorer or Level(), folder.work(entry))}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders generated/, videos/ and texts.csv with everything that can go wrong."""
    root = tmp_path_factory.mktemp("made")
    generated, videos = root / "generated", root / "videos"
    write_wav(generated / "good.wav", noise(1.0), 16_000)
    (generated / "sub").mkdir()
    soundfile.write(generated / "sub" / "stereo.wav", np.stack([noise(1.0), noise(1.0)], 1)[:24_000], 44_100)
    write_wav(generated / "twice.wav", noise(1.0), 16_000)
    soundfile.write(generated / "twice.flac", noise(1.0), 16_000)
    write_wav(generated / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    write_wav(generated / "short.wav", noise(0.1), 16_000)
    broken = noise(1.0)
    broken[7] = np.nan
    soundfile.write(generated / "holes.wav", broken, 16_000, subtype="FLOAT")
    (generated / "garbage.wav").write_bytes(b"no sound")
    write_wav(generated / "alone.wav", noise(1.0), 16_000)
    write_wav(generated / ".hidden.wav", noise(1.0), 16_000)
    videos.mkdir()
    for name in ("good", "twice", "unused"):
        write_video(videos / f"{name}.mkv", blank_frames(12), None)
    (root / "texts.csv").write_text("utterance,text\ngood.wav,hello there\nmissing,never spoken\nalone,\n")
    return root


def test_every_trouble_is_a_row_with_a_message(made: Path) -> None:
    folder = Folder.open(made / "generated", texts=made / "texts.csv")
    rows = rows_of(folder)
    expected = {
        "alone": "", "garbage": "cannot be read as sound", "good": "", "holes": "1 samples that are not finite",
        "missing": "no generated file named missing", "short": "0.1", "silent": "sound is silent",
        "sub/stereo": "mean of 2 channels; resampled from 44100 Hz to 16000 Hz", "twice": "keep one",
    }  # fmt: skip
    assert set(rows) == set(expected)
    for name, message in expected.items():
        assert message in rows[name]["message"], name
        assert (rows[name]["status"] == "ok") == (name in ("good", "alone", "sub/stereo")), name


def test_missing_video_and_text_fail_only_where_they_are_needed(made: Path) -> None:
    folder = Folder.open(made / "generated", made / "videos", made / "texts.csv", subset=True)
    assert "missing" not in folder.names and folder.unused == 1
    lip_sync = rows_of(folder, "lse.syncnet_mini")
    assert lip_sync["good"]["status"] == "ok"
    assert (lip_sync["alone"]["status"], lip_sync["alone"]["message"]) == ("failed", "no video named alone")
    words = rows_of(folder, "wer.ctc_mini")
    assert (words["alone"]["status"], words["alone"]["message"]) == ("failed", "no text for alone")
    assert rows_of(folder)["alone"]["status"] == "ok"


def test_sound_is_resampled_once_from_the_file(made: Path) -> None:
    scorer = Level()
    rows_of(Folder.open(made / "generated"), scorer=scorer)
    assert scorer.heard["good"] == (36_000, 24_000)
    assert scorer.heard["sub/stereo"] == (-(-24_000 * 24_000 // 44_100), -(-24_000 * 16_000 // 44_100))


def test_scorers_may_take_several_at_once(tmp_path: Path) -> None:
    for name in "abc":
        write_wav(tmp_path / f"{name}.wav", noise(1.0), 16_000)
    plain, batched = Level(), Batched()
    folder = Folder.open(tmp_path)
    assert list(scored(batched, folder.work("dnsmos.p835"))) == list(scored(plain, folder.work("dnsmos.p835")))
    assert batched.sizes == [2, 1]


def test_problem_in_a_batch_stays_with_its_utterance(tmp_path: Path) -> None:
    for name, level in (("a", 0.1), ("b", 0.99), ("c", 0.1)):
        write_wav(tmp_path / f"{name}.wav", np.full(16_000, level, np.float32), 16_000)
    rows = rows_of(Folder.open(tmp_path), scorer=Batched())
    assert [rows[name]["status"] for name in "abc"] == ["ok", "failed", "ok"]
    assert rows["b"]["message"] == "too loud"


def test_one_batch_of_sounds_is_in_memory_at_a_time(tmp_path: Path) -> None:
    class Watching(Level):
        alive: list[int]
        seen: list[weakref.ref]

        def score(self, utterance: object) -> list[Score]:
            self.seen = [*getattr(self, "seen", []), weakref.ref(utterance)]
            self.alive = [*getattr(self, "alive", []), sum(item() is not None for item in self.seen)]
            return super().score(utterance)

    for number in range(8):
        write_wav(tmp_path / f"{number}.wav", noise(0.3), 16_000)
    scorer = Watching()
    assert len(rows_of(Folder.open(tmp_path), scorer=scorer)) == 8
    assert max(scorer.alive) <= 2


def test_scorers_remember_few_clips() -> None:
    calls: list[str] = []
    lookup = cached_by_id(lambda name: calls.append(name) or name, limit=2)
    for name in "abbcab":
        assert lookup(name) == name
    assert calls == ["a", "b", "c", "a", "b"]
    assert Folder(["a"], {}).sources(Path("weights")).remember == 2


def test_videos_are_sound_and_picture(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mkv", blank_frames(25), noise(1.0, sample_rate=RATE), rate=RATE)
    write_video(tmp_path / "mute.mkv", blank_frames(25), None)
    folder = Folder.open(tmp_path)
    rows = rows_of(folder, "lse.syncnet_mini")
    assert rows["a"]["status"] == "ok"
    assert rows["mute"]["status"] == "failed" and "no sound" in rows["mute"]["message"]
    assert folder.sources(Path("weights")).clips["a"].video == tmp_path / "a.mkv"


def test_video_without_a_face_is_a_failed_row(tmp_path: Path) -> None:
    from syncvoice.metrics.folders import scorer_of

    if not Path("weights/syncnet.safetensors").exists():
        pytest.skip("weights/syncnet.safetensors is not there")
    write_video(tmp_path / "blank.mkv", blank_frames(12), noise(0.48, sample_rate=RATE), rate=RATE)
    folder = Folder.open(tmp_path)
    scorer = scorer_of("lse.syncnet_mini", folder.sources(Path("weights")))
    rows = list(scored(scorer, folder.work("lse.syncnet_mini")))
    assert len(rows) == 4
    assert all(row["status"] == "failed" and "no face found in any of 12 frames" in row["message"] for row in rows)


@pytest.mark.parametrize(
    ("content", "name", "text"),
    [
        ("utterance\ttext\tspeaker\ns1/a.mpg\tHello, you\tbob\n", "s1/a", "Hello, you"),
        ("id,transcript\na,hello\n", "a", "hello"),
        ("a|hello there\nb|more\n", "a", "hello there"),
        ('\ufeffutterance,text\na,"one, two"\n', "a", "one, two"),
    ],
)
def test_texts_of_several_kinds_are_read(tmp_path: Path, content: str, name: str, text: str) -> None:
    (tmp_path / "t").write_text(content, encoding="utf-8")
    assert read_texts(tmp_path / "t")[name]["text"] == text


def test_bad_texts_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_texts(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("who,what\na,b\n")
    with pytest.raises(UserError, match="expected utterance and text"):
        read_texts(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("utterance,text\na,b\na.wav,c\n")
    with pytest.raises(UserError, match="names a twice"):
        read_texts(tmp_path / "t.csv")


def test_language_and_kind_of_sentence_follow_from_the_text(made: Path) -> None:
    texts = {"a": {"text": "bin blue at f two now"}, "b": {"text": "你好"}, "c": {"text": "hello", "language": "de"}}
    folder = Folder(["a", "b", "c"], {}, texts=texts)
    rows = [folder.row(name) for name in "abc"]
    assert [(row["language"], row["source"]) for row in rows] == [("en", "grid"), ("zh", ""), ("de", "")]


def test_alias_takes_the_first_scorer_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "a.wav", noise(1.0), 16_000)
    grid = {"a": {"text": "bin blue at f two now"}}
    folder = Folder(["a"], {"a": [tmp_path / "a.wav"]}, {}, grid)
    sources = Sources(tmp_path / "weights", assets=tmp_path / "assets")
    monkeypatch.setitem(registry.ALIASES, "wer", ("wer.best", "wer.pocketsphinx_grid", "wer.plain"))
    monkeypatch.setitem(METRIC_FILES, "wer.best", MetricFile("wer.best", "x:X", assets=("best",)))
    monkeypatch.setitem(METRIC_FILES, "wer.plain", MetricFile("wer.plain", "x:X"))
    assert chosen_files("wer", folder, sources) == ["wer.pocketsphinx_grid"]
    other = Folder(["a"], {}, {}, {"a": {"text": "something else"}})
    assert chosen_files("wer,wer.plain", other, sources) == ["wer.plain"]
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "best.pt").write_bytes(b"")
    assert chosen_files("wer", folder, sources) == ["wer.best"]


def test_lse_alias_prefers_syncnet_v2(tmp_path: Path) -> None:
    folder = Folder(["a"], {}, videos={})
    (tmp_path / "syncnet.safetensors").write_bytes(b"")
    sources = Sources(tmp_path, assets=tmp_path)
    found = []
    for name in ("", "syncnet_v2", "s3fd"):
        if name:
            (tmp_path / name).write_bytes(b"")
        found += chosen_files("lse", folder, sources)
    assert found == ["lse.syncnet_mini", "lse.syncnet_v2.tracked_mediapipe", "lse.syncnet_v2.tracked"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("lse.syncnet_mini", "--videos"),
        ("wer.ctc_mini", "--texts"),
        ("sim_o.ge2e_resemblyzer", "--references"),
        ("mcd_dtw.melcep13", "only a study has"),
        ("nonsense", "choose lse, wer, sim, mos"),
        (" ,", "names nothing"),
    ],
)
def test_missing_inputs_are_told_before_anything_is_scored(tmp_path: Path, metric: str, message: str) -> None:
    write_wav(tmp_path / "a.wav", noise(1.0), 16_000)
    with pytest.raises(UserError, match=message):
        chosen_files(metric, Folder.open(tmp_path), Sources(Path("weights")))


def test_tally_counts_failures_as_the_tables_do() -> None:
    rate = Tally("wer.ctc_mini")
    rate.add({"scorer": "ctc", "status": "ok", "value": "0.5", "errors": "3", "words": "6"})
    rate.add({"scorer": "ctc", "status": "failed", "errors": "6", "words": "6"})
    rate.add({"scorer": "ctc", "status": "not_applicable"})
    assert rate.estimate().value == pytest.approx(0.75)
    assert (rate.scored, rate.failed, rate.not_applicable) == (1, 1, 1)
    share = Tally("in_sync.syncnet_mini")
    share.add({"scorer": "s", "status": "ok", "value": "1.0"})
    share.add({"scorer": "s", "status": "failed"})
    assert share.estimate().value == pytest.approx(0.5)
    text = report(Folder(["a", "b"], {}, unused=3), {rate.metric: rate, share.metric: share}, {"b (ctc)": "no text"})
    assert "1 / 2" in text and "75.0 %" in text and "b (ctc): no text" in text and "3 videos" in text


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Two good sentences, one of them as a 44.1 kHz file, and one text without speech."""
    for number, rate in ((0, 24_000), (1, 44_100)):
        soundfile.write(tmp_path / f"u{number}.wav", resample(speech("f2", number).audio, 24_000, rate), rate)
    lines = [f"u{number}\t{script(number)}" for number in range(3)]
    (tmp_path / "texts.tsv").write_text("utterance\ttext\n" + "\n".join(lines) + "\n")
    return tmp_path


def test_command_scores_several_metrics_and_prints_a_table(spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["score", "--metric", "wer.pocketsphinx_grid,dnsmos.p835", "--generated", str(spoken)]
    arguments += ["--texts", str(spoken / "texts.tsv"), "--out"]
    assert main([*arguments, str(spoken / "a.csv")]) == 0
    table = capsys.readouterr().out
    assert "WER (PocketSphinx, GRID grammar)" in table and "2 / 3" in table
    assert "no generated file named u2" in table
    assert main([*arguments, str(spoken / "b.csv")]) == 0
    assert (spoken / "a.csv").read_bytes() == (spoken / "b.csv").read_bytes()
    with open(spoken / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 + 9
    assert [row["words"] for row in rows[:3]] == ["6", "6", "6"] and rows[2]["errors"] == "6"
    assert rows[1]["message"] == "resampled from 44100 Hz to 16000 Hz"


def test_contradicting_arguments_are_told(spoken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["score", "--generated", str(spoken), "--out", str(spoken / "x.csv")]
    for extra, message in (
        ([], "needs --metric"),
        (["--metric", "mos", "--task", "t.csv"], "leave out --task"),
        (["--metric", "mos", "--references", "a", "b"], "one folder or one recording"),
    ):
        assert main([*base, *extra]) == 2
        assert message in capsys.readouterr().err
    assert not (spoken / "x.csv").exists()
    with pytest.raises(UserError, match="is no folder"):
        Folder.open(spoken / "nowhere")
    (spoken / "empty").mkdir()
    with pytest.raises(UserError, match="nothing can be scored"):
        Folder.open(spoken / "empty")
