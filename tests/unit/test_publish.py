"""What the README shows is what the kept tables hold."""

from pathlib import Path

import pytest
import yaml

from syncvoice.commands.columns import all_columns
from syncvoice.errors import UserError
from syncvoice.reporting import publish, readme_block
from syncvoice.reporting.readme_block import fill, markers, read_block, results_block
from syncvoice.text.grid_grammar import SLOTS

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCKS = sorted(path.stem for path in (REPOSITORY / "config/readme").glob("*.yaml"))


def test_block_is_replaced_and_nothing_else() -> None:
    begin, end = markers("mini")
    other = "\n".join(markers("grid_s1"))
    text = f"before\n{begin}\nold\n{end}\nafter\n{other}\n"
    assert fill(text, "mini", "new") == f"before\n{begin}\nnew\n{end}\nafter\n{other}\n"
    assert fill(fill(text, "mini", "new"), "mini", "new") == fill(text, "mini", "new")
    with pytest.raises(UserError, match="markers"):
        fill("no markers", "mini", "new")
    with pytest.raises(UserError, match="not of tiny"):
        read_block(REPOSITORY / "config/readme/tiny.yaml")


@pytest.mark.parametrize("study", BLOCKS)
def test_readme_agrees_with_the_kept_tables(study: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # the block names the folder as seen from here
    readme = Path("README.md").read_text(encoding="utf-8")
    begin, end = markers(study)
    shown = readme[readme.index(begin) : readme.index(end)]
    command = shown.split("from `")[1].split("`")[0]
    block = read_block(Path("config/readme") / f"{study}.yaml")
    assert shown == f"{begin}\n{results_block(block, Path('results/reference') / study, all_columns(), command)}\n"


def test_the_readme_has_a_block_for_every_description() -> None:
    assert set(BLOCKS) >= {"mini", "grid_s1"}
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert all(marker in readme for study in BLOCKS for marker in markers(study))


def test_the_package_names_no_row_of_a_study() -> None:
    experiments = yaml.safe_load((REPOSITORY / "config/rows.yaml").read_text(encoding="utf-8"))["rows"]
    for module in (publish, readme_block):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert [name for name in experiments if f'"{name}"' in text] == []


def test_a_rate_says_what_it_is_and_over_which_clips() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "WER closed grammar: 48 of 64 clips. PocketSphinx with the closed six-slot grammar" in readme


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
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"parts": [part]}))
    with pytest.raises(UserError, match=message):
        results_block(read_block(tmp_path / "study.yaml"), tmp_path, all_columns(), "make results")


def test_facts_are_formatted_with_percents(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text('{"share": 0.5, "clips": 3, "passed": true}')
    facts = {"file": "facts.json", "text": "{clips} clips, {share_percent:.1f} %: {passed}"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"parts": [{"text": "{command}: {folder}"}, {"facts": facts}]}))
    told = results_block(read_block(tmp_path / "s.yaml"), tmp_path, all_columns(), "make it")
    assert told == f"make it: {tmp_path}\n\n3 clips, 50.0 %: yes"
