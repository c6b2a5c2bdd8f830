import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fake_study import build_study, columns, random_scores, task_rows, write_scores
from matplotlib.image import imread

from syncvoice import cli
from syncvoice.commands.columns import column_of
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.reporting import style
from syncvoice.reporting.mel_picture import lip_opening
from syncvoice.reporting.plots import differences, guidance_pareto, job, training_curves
from syncvoice.reporting.plots.job import PlotJob
from syncvoice.reporting.settings import Row
from syncvoice.section import read_settings
from syncvoice.study.parts import typed_plot

METRICS = ["lse_d.syncnet_mini", "wer.ctc_mini", "sim_o.ge2e_resemblyzer", "dnsmos_ovrl.p835", "offset.syncnet_mini"]
LSE_C = "lse_c.syncnet_mini"
PLOTS = {
    "metrics": {"table": "en_en"},
    "differences": {"table": "en_en", "group": "unseen"},
    "profile": {"table": "en_en", "metrics": [METRICS[0]], "groups": [["all"], ["seen", "unseen"]]},
    "guidance_pareto": {"task": "en_en", "rows": ["guidance_sweep", "M1"], "y": LSE_C, "x": [METRICS[3], METRICS[1]]},
    "guidance_map": {"task": "en_en", "row": "guidance_sweep", "metrics": [LSE_C, METRICS[1]]},
    "over_scale": {
        "task": "en_en",
        "rows": ["lips", "ground_truth"],
        "condition": "lip",
        "zero": "M1",
        "metrics": [LSE_C, METRICS[1]],
    },
    "temporal_ablation": {"task": "en_en", "rows": ["ground_truth", "M1", "M3"], "y": METRICS[3], "x": [METRICS[0]]},
    "spectrogram": {"task": "en_zh", "rows": ["ground_truth", "M1"]},
    "training_curves": {"recipes": ["no_visual", "full"]},
    "against_amount": {
        "task": "en_en",
        "series": {"seen": {"M1": 80, "M3": 320, "noise": 640}, "unseen": {"zero_shot_tts": 80}},
        "label": "seconds of reference",
        "lines": ["ground_truth"],
        "metrics": [METRICS[0], METRICS[1]],
    },
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = build_study(tmp_path_factory.mktemp("study"), n=12, media=1, videos=False)
    points = {f"lip{scale}": scale for scale in (0.5, 1.0, 2.0)}
    clips = task_rows("en_en", 12)
    lines = [
        line
        for point, scale in points.items()
        for name in (LSE_C, METRICS[1])
        for line in random_scores(clips, name, "lips", scale, point)
    ]
    write_scores(root, "lips", "en_en", lines)
    rows = [{"experiment": name, "caption": f"caption of {name}"} for name in ("ground_truth", "M1", "M3", "noise")]
    table = {"name": "en_en", "task": "en_en", "rows": rows, "baseline": "M1", "columns": columns(METRICS)}
    write_json(root / "table.json", {**table, "bootstrap": {"resamples": 200}})
    arguments = ["--settings", root / "table.json", "--tasks-root", root / "tasks", "--metrics-root", root / "metrics"]
    assert cli.main(["tabulate", *map(str, arguments), "--out-dir", str(root / "tables")]) == 0
    return root


def settings_file(study: Path, kind: str, **changes) -> Path:
    plot = {"kind": kind, **PLOTS[kind], **changes}
    rows = [*plot.get("rows", [plot["row"]] if "row" in plot else []), *([plot["zero"]] if plot.get("zero") else [])]
    page = {"name": kind, "title": "A title", "columns": columns([*METRICS, LSE_C]), "bootstrap": {"resamples": 100}}
    drawn = [*itertools.chain(*plot.get("series", {}).values()), *plot.get("lines", [])]
    write_json(study / "plot.json", {**page, "plot": plot, "rows": rows or drawn})
    return study / "plot.json"


def draw(study: Path, kind: str, folder: str = "plots", **changes) -> dict[str, bytes]:
    settings_file(study, kind, **changes)
    arguments = ["plot", "--settings", study / "plot.json", "--study-root", study, "--out-dir", study / folder]
    assert cli.main([str(argument) for argument in arguments]) == 0
    return {suffix: (study / folder / f"{kind}{suffix}").read_bytes() for suffix in (".svg", ".pdf", ".png")}


@pytest.mark.parametrize("kind", PLOTS)
def test_every_kind_writes_both_files_with_the_same_bytes_twice(study: Path, kind: str, recwarn) -> None:
    first, second = draw(study, kind, "one"), draw(study, kind, "two")
    assert first == second
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]
    root = ElementTree.fromstring(first[".svg"])
    assert root.tag.endswith("svg")
    assert b"<dc:date>" not in first[".svg"] and str(study).encode() not in first[".svg"]
    image = imread(study / "one" / f"{kind}.png")
    assert image.shape[1] >= 800 and image[..., :3].std() > 0.03
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])[:, :3]
    assert (edges == 1).all(), "something is cut off at the edge of the picture"


def figure(study: Path, kind: str, **changes):
    return job.draw(read_settings(settings_file(study, kind, **changes), PlotJob), study)


def texts(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


def test_metrics_plot_draws_the_tables_numbers(study: Path) -> None:
    panels = figure(study, "metrics", metrics=METRICS[:2]).axes
    assert [axis.get_title(loc="left") for axis in panels] == ["LSE-D mini ↓", "WER CTC (%) ↓"]
    table = pd.read_csv(study / "tables" / "en_en.csv")
    table = table[(table.group == "all") & (table.metric == METRICS[1])].set_index("experiment")
    marks = [mark for mark in panels[1].lines if mark.get_marker() == "o"]
    assert [mark.get_xdata()[0] for mark in marks] == pytest.approx((table["mean"] * 100).tolist())
    assert f"{table['mean']['M3'] * 100:.1f}" in texts(panels[1])
    assert "M3" in texts(panels[0]) and "caption of M3" in texts(panels[0])


def test_differences_plot_leaves_the_baseline_out(study: Path) -> None:
    panels = figure(study, "differences").axes
    assert len(panels) == len(METRICS)
    assert "M1" not in texts(panels[0]) and "noise" in texts(panels[0])


def test_verdicts() -> None:
    lse, similarity, offset = (column_of(metric) for metric in (METRICS[0], METRICS[2], METRICS[4]))
    below = pd.Series({"diff_vs_baseline": -1.5, "p_holm": 0.01})
    above = pd.Series({"diff_vs_baseline": 1.5, "p_holm": 0.01})
    around = pd.Series({"diff_vs_baseline": 0.5, "p_holm": 0.2})
    assert [differences.verdict(line, lse) for line in (below, above, around)] == ["better", "worse", "undecided"]
    assert differences.verdict(above, similarity) == "better" and differences.verdict(above, offset) == "undecided"


def test_pareto_frontier_by_hand() -> None:
    x, y = np.array([1.0, 2.0, 3.0, 2.0, 1.0]), np.array([5.0, 4.0, 1.0, 3.0, 5.0])
    assert guidance_pareto.pareto_frontier(x, y, True, True).tolist() == [0, 1, 2]
    assert guidance_pareto.pareto_frontier(x, y, False, True).tolist() == [0]
    assert guidance_pareto.pareto_frontier(x, -y, True, False).tolist() == [0, 1, 2]


def test_no_point_off_the_frontier_beats_one_on_it() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    frontier = guidance_pareto.pareto_frontier(x, y, True, True)
    for index in range(60):
        beaten = ((x >= x[index]) & (y >= y[index]) & ((x > x[index]) | (y > y[index]))).any()
        assert beaten != (index in frontier)


def test_pareto_plot_labels_all_points_and_turns_lower_is_better_round(study: Path) -> None:
    naturalness, errors = figure(study, "guidance_pareto").axes
    assert {"f0 l0", "f3 l2", "M1"} <= set(texts(naturalness)) and len(naturalness.texts) == 17
    assert errors.xaxis_inverted() and not naturalness.xaxis_inverted()


def test_spectrogram_names_clip_and_text_in_mandarin(study: Path) -> None:
    drawn = figure(study, "spectrogram")
    words = " ".join(text.get_text() for text in drawn.texts)
    assert "今天的天气很好" in words and "en_zh_000" in words and "voice seen in training" in words
    with pytest.raises(UserError, match="has no speech in ground_truth"):
        figure(study, "spectrogram", utterance="en_zh_005")


def test_lip_opening_is_in_units_of_the_eye_distance() -> None:
    landmarks = np.zeros((2, 478, 3))
    landmarks[:, 263, 0] = 50
    landmarks[1, 14, 1] = 10
    assert lip_opening(landmarks).tolist() == [0.0, 0.2]
    assert lip_opening(3 * landmarks).tolist() == [0.0, 0.2]


def test_training_curves_label_every_recipe(study: Path) -> None:
    axis = figure(study, "training_curves", recipes=["no_visual", "full"]).axes[0]
    assert set(texts(axis)) == {"no_visual", "full"}
    with pytest.raises(UserError, match="train recipe other first"):
        figure(study, "training_curves", recipes=["other"])


def test_single_spikes_do_not_flatten_the_curves(tmp_path: Path) -> None:
    values = np.full(100, 0.04) + 0.01 * np.sin(np.arange(100))
    values[[1, 60]] = (1.04, 0.33)
    folder = tmp_path / "models" / "full"
    folder.mkdir(parents=True)
    pd.DataFrame({"step": np.arange(100), "loss": values}).to_csv(folder / "curve.csv", index=False)
    plot = {"kind": "training_curves", "recipes": ["full"], "note": "Why they rise."}
    drawn = job.draw(PlotJob(name="p", plot=plot), tmp_path)
    axis = drawn.axes[0]
    assert axis.get_ylim()[1] < 0.06
    (spikes,) = [line for line in axis.lines if line.get_marker() == "^"]
    assert list(spikes.get_xdata()) == [1.0, 60.0]
    words = " ".join(text.get_text() for text in drawn.texts).replace("\n", " ")
    assert "up to 1.04 at step 1. Why they rise." in words
    assert training_curves.ceiling([pd.Series([1.0, 1.0, 1.0])]) == np.inf
    assert training_curves.ceiling([pd.Series([1.0, 2.0, 3.0])]) == 3.0


def test_several_sweeps_stand_in_one_plot(study: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "study"
    shutil.copytree(study, root, ignore=shutil.ignore_patterns("videos", "prepared"))
    shutil.copytree(root / "metrics" / "guidance_sweep", root / "metrics" / "second_sweep")
    plot = {**PLOTS["guidance_pareto"], "kind": "guidance_pareto", "rows": ["guidance_sweep", "M1", "second_sweep"]}
    page = {"name": "p", "columns": columns([*METRICS, LSE_C]), "bootstrap": {"resamples": 50}, "plot": plot}
    drawn = job.draw(PlotJob(**page, rows=plot["rows"]), root)
    naturalness = drawn.axes[0]
    assert len(naturalness.texts) == 2 * 16 + 1 and "M1" in texts(naturalness)
    last = drawn.axes[-1]
    legend = last.get_legend()
    assert {text.get_text() for text in legend.get_texts()} == {"guidance_sweep", "second_sweep"}
    drawn.canvas.draw()
    box = legend.get_window_extent()
    assert box.x0 > last.get_window_extent().x1 and box.x1 < drawn.bbox.x1  # beside the points, inside the picture
    with pytest.raises(UserError, match="none of M1 is a sweep"):
        job.draw(PlotJob(**{**page, "plot": {**plot, "rows": ["M1"]}}, rows=["M1"]), root)


def test_map_frames_the_best_point_and_shows_every_mean(study: Path) -> None:
    drawn = figure(study, "guidance_map")
    sync, errors = drawn.axes
    assert len(sync.texts) == len(errors.texts) == 16
    assert sync.get_xlabel() == "face scale" and sync.get_ylabel() == "lip scale"
    shown = np.array([float(text) for text in texts(errors)]).reshape(4, 4)
    x, y = errors.lines[0].get_xdata()[0] + 0.5, errors.lines[0].get_ydata()[0] + 0.5
    assert shown[int(y), int(x)] == shown.min()
    with pytest.raises(UserError, match="M1 sweeps no scale"):
        figure(study, "guidance_map", row="M1")


def test_over_scale_draws_each_sweep_from_the_row_at_zero_and_others_as_levels(study: Path) -> None:
    sync, errors = figure(study, "over_scale").axes
    (line,) = [line for line in sync.lines if line.get_marker() == "o"]
    scores = pd.read_csv(study / "metrics" / "lips" / "en_en" / "lse.syncnet_mini.csv")
    means = [scores[scores.point == f"lip{scale}"]["value"].mean() for scale in (0.5, 1.0, 2.0)]
    alone = pd.read_csv(study / "metrics" / "M1" / "en_en" / "lse.syncnet_mini.csv")
    zero = alone[alone.metric == LSE_C]["value"].mean()
    assert line.get_xdata().tolist() == [0, 0.5, 1, 2]
    assert line.get_ydata().tolist() == pytest.approx([zero, *means], abs=1e-5)
    level = [line for line in sync.lines if line.get_marker() != "o"]
    assert [line.get_label() for line in level] == ["ground_truth"]
    assert sync.get_xlabel() == "scale of lip" and "WER CTC (%)" in errors.get_ylabel()
    with pytest.raises(UserError, match="none of M1 sweeps lip"):
        figure(study, "over_scale", rows=["M1"], zero=None)
    with pytest.raises(UserError, match="guidance_sweep sweeps face, lip"):
        figure(study, "over_scale", rows=["guidance_sweep"])


def test_captions_are_shown_whole(study: Path) -> None:
    caption = "recorded speech through mel and vocoder, the ceiling of any model that makes mel spectrograms first"
    table = pd.read_csv(study / "tables" / "en_en.csv")
    (study / "tables" / "long.csv").write_text(table.replace("caption of M3", caption).to_csv(index=False))
    shown = [text.replace("\n", " ") for text in texts(figure(study, "metrics", table="long").axes[0])]
    assert caption in shown and not any("…" in text for text in shown)


def test_colours_do_not_change_when_rows_are_added() -> None:
    names = ["mine", "yours", "theirs", "another", "one_more"]
    rows = [Row(experiment=name) for name in names]
    alone = {name: style.row_colours([row])[name] for name, row in zip(names, rows, strict=True)}
    assert style.row_colours(rows) == style.row_colours(rows[::-1]) == alone
    assert style.row_colours([Row(experiment="mine", colour="ink")])["mine"] == style.INK
    assert style.row_colours([Row(experiment="mine", colour="ink", group="control")])["mine"] == style.CONTROL


def test_house_font_has_the_mandarin_characters() -> None:
    from fontTools.ttLib import TTFont

    known = set(TTFont(style.FONT).getBestCmap())
    assert {ord(character) for character in "今天的天气很好，我们去公园散步。↑↓→−–…≤±é"} <= known
    level_1 = [bytes([row, cell]).decode("gb2312") for row in range(0xB0, 0xD7) for cell in range(0xA1, 0xFA)]
    assert {ord(character) for character in level_1} <= known


def test_labels_do_not_cover_each_other() -> None:
    drawn = style.new_figure(4, 4)
    axis = drawn.add_axes((0.1, 0.1, 0.8, 0.8))
    axis.set(xlim=(0, 1), ylim=(0, 1))
    points = [(0.5, 0.5), (0.5, 0.52), (0.51, 0.5), (0.99, 0.99)]
    style.place_labels(axis, [(x, y, f"label {index}", 8, style.INK) for index, (x, y) in enumerate(points)])
    drawn.canvas.draw()
    boxes = [text.get_window_extent() for text in axis.texts]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert box.x1 <= drawn.bbox.x1


def test_colours_mean_the_same_in_every_plot() -> None:
    rows = [Row(experiment="ground_truth", group="reference"), Row(experiment="M3", colour="vermilion")]
    rows += [Row(experiment="mine")]
    rows += [Row(experiment="shuffled", group="control")]
    colours = style.row_colours(rows)
    assert colours["ground_truth"] == style.REFERENCE and colours["shuffled"] == style.CONTROL
    assert style.row_colours(rows[1:2])["M3"] == colours["M3"] != colours["mine"]


def test_amounts_are_numbers_or_what_models_tell(study: Path) -> None:
    table = build_means(study, ["M1", "M3", "ground_truth"])
    for recipe, clips in (("small", 80), ("large", 640)):
        write_json(study / "models" / recipe / "metadata.json", {"clips": clips})
    series = {"a series": {"M3": "large", "M1": "small"}}
    axis = figure(study, "against_amount", series=series, amount="clips", label="").axes[0]
    info = column_of(METRICS[0])
    (points,) = [line for line in axis.lines if line.get_label() == "a series"]
    assert list(points.get_xdata()) == [80, 640] and axis.get_xscale() == "log"
    assert list(points.get_ydata()) == pytest.approx([table["M1"] * info.scale, table["M3"] * info.scale])
    assert any(line.get_ydata()[0] == pytest.approx(table["ground_truth"] * info.scale) for line in axis.lines)
    assert axis.get_xlabel() == "training clips" and {"M1", "M3", "ground_truth"} <= set(texts(axis))
    with pytest.raises(UserError, match="does not tell hours; train recipe small again"):
        figure(study, "against_amount", series=series, amount="hours", label="")


def build_means(study: Path, rows: list[str]) -> dict[str, float]:
    """Mean of the first metric by row, from the scores themselves."""
    return {
        row: pd.concat(
            scores[scores["metric"] == METRICS[0]]
            for scores in map(pd.read_csv, sorted((study / "metrics" / row / "en_en").glob("lse*.csv")))
        )["value"].mean()
        for row in rows
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"series": {"a": {"M1": 1.0, "M3": "full"}}}, "numbers of one kind, which `label` names, or all of them are"),
        ({"series": {"a": {"M1": "full"}}, "label": ""}, "amount: say which amount the models of these recipes tell"),
        ({"series": {"a": {"M1": 1.0}}, "label": ""}, "numbers of one kind, which `label` names"),
        ({"series": {"a": {"M1": 0}}}, "has no logarithm; set logarithmic to false"),
    ],
)
def test_amounts_that_make_no_axis_are_named(changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        typed_plot({"kind": "against_amount", **PLOTS["against_amount"], **changes}, "plots.p")


def test_wrong_settings_are_named(study: Path) -> None:
    with pytest.raises(UserError, match="unknown kind 'metric'; did you mean 'metrics'"):
        typed_plot({"kind": "metric"}, "study.yaml: plots.p")
    with pytest.raises(UserError, match="unknown key colour"):
        figure(study, "metrics", colour="red")
    with pytest.raises(UserError, match=r"no lines of group all and metric mcd"):
        figure(study, "metrics", metrics=["mcd"])
