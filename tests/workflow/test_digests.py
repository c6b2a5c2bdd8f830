"""What an edit of the code plans on a finished study: exact counts, by dry runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.workflow.conftest import Project

SHOWN = {"all": 1, "write_settings": 5, "tabulate": 1, "plot": 1, "make_gallery": 1}


@contextmanager
def edited(project: Project, file: str, old: str, new: str) -> Iterator[None]:
    """Replace text of a module of the package, or make a new one (old = "")."""
    path = project.folder / "syncvoice" / file
    before = path.read_text() if path.exists() else None
    assert before is None or old in before, f"{file} does not hold {old!r}"
    path.write_text(new if before is None else before.replace(old, new, 1) if old else before + new)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_text(before)


CAPTION = ("metrics/lip_sync/columns.py", "Small SyncNet on prepared", "The small SyncNet on prepared")
LATEX = ("reporting/render.py", "is not evidence of no effect", "is no evidence of no effect")


def test_a_word_in_a_caption_replans_what_shows_it(project: Project) -> None:
    with edited(project, *CAPTION):
        plan = project.plan()
    assert plan == {"all": 1, "write_settings": 3, "tabulate": 1, "plot": 1, "make_gallery": 1}


def test_a_title_and_a_plot_setting_replan_their_page_alone(project: Project) -> None:
    title = project.plan_of(lambda values: values["tables"]["en_zh"].update(caption="Another title"))
    assert title == {"all": 1, "write_settings": 1, "tabulate": 1}
    plot = project.plan_of(lambda values: values["plots"]["en_en"].update(group="unseen"))
    assert plot == {"all": 1, "write_settings": 1, "plot": 1}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("metrics/registry.py", "", "\nANOTHER_LIST = ('wer.somebody',)\n"),
        ("metrics/words/columns.py", "Mean over clips", "The mean over clips"),
        ("metrics/voice/somebody.py", "", "class SomebodyScorer:\n    pass\n"),
        ("reporting/plots/heat_map.py", "", "class Settings:\n    pass\n"),
        ("features/extractors/somebody.py", "", "class Settings:\n    pass\n"),
        ("generation/kinds/somebody.py", "", "NEEDS_RECIPE = False\n"),
        ("networks/s3fd.py", "", "\nNEW_CONSTANT = 1\n"),
    ],
)
def test_what_nobody_uses_plans_nothing(project: Project, file: str, old: str, new: str) -> None:
    with edited(project, file, old, new):
        assert project.plan() == {}


def test_the_gallery_replans_the_gallery(project: Project) -> None:
    with edited(project, "reporting/gallery.py", "", "\nNEW_CONSTANT = 1\n"):
        assert project.plan() == {"all": 1, "make_gallery": 1}


def test_one_kind_of_plot_replans_its_plots(project: Project) -> None:
    with edited(project, "reporting/plots/training_curves.py", "", "\nNEW_CONSTANT = 1\n"):
        assert project.plan() == {"all": 1, "plot": 1}


def test_how_tables_are_written_replans_tables_and_what_reads_them(project: Project) -> None:
    with edited(project, "reporting/render.py", "", "\nNEW_CONSTANT = 1\n"):
        plan = project.plan()
    assert plan["tabulate"] == 3 and not {"score", "generate", "train"} & set(plan)


def test_s3fd_reaches_the_scores_that_look_for_faces_with_it_alone() -> None:
    from syncvoice.metrics.registry import METRIC_FILES
    from syncvoice.provenance import reachable

    def modules(file: str) -> set[str]:
        scorer = METRIC_FILES[file].scorer.split(":")[0]
        return reachable("syncvoice.commands.score_task", f"syncvoice.metrics.{scorer}")

    using = {file for file in METRIC_FILES if "syncvoice.networks.s3fd" in modules(file)}
    assert using and all(file.startswith("lse.syncnet_v2.") for file in using)
    commands = ("prepare_shard", "features", "train", "generate", "mux", "tabulate", "plot", "gallery")
    assert not any("syncvoice.networks.s3fd" in reachable(f"syncvoice.commands.{name}") for name in commands)


def test_the_command_line_is_no_part_of_a_job(project: Project) -> None:
    assert Path(project.folder / "syncvoice" / "cli.py").is_file()
    with edited(project, "cli.py", "", "\nNEW_CONSTANT = 1\n"):
        assert project.plan() == {}
