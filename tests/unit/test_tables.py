import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_study import TASK_COLUMNS, columns, score_row, task_rows, write_csv, write_scores

from syncvoice import cli
from syncvoice.commands.columns import column_of
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.reporting import latex, render, tables
from syncvoice.reporting.scores import in_third, point_caption, word_count
from syncvoice.reporting.settings import TableJob
from syncvoice.section import read_settings

LSE, WER, IN_SYNC = "lse_d.syncnet_mini", "wer.ctc_mini", "in_sync.syncnet_mini"


@pytest.fixture(autouse=True)
def _in_sync_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    import fake_study

    monkeypatch.setitem(fake_study.SCORERS, IN_SYNC, ("lse.syncnet_mini", 1.0, 0.0))


def wer_row(utterance: str, errors: int, words: int, status: str = "ok") -> dict:
    return score_row(utterance, WER, errors / words, status, errors=errors, words=words)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Six clips, the last two unseen; M1 scored fully, M3 with one failed, one missing and one that does not apply."""
    rows = task_rows("en_en", 6)
    write_csv(tmp_path / "tasks" / "en_en.csv", TASK_COLUMNS, rows)
    names = [row["utterance"] for row in rows]
    lines = [score_row(name, LSE, value) for name, value in zip(names, [6, 7, 8, 9, 10, 11], strict=True)]
    lines += [score_row(name, IN_SYNC, 1.0) for name in names]
    lines += [wer_row(name, errors, 6) for name, errors in zip(names, [0, 1, 2, 3, 0, 0], strict=True)]
    write_scores(tmp_path, "M1", "en_en", lines)
    lines = [score_row(name, LSE, value) for name, value in zip(names[:4], [5, 5, 7, 9], strict=True)]
    lines += [score_row(names[4], LSE, None, "failed", message="too short")]  # and no row at all for the last clip
    lines += [score_row(name, IN_SYNC, 1.0) for name in names[:5]] + [score_row(names[5], IN_SYNC, None, "failed")]
    lines += [wer_row(name, 0, 6) for name in names[:3]]
    lines += [score_row(names[3], WER, None, "not_applicable")]
    lines += [score_row(names[4], WER, None, "failed", words=6)]
    write_scores(tmp_path, "M3", "en_en", lines)
    return tmp_path


def settings_file(study: Path, **changes) -> Path:
    values = {
        "name": "t",
        "title": "A title",
        "study": "test",
        "task": "en_en",
        "rows": [{"experiment": "M1", "caption": "no visuals"}, {"experiment": "M3", "caption": "lips & face_1"}],
        "baseline": "M1",
        "metrics": [LSE, WER, IN_SYNC],
        "bootstrap": {"resamples": 200},
    }
    values |= changes
    shown = columns(values.pop("metrics"))
    write_json(study / "t.json", {**values, "columns": shown})
    return study / "t.json"


def build(study: Path, **changes):
    settings = read_settings(settings_file(study, **changes), TableJob)
    table, directions = tables.build_table(settings, study / "tasks", study / "metrics")
    return settings, table, directions


def line(table, experiment: str, metric: str, group: str = "all"):
    chosen = table[(table.experiment == experiment) & (table.metric == metric) & (table.group == group)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_layout_and_order(study: Path) -> None:
    _, table, _ = build(study)
    assert list(table.columns) == list(tables.COLUMNS)
    assert list(table.columns[:12]) == (
        "experiment group metric mean ci_low ci_high n_scored n_expected"
        " diff_vs_baseline diff_low diff_high scorer".split()
    )
    assert list(table.group.unique()) == ["all", "seen", "unseen"]
    first = table[table.group == "all"][["experiment", "metric"]].to_numpy().tolist()
    assert first == [[row, metric] for row in ("M1", "M3") for metric in (LSE, WER, IN_SYNC)]


def test_means_and_counts_by_hand(study: Path) -> None:
    _, table, _ = build(study)
    m1, m3 = line(table, "M1", LSE), line(table, "M3", LSE)
    assert (m1["mean"], m1.n_scored, m1.n_expected, m1.n_failed) == (8.5, 6, 6, 0)
    assert (m3["mean"], m3.n_scored, m3.n_expected, m3.n_failed) == (6.5, 4, 6, 2)
    assert (m3.n_paired, m3.diff_vs_baseline) == (4, -1.0)  # (-1 - 2 - 1 + 0) / 4: failed clips leave the pairs
    assert math.isnan(m1.diff_vs_baseline)
    assert line(table, "M1", LSE, "unseen")["mean"] == 10.5
    unseen = line(table, "M3", LSE, "unseen")
    assert math.isnan(unseen["mean"]) and (unseen.n_scored, unseen.n_expected, unseen.n_paired) == (0, 2, 0)


def test_a_failed_clip_is_all_wrong_for_error_rates(study: Path) -> None:
    _, table, _ = build(study)
    m3 = line(table, "M3", WER)
    words = word_count("place blue at a nine soon", "en"), word_count("set white with p two soon", "en")
    assert words == (6, 6)
    # three clips right, one does not apply, one failed (6 of 6 wrong), one has no row (6 words of its text wrong)
    assert m3["mean"] == pytest.approx(12 / 30)
    assert (m3.n_scored, m3.n_expected, m3.n_failed, m3.n_not_applicable, m3.n_paired) == (3, 5, 2, 1, 5)
    assert line(table, "M1", WER)["mean"] == pytest.approx(6 / 36)
    assert m3.diff_vs_baseline == pytest.approx(12 / 30 - 3 / 30)


def test_a_failed_clip_counts_as_its_failed_value(study: Path) -> None:
    _, table, _ = build(study)
    m3 = line(table, "M3", IN_SYNC)
    assert (m3["mean"], m3.n_scored, m3.n_paired) == (pytest.approx(5 / 6), 5, 6)


def test_holm_runs_over_all_rows_and_metrics_of_a_group(study: Path) -> None:
    _, table, _ = build(study)
    family = table[table.group == "all"]
    known = family.p_value.notna()
    assert known.sum() == 3
    assert family.p_holm.max() <= 1 and (family.p_holm[known] >= family.p_value[known]).all()
    assert family.p_holm[known].min() == pytest.approx(min(1.0, 3 * family.p_value.min()))


def test_numbers_do_not_depend_on_other_rows_and_metrics(study: Path) -> None:
    _, large, _ = build(study)
    _, small, _ = build(study, rows=["M3"], baseline=None, metrics=[WER], groups=["all"])
    a, b = line(large, "M3", WER), line(small, "M3", WER)
    assert (a["mean"], a.ci_low, a.ci_high) == (b["mean"], b.ci_low, b.ci_high)


def test_published_rows_of_others_stand_apart(study: Path) -> None:
    value = {"system": "OtherDub", "metric": LSE, "dataset": "minidub", "value": 6.5, "source": "Their table 2"}
    settings, table, _ = build(study, rows=["M1", "M3"], external=[value])
    assert "OtherDub" not in set(table.experiment)
    markdown, _ = rendered(study, rows=["M1", "M3"], external=[value])
    (line,) = [line for line in markdown.splitlines() if "OtherDub" in line]
    assert "6.50" in line and "Their table 2 (not verified)" in line
    assert "not computed here" in markdown


def test_thirds_of_the_clips_go_by_how_these_are_spoken(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fake_study

    rate, names = "speaking_rate.ctc_aligned", [row["utterance"] for row in task_rows("en_en", 6)]
    with pytest.raises(UserError, match=r"group slow is decided by speaking_rate.ctc_aligned, .* add phone_classes"):
        build(study, rows=["M1"], baseline=None, metrics=[LSE], groups=["slow"])
    monkeypatch.setitem(fake_study.SCORERS, rate, ("phone_classes.ctc_aligned", 1.0, 0.0))
    lines = [score_row(name, LSE, value) for name, value in zip(names, [6, 7, 8, 9, 10, 11], strict=True)]
    rates = [score_row(name, rate, value) for name, value in zip(names, [12, 10, 15, 9, 14, 11], strict=True)]
    write_scores(study, "M1", "en_en", lines + rates)
    _, table, _ = build(study, rows=["M1"], baseline=None, metrics=[LSE, rate], groups=["slow", "medium", "fast"])
    means = table.set_index(["metric", "group"])["mean"]
    assert means[rate].tolist() == [9.5, 11.5, 14.5]
    assert means[LSE].tolist() == [(7 + 9) / 2, (6 + 11) / 2, (8 + 10) / 2]
    assert table["n_scored"].tolist() == [2] * 6


def test_thirds_leave_out_what_is_unknown() -> None:
    values = np.array([5, np.nan, 3, 4, 2, 1, 6, 7])
    thirds = np.array([in_third(values, third) for third in range(3)])
    assert thirds.sum(axis=1).tolist() == [3, 2, 2]
    assert values[thirds[0]].tolist() == [3, 2, 1]
    assert not thirds[:, 1].any()


def test_groups_by_sentence_share_the_clips_out(study: Path) -> None:
    _, table, _ = build(study, rows=["M3"], baseline=None, metrics=[WER], groups=["all", "grid", "open"])
    clips = table.set_index("group").n_expected
    assert clips["grid"] > clips["open"] > 0 and clips["grid"] + clips["open"] == clips["all"]


def test_directions_agree_or_not(study: Path) -> None:
    shared = {"metric": LSE, "source": "Table 4", "verified": "yes"}
    comparisons = [
        {**shared, "id": "a", "ascending": ["M3", "M1"], "statement": "M3 < M1"},
        {**shared, "id": "b", "ascending": ["M1", "M3"]},
        {**shared, "id": "c", "ascending": ["M1", "M3"], "metric": WER},
    ]
    _, _, directions = build(study, comparisons=comparisons)
    assert directions.agrees.tolist() == ["yes", "no", "yes"]
    assert directions.ours.tolist()[0] == "M3 6.50, M1 8.50"
    assert directions.order.tolist()[1] == "M1 < M3"
    with pytest.raises(UserError, match="needs row M9"):
        build(study, comparisons=[{**shared, "ascending": ["M1", "M9"]}])


def test_paper_values_stand_beside_ours_only_for_the_same_scorer_and_data(study: Path) -> None:
    value = {"experiment": "M3", "metric": LSE, "dataset": "minidub", "value": 6.75, "source": "v1 Table 1"}
    _, table, _ = build(study, paper_values=[value])
    assert line(table, "M3", LSE).paper_value == 6.75
    assert line(table, "M3", LSE).paper_source == "v1 Table 1 (not verified)"
    assert math.isnan(line(table, "M1", LSE).paper_value) and math.isnan(line(table, "M3", LSE, "seen").paper_value)
    for change in ({"dataset": "grid"}, {"metric": "lse_d.syncnet_v2.tracked"}):
        _, table, _ = build(study, paper_values=[{**value, **change}])
        assert table.paper_value.isna().all()


@pytest.fixture
def sweep(study: Path) -> Path:
    names = [row["utterance"] for row in task_rows("en_en", 6)]
    lines = [score_row(name, LSE, 5.0 + face, point=f"f{face:g}_l1.5") for face in (10.0, 2.0) for name in names[:3]]
    write_scores(study, "sweep", "en_en", lines[:-1])
    return study


def test_a_sweep_becomes_one_row_per_point_and_expects_its_own_clips_only(sweep: Path) -> None:
    _, table, _ = build(sweep, rows=["sweep"], baseline=None, metrics=[LSE], groups=["all"])
    assert table.experiment.tolist() == ["sweep/f2_l1.5", "sweep/f10_l1.5"]
    assert table["mean"].tolist() == [7.0, 15.0]
    assert table.n_expected.tolist() == [3, 3] and table.n_scored.tolist() == [2, 3]
    assert point_caption("f2_l1.5") == "face 2, lip 1.5" and point_caption("face0.0_lip2.0") == "face 0, lip 2"


def test_one_point_can_be_a_row_and_tables_can_take_a_part_of_the_task(sweep: Path) -> None:
    rows = [{"experiment": "M1"}, {"experiment": "sweep", "point": "f10_l1.5"}]
    _, table, _ = build(sweep, rows=rows, metrics=[LSE], groups=["all"])
    assert table.n_paired.tolist() == [0, 3]
    settings = read_settings(settings_file(sweep, rows=["M1"], metrics=[LSE], groups=["all"]), TableJob)
    part, _ = tables.build_table(settings, sweep / "tasks", sweep / "metrics", frozenset({"en_en_000", "en_en_001"}))
    assert part["mean"].tolist() == [6.5] and part.n_expected.tolist() == [2]


def test_a_metric_that_a_row_was_not_scored_with_does_not_apply_to_it(study: Path) -> None:
    write_scores(study, "M4", "en_en", [score_row("en_en_000", LSE, 1.0)])
    _, table, _ = build(study, rows=["M1", "M4"], metrics=[LSE, WER], groups=["all"])
    cell = line(table, "M4", WER)
    assert math.isnan(cell["mean"]) and (cell.n_scored, cell.n_expected, cell.n_not_applicable) == (0, 0, 6)
    markdown, _ = rendered(study, rows=["M1", "M4"], metrics=[LSE, WER], groups=["all"])
    assert "| M4 | M4 | 1.00 (1.00 to 1.00) 1 of 6 | n/a |" in markdown


def test_problems_are_named(study: Path) -> None:
    with pytest.raises(UserError, match="metric sim_o.ge2e_resemblyzer has no score in any row"):
        build(study, metrics=["sim_o.ge2e_resemblyzer"])
    with pytest.raises(UserError, match="no score files; run `syncvoice score` for experiment M7"):
        build(study, rows=["M1", "M7"])
    with pytest.raises(UserError, match="baseline M9 is no row"):
        build(study, baseline="M9")
    with pytest.raises(UserError, match="unknown key colour"):
        build(study, colour="red")
    with pytest.raises(UserError, match="row M1 stands there twice"):
        build(study, rows=["M1", "M1"])
    write_scores(study, "M4", "en_en", [score_row("en_en_000", LSE, 1.0)] * 2)
    with pytest.raises(UserError, match="scored twice"):
        build(study, rows=["M1", "M4"], metrics=[LSE])
    write_scores(study, "M4", "en_en", [score_row("other", LSE, 1.0)])
    with pytest.raises(UserError, match="stale"):
        build(study, rows=["M1", "M4"], metrics=[LSE])


def rendered(study: Path, check=None, **changes) -> tuple[str, str]:
    settings, table, directions = build(study, **changes)
    parts = render.blocks(settings, table, directions, check)
    return render.markdown(settings, parts), latex.latex(settings, parts)


def test_markdown_shows_values_intervals_counts_arrows_and_scorers(study: Path) -> None:
    markdown, _ = rendered(study, notes=["A note."])
    table = [text for text in markdown.splitlines() if text.startswith("| M3 |")]
    assert "LSE-D mini ↓" in markdown and "WER CTC (%) ↓" in markdown
    assert "6.50 (" in table[0] and "4 of 6" in table[0] and "40.0 (" in table[0]
    assert "−1.00 (" in table[3] and "4 pairs" in table[3]
    assert "mini SyncNet" in markdown and "not comparable with values of SyncNet v2" in markdown
    assert "weights sha256 abababababab…" in markdown
    assert "6 clips" in markdown and "(2 clips)" in markdown
    assert markdown.rstrip().endswith("- A note.")


def test_every_line_of_a_markdown_table_has_as_many_cells_as_its_head(study: Path) -> None:
    markdown, _ = rendered(study, rows=[{"experiment": "M1", "caption": "a | b"}, "M3"])
    width = None
    for text in markdown.splitlines():
        bars = text.replace("\\|", "").count("|")
        if not text.startswith("|"):
            width = None
        else:
            width = width or bars
            assert bars == width, text


def test_the_syncnet_check_stands_under_tables_that_the_mini_syncnet_scores_only(study: Path) -> None:
    check = {"own_beats_other": 0.981, "clips": 40, "threshold": 0.95, "passed": True}
    with_lse, _ = rendered(study, check)
    without, _ = rendered(study, check, metrics=[WER])
    text = "held-out ground truth (40 clips): own sound beats another clip's in 98.1 % of pairs; each must reach 95 %"
    assert f"{text}: passed." in with_lse
    assert "held-out" not in without and "## Warning" not in with_lse
    failed, _ = rendered(study, {**check, "own_beats_other": 0.6, "passed": False})
    assert "NOT passed" in failed and failed.index("## Warning") < failed.index("## All clips")


def test_the_papers_direction_has_its_own_block_without_its_numbers(study: Path) -> None:
    comparison = {"metric": LSE, "ascending": ["M3", "M1"], "statement": "M3 is closer", "source": "Table 4"}
    markdown, text = rendered(study, comparisons=[comparison])
    assert "## The paper's direction and ours" in markdown
    assert "| M3 is closer | LSE-D mini | M3 6.50, M1 8.50 | yes |" in markdown
    assert "Table 4 (not verified)" in markdown and "M3 is closer" in text


def test_escapes() -> None:
    assert render.escape_markdown("a_b|c*") == r"a\_b\|c\*"
    assert latex.escape_latex(r"50 % & a_b #1 {x} ~ ^ \ < ↑ −1") == (
        r"50 \% \& a\_b \#1 \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{} $<$ $\uparrow$ $-$1"
    )


def test_latex_is_balanced_and_escaped(study: Path) -> None:
    _, text = rendered(study)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 6
    assert r"lips \& face\_1" in text and r"WER\\CTC (\%) $\downarrow$" in text
    body = "".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.replace(r"\{", "").count("{") == body.replace(r"\}", "").count("}")
    for line in text.splitlines():
        if line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == 3


def test_latex_grids_fit_a_page(study: Path) -> None:
    """The table `en_en` of the default study, the widest one, has ten metrics with intervals and long captions."""
    long = "recorded speech through mel and vocoder, the ceiling of any mel model"
    metrics = [LSE, WER, IN_SYNC]
    settings, table, directions = build(study, rows=[{"experiment": "M1", "caption": long}, "M3"], metrics=metrics)
    parts = render.blocks(settings, table, directions)
    wide = [
        replace(
            block,
            head=[*block.head[:2], *block.head[2:] * 4],
            lines=[[*line[:2], *line[2:] * 4] for line in block.lines],
        )
        for block in parts
        if block.prose
    ]
    assert wide
    for block in wide:
        kept = [place for place, head in enumerate(block.head) if head not in block.prose]
        assert latex.width(block, kept) > latex.TEXT_WIDTH
        runs = latex.fitting(block, kept)
        assert all(latex.width(block, run) <= latex.TEXT_WIDTH and run[0] == 0 for run in runs)
        assert sorted(place for run in runs for place in run[1:]) == kept[1:]
    text = latex.latex(settings, wide)
    assert not any(long in line and "&" in line for line in text.splitlines()) and text.count(long) == 1
    assert text.count(r"\begin{tabular}{l") == sum(len(latex.fitting(b, [0, *range(2, 14)])) for b in wide)
    assert " to " not in "".join(line for line in text.splitlines() if "&" in line)


def test_numbers_for_people() -> None:
    wer, lse = column_of(WER), column_of(LSE)
    assert wer.text(0.12345) == "12.3" and wer.text(-0.05, signed=True) == "−5.0"
    assert lse.text(0.001, signed=True) == "0.00" and lse.text(-0.001) == "0.00" and lse.text(np.nan) == "–"
    unknown = column_of("wer.somebodys_scorer")
    assert unknown.errors_over_words and unknown.title == "wer.somebodys_scorer"


def test_command_writes_all_files_with_the_same_bytes_twice(study: Path) -> None:
    settings = settings_file(study)
    write_json(study / "metrics" / "syncnet_check.json", {"own_beats_other": 0.97, "passed": True})
    contents = []
    for folder in ("one", "two"):
        arguments = ["--settings", settings, "--tasks-root", study / "tasks", "--metrics-root", study / "metrics"]
        status = cli.main(["tabulate", *map(str, arguments), "--out-dir", str(study / folder)])
        assert status == 0
        files = sorted((study / folder).iterdir())
        assert [path.name for path in files] == ["t.csv", "t.directions.csv", "t.md", "t.tex"]
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]
    assert str(study) not in contents[0][0].decode()
    read = tables.read_csv(study / "one" / "t.csv")
    assert read.columns.tolist() == list(tables.COLUMNS) and read.baseline.tolist()[0] == "M1"
    assert line(read, "M3", LSE)["mean"] == 6.5
    with pytest.raises(UserError, match="syncvoice tabulate"):
        tables.read_csv(study / "none.csv")


def test_marks_that_cannot_appear_are_said_in_the_table(study: Path) -> None:
    few, _ = rendered(study, bootstrap={"resamples": 30})
    assert "with 30 resamples no p-value of 3 comparisons falls below 0.097" in few and "no † can appear" in few
    many, _ = rendered(study, bootstrap={"resamples": 2000})
    assert "no † can appear" not in many


def test_heads_say_over_how_many_clips_a_metric_goes(study: Path) -> None:
    for name in ("M1", "M3"):
        rows = [score_row(row["utterance"], LSE, 1.0) for row in task_rows("en_en", 6)]
        rows += [wer_row(row["utterance"], 1, 6) for row in task_rows("en_en", 6)[:4]]
        rows += [score_row(row["utterance"], WER, None, "not_applicable") for row in task_rows("en_en", 6)[4:]]
        write_scores(study, name, "en_en", rows)
    markdown, _ = rendered(study, metrics=[LSE, WER])
    assert "WER CTC (%) ↓, 4 of 6 clips |" in markdown and "LSE-D mini ↓ |" in markdown


def test_directions_and_marks_have_one_standard(study: Path) -> None:
    """Six clips give no p-value below 0.03: with two steps Holm's correction leaves none, whatever the intervals."""
    comparisons = [{"metric": LSE, "ascending": ["M3", "M1"], "id": name} for name in ("a", "b")]
    _, table, directions = build(study, comparisons=comparisons, bootstrap={"resamples": 5000})
    row = table[(table.experiment == "M3") & (table.group == "all") & (table.metric == LSE)].iloc[0]
    assert row.diff_high < 0 and row.p_holm > 0.05
    assert list(directions["agrees"]) == ["yes", "yes"] and list(directions["every_step_clear"]) == ["no", "no"]
