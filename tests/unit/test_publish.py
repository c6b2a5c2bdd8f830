"""What the README shows is what the kept tables hold."""

from pathlib import Path

import pytest
import yaml

from syncvoice import reporting
from syncvoice.commands.columns import all_columns
from syncvoice.errors import UserError
from syncvoice.reporting.publish import keep
from syncvoice.reporting.results_block import fill, markers, read_shown, results_block
from syncvoice.text.grid_grammar import SLOTS

REPOSITORY = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.stem for path in (REPOSITORY / "config/shown").glob("*.yaml"))
SHOWN = [
    (study, document) for study in STUDIES for document in read_shown(REPOSITORY / "config/shown" / f"{study}.yaml")
]


def test_block_is_replaced_and_nothing_else() -> None:
    begin, end = markers("mini")
    other = "\n".join(markers("grid_s1"))
    text = f"before\n{begin}\nold\n{end}\nafter\n{other}\n"
    assert fill(text, "mini", "new") == f"before\n{begin}\nnew\n{end}\nafter\n{other}\n"
    assert fill(fill(text, "mini", "new"), "mini", "new") == fill(text, "mini", "new")
    with pytest.raises(UserError, match="markers"):
        fill("no markers", "mini", "new")
    with pytest.raises(UserError, match="not of tiny"):
        read_shown(REPOSITORY / "config/shown/tiny.yaml")


def test_tables_that_the_study_folder_has_not_stay_and_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study, out = tmp_path / "study", tmp_path / "kept"
    for path in (
        study / "tables/en_en.csv",
        out / "tables/en_en.csv",
        out / "tables/settings.csv",
        out / "plots/old.svg",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path))
    (study / "benchmarks").mkdir()
    keep(study, out)
    left = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert left == ["cost.md", "tables", "tables/en_en.csv", "tables/settings.csv"]
    assert (out / "tables/en_en.csv").read_text() == str(study / "tables/en_en.csv")
    assert "settings.csv stay in" in caplog.text and "delete them if" in caplog.text
    assert "en_en.csv" not in caplog.text


@pytest.mark.parametrize(("study", "document"), SHOWN)
def test_documents_agree_with_the_kept_tables(study: str, document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # the block names the folder as seen from here
    text = Path(document).read_text(encoding="utf-8")
    begin, end = markers(study)
    shown = text[text.index(begin) : text.index(end)]
    command = shown.split("from `")[1].split("`")[0]
    parts = read_shown(Path("config/shown") / f"{study}.yaml")[document]
    folder = Path("results/reference") / study
    assert shown == f"{begin}\n{results_block(parts, folder, all_columns(), command, document)}\n"


def test_every_study_is_shown_in_brief_and_in_full() -> None:
    assert set(SHOWN) >= {(study, name) for study in ("mini", "grid_s1") for name in ("README.md", "docs/results.md")}


def test_the_package_names_no_row_of_a_study() -> None:
    experiments = yaml.safe_load((REPOSITORY / "config/rows.yaml").read_text(encoding="utf-8"))["rows"]
    for name in ("publish", "results_block"):
        text = (Path(reporting.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
        assert [name for name in experiments if f'"{name}"' in text] == []


def test_a_rate_says_what_it_is_and_over_which_clips() -> None:
    results = (REPOSITORY / "docs/results.md").read_text(encoding="utf-8")
    for clips in (48, 40):
        assert f"WER Whisper base by-ear: {clips} clips. openai-whisper base at temperature 0" in results


def test_a_guess_among_the_sentences_of_the_grammar_has_81_percent_of_the_words_wrong() -> None:
    caption = all_columns()["wer.pocketsphinx_grid"].caption
    wrong = sum(1 - 1 / len(words) for words in SLOTS) / len(SLOTS)
    assert len(SLOTS) == 6 and f"{wrong * 100:.0f} % of the words wrong" in caption


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"means": {"metrics": ["lse_c.x"], "rows": {"en": []}}}, "did you mean 'en_en'"),
        ({"means": {"metrics": ["lse_c.x"], "rows": {"en_en": ["M33"]}}}, "did you mean 'M3'"),
        ({"facts": {"file": "facts.json", "text": "{nothing}"}}, "does not fit"),
        ({"text": "a", "means": {"metrics": ["m"], "rows": {"t": []}}}, "exactly one of"),
        ({"txt": "a"}, "did you mean 'text'"),
    ],
)
def test_a_wrong_description_is_told(tmp_path: Path, part: dict[str, object], message: str) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/en_en.csv").write_text("experiment,group,metric,mean\nM3,all,lse_c.x,1\n")
    (tmp_path / "facts.json").write_text('{"share": 0.5}')
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"documents": [{"file": "README.md", "parts": [part]}]}))
    with pytest.raises(UserError, match=message):
        results_block(read_shown(tmp_path / "study.yaml")["README.md"], tmp_path, all_columns(), "make results")


def test_facts_are_formatted_with_percents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facts.json").write_text('{"share": 0.5, "clips": 3, "passed": true}')
    facts = {"file": "facts.json", "text": "{clips} clips, {share_percent:.1f} %: {passed}"}
    parts = [{"text": "{command}: {folder}"}, {"facts": facts}]
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"documents": [{"file": "docs/a.md", "parts": parts}]}))
    shown = read_shown(tmp_path / "s.yaml")["docs/a.md"]
    told = results_block(shown, tmp_path, all_columns(), "make it")
    assert told == f"make it: {tmp_path}\n\n3 clips, 50.0 %: yes"
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "facts.json").write_text((tmp_path / "facts.json").read_text())
    monkeypatch.chdir(tmp_path)
    assert results_block(shown, Path("kept"), all_columns(), "make it", "docs/a.md").startswith("make it: ../kept\n")
