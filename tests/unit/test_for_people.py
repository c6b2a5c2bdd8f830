"""What a person meets first: the list of commands, names to import, JSON, and honest ends of scoring."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import syncvoice
from syncvoice.audio import write_wav
from syncvoice.cli import COMMANDS, GROUPS, main
from syncvoice.commands.score_folders import Tally, summary
from syncvoice.errors import UserError
from syncvoice.metrics.registry import VALIDITY
from syncvoice.reporting.columns import Column
from syncvoice.reporting.scores import select
from syncvoice.reporting.settings import Bootstrap, Row
from syncvoice.reporting.tables import estimate, paired_difference
from syncvoice.text.language import check_language
from tests.unit import fake_study


def test_help_groups_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    shown = capsys.readouterr().out
    assert stopped.value.code == 0
    places = [shown.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places)
    modules = {
        path.stem.replace("_", "-")
        for path in Path(syncvoice.__file__).parent.glob("commands/*.py")
        if "def configure" in path.read_text(encoding="utf-8")
    }
    assert modules == set(COMMANDS) == {name for group in GROUPS.values() for name in group}
    for name, text in COMMANDS.items():
        assert f"  {name} " in shown and text in shown


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("dubb", "'dub'"), ("compair", "'compare'"), ("prepare_shard", "'prepare-shard'"), ("Score", "'score'"),
     ("xyzzyq", "--help")],
)  # fmt: skip
def test_misspelt_command_gives_one_name(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([typed, "--anything"]) == 2
    message = capsys.readouterr().err
    assert hint in message and message.count("\n") == 1
    assert sum(f"'{name}'" in message for name in COMMANDS) <= 1


def test_version_and_module_and_nothing_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    run = subprocess.run([sys.executable, "-m", "syncvoice", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == f"syncvoice {syncvoice.__version__}"
    assert main([]) == 2
    assert "For people:" in capsys.readouterr().err


def test_names_to_import_are_shown_and_exist() -> None:
    assert {"dub", "Dubber", "speak", "score", "UserError"} <= set(dir(syncvoice))
    for name in syncvoice.__all__:
        assert getattr(syncvoice, name) is not None
    with pytest.raises(AttributeError, match="dubb"):
        _ = syncvoice.dubb


def test_score_in_python_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        write_wav(tmp_path / "g" / f"{name}.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    write_wav(tmp_path / "g" / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    found = syncvoice.score(tmp_path / "g", "dnsmos.p835")
    assert found.scored == 6 and len(found.rows) == 9 and "2 / 3" in str(found)
    arguments = ["score", "--generated", str(tmp_path / "g"), "--metric", "dnsmos.p835"]
    assert main([*arguments, "--json", "--out", str(tmp_path / "x.csv")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"] == found.metrics and told["syncvoice"] == syncvoice.__version__
    first = told["metrics"][0]
    assert first["low"] <= first["value"] <= first["high"] and (first["scored"], first["failed"]) == (2, 1)
    assert (tmp_path / "x.csv").exists()
    assert main([*arguments, "--format", "csv"]) == 0
    lines = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [line["metric"] for line in lines] == [entry["metric"] for entry in found.metrics]
    assert float(lines[0]["value"]) == first["value"] and set(lines[0]) == set(first)


def test_the_summary_says_what_a_small_scorer_cannot_tell_and_the_docs_name_its_fields(tmp_path: Path) -> None:
    write_wav(tmp_path / "g" / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    (tmp_path / "t.csv").write_text("utterance,text\na,bin blue at f two now\n")
    (small,) = syncvoice.score(tmp_path / "g", "wer.pocketsphinx_grid", texts=tmp_path / "t.csv").metrics
    assert small["validity"] == VALIDITY["wer.pocketsphinx_grid"]
    (other, *_) = syncvoice.score(tmp_path / "g", "dnsmos.p835").metrics
    assert other["validity"] is None
    page = (Path(__file__).parents[2] / "docs/scoring.md").read_text(encoding="utf-8")
    assert [name for name in small if f"| `{name}` |" not in page] == []


def test_nothing_scored_is_an_error_after_the_rows_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_wav(tmp_path / "g" / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    out = tmp_path / "x.csv"
    assert main(["score", "--generated", str(tmp_path / "g"), "--metric", "dnsmos.p835", "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert "could be scored" in captured.err and "0 / 1" in captured.out
    assert "Every utterance failed" in captured.out
    assert out.read_text(encoding="utf-8").count("failed") == 3


def test_missing_text_is_in_no_rate_and_all_failed_has_no_value() -> None:
    rate = Tally("wer.ctc_mini")
    rate.add({"scorer": "ctc", "status": "ok", "value": "0.5", "errors": "3", "words": "6"})
    rate.add({"scorer": "ctc", "status": "failed", "message": "no text for b"})
    assert rate.estimate().value == pytest.approx(0.5)
    assert (rate.failed, rate.uncounted) == (1, 1)
    lost = Tally("wer.ctc_mini")
    lost.add({"scorer": "ctc", "status": "failed", "errors": "6", "words": "6"})
    told = summary(lost)
    assert (told["value"], told["low"], told["scored"], told["failed"]) == (None, None, 0, 1)


def test_tables_and_comparisons_leave_out_clips_without_a_text(tmp_path: Path) -> None:
    import pandas as pd

    column = Column(id="wer.x", title="WER", label="WER", errors_over_words=True)
    task = pd.DataFrame({"utterance": ["a", "b"], "text": ["one two", ""], "language": "en"})
    rows = [
        {"utterance": "a", "metric": "wer.x", "point": "", "value": 0.5, "status": "ok", "errors": 1, "words": 2},
        {"utterance": "b", "metric": "wer.x", "point": "", "value": None, "status": "failed", "errors": None,
         "words": None},
    ]  # fmt: skip
    scores = select(pd.DataFrame(rows), task, Row(experiment="M1"), column)
    everybody = np.ones(2, dtype=bool)
    assert estimate(scores, everybody, Bootstrap(resamples=50), ("k",)).value == pytest.approx(0.5)
    assert paired_difference(scores, scores, everybody, Bootstrap(resamples=50), ("k",)).n == 1


def test_compare_as_json_takes_words_from_the_other_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def file(name: str, second: dict[str, object]) -> str:
        rows = [fake_study.score_row("a", "wer.ctc_mini", 0.0, errors=0, words=4), second]
        fake_study.write_csv(tmp_path / name, (*fake_study.SCORE_COLUMNS,), rows)
        return str(tmp_path / name)

    good = file("one.csv", fake_study.score_row("b", "wer.ctc_mini", 0.0, errors=0, words=8))
    lost = file("two.csv", fake_study.score_row("b", "wer.ctc_mini", None, "failed"))
    assert main(["compare", good, lost, "--json", "--resamples", "50"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert line["mean"] == pytest.approx(8 / 12) and line["n_paired"] == 2


@pytest.mark.parametrize(
    ("text", "language", "fits"),
    [
        ("bin blue at f two now", "en", True), ("bin blue at f two now", "zh", False), ("你好", "zh", True),
        ("你好，世界", "en", False), ("他说 OK", "zh", True), ("the word 茶 means tea", "en", True),
        ("café", "zh", False),
        ("¿Qué tal?", "es", True), ("你好", "fr", False), ("नमस्ते", "hi", True), ("hello", "hi", False),
        ("नमस्ते", "en", False), ("Привет", "en", True),  # a script that nobody here reads is for the tokenizer to judge
        ("３ 4 5", "zh", True), ("...", "en", True), ("", "zh", True), ("ＡＢＣ", "zh", False), ("㐂", "en", False),
    ],
)  # fmt: skip
def test_text_of_another_language_is_refused(text: str, language: str, fits: bool) -> None:
    if fits:
        check_language(text, language)
    else:
        with pytest.raises(UserError, match="--language"):
            check_language(text, language)


def test_dub_refuses_a_text_of_another_language_before_it_computes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").touch()
    write_wav(tmp_path / "v.wav", np.zeros(24_000, np.float32), 24_000)
    arguments = ["dub", str(tmp_path / "a.mp4"), "--text", "hello there", "--voice", str(tmp_path / "v.wav")]
    assert main([*arguments, "--language", "zh", "--out", str(tmp_path / "o.mp4")]) == 2
    assert "--language en" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["file/x.csv", "file/deep/x.csv"])
def test_an_output_below_a_file_is_a_sentence(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("a file")
    write_wav(tmp_path / "g" / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    arguments = ["score", "--generated", str(tmp_path / "g"), "--metric", "dnsmos.p835", "--out", str(tmp_path / place)]
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert f"{tmp_path / 'file'} is a file" in message and "Traceback" not in message
    assert (tmp_path / "file").read_text() == "a file"


@pytest.mark.parametrize(("rate", "status"), [(4.0, 0), (10.4, 0), (13.3, 2)])
def test_speech_that_nobody_can_follow_is_written_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rate: float, status: int
) -> None:
    from syncvoice import dubbing
    from syncvoice.dubbing.script import whole_clip
    from syncvoice.dubbing.speech import Line

    (cue,) = whole_clip("so many words", 75)
    made = dubbing.Dubbed(tmp_path / "o.mp4", "m", 3.0, [Line(cue, [1], rate, {})])
    monkeypatch.setattr(dubbing, "dub", lambda *_, **__: made)
    monkeypatch.setattr(Line, "guided_by", lambda line: ("text",))
    assert main(["dub", "a.mp4", "--text", "x", "--voice", "v.wav", "--out", str(tmp_path / "o.mp4")]) == status
    captured = capsys.readouterr()
    assert "3.00 s of synthetic speech" in captured.out
    assert ("13.3 syllables per second" in captured.err) == (status == 2)


def test_listening_test_of_own_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in ("mine", "theirs", "voices"):
        for clip in ("a", "sub/b", "c"):
            write_wav(tmp_path / row / f"{clip}.wav", np.random.default_rng(len(row)).normal(0, 0.1, 4800), 24_000)
    (tmp_path / "theirs/c.wav").unlink()  # in one row only: not asked about
    rows = ["--row", f"mine={tmp_path / 'mine'}", "--row", f"theirs={tmp_path / 'theirs'}"]
    ends = ["--references", str(tmp_path / "voices"), "--checks", "1"]
    for name in ("one", "two"):
        files = ["--out", str(tmp_path / f"{name}.html"), "--plan", str(tmp_path / f"{name}.json")]
        assert main(["listening-folders", *rows, *ends, "--pair", "mine,theirs", *files]) == 0
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    plan = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert sorted(plan["clips"]) == ["a", "sub/b"] and set(plan["rows"]) == {"mine", "theirs"}
    kinds = [item["kind"] for item in plan["items"]]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"naturalness": 4, "similarity": 4, "preference": 2, "check": 1}
    assert main(["listening-folders", *rows[:2], *ends, *files]) == 2
    assert "at least two rows" in capsys.readouterr().err
