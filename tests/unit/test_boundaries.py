"""Which room may import which: read off the real imports, those inside functions included."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from syncvoice import provenance
from syncvoice.provenance import imported_by, reachable

PACKAGE = Path(provenance.__file__).parent
# A room may import the rooms named here, and the ground: the modules that lie in no folder.
MAY_IMPORT = {
    "records": set(),
    "text": set(),
    "networks": {"records"},
    "model": {"records", "text"},
    "fast": {"model", "networks", "records"},
    "video": {"networks", "records"},
    "datasets": {"records", "text", "video"},
    "features": {"model", "networks", "records", "text", "video"},  # model: the text path of its weights
    "lip_timing": {"features", "networks", "records", "text", "video"},
    "timed_speech": {"lip_timing", "networks", "records", "text"},
    "training": {"fast", "features", "model", "networks", "records"},
    "generation": {
        *("fast", "features", "lip_timing", "model", "networks", "records", "text", "timed_speech", "video"),
    },
    "metrics": {"fast", "features", "networks", "records", "text", "video"},
    "dubbing": {
        *("fast", "features", "generation", "lip_timing", "metrics", "model", "networks", "records", "text"),
        *("timed_speech", "video"),
    },
    "cost": {"fast", "features", "generation", "model", "networks", "records", "video"},
    "app": {"dubbing", "text", "video"},
    "reporting": {"features", "records", "text", "video"},
    "minidub": {"datasets", "networks", "records", "text", "video"},
    "pretraining": {
        *("fast", "features", "lip_timing", "metrics", "minidub", "model", "networks", "records", "text", "training"),
        "video",
    },
    "study": {"cost", "datasets", "features", "generation", "metrics", "minidub", "reporting", "training", "video"},
}
RULES = "".join(file.read_text(encoding="utf-8") for file in (PACKAGE.parent / "workflow" / "rules").glob("*.smk"))
JOBS = sorted(path.stem for path in (PACKAGE / "commands").glob("*.py") if f'"syncvoice.commands.{path.stem}"' in RULES)


def modules() -> list[str]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [
        ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__") for file in files
    ]


def room_of(module: str) -> str:
    """Folder of a module, "" for the ground."""
    name = module.split(".")[1] if "." in module else ""
    return name if (PACKAGE / name).is_dir() and name else ""


def found() -> dict[str, dict[str, list[str]]]:
    """Imports between rooms: room -> imported room -> "module imports module"."""
    imports: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in modules():
        for other in imported_by(module):
            imports[room_of(module)][room_of(other)].append(f"{module} imports {other}")
    return imports


def test_every_room_is_named_here() -> None:
    assert {room_of(module) for module in modules()} - {"", "commands"} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    strangers = {other: lines for other, lines in found()[room].items() if other not in {*MAY_IMPORT[room], room, ""}}
    assert not strangers


def test_the_ground_imports_no_room() -> None:
    ground = {room: lines for room, lines in found()[""].items() if room}
    lazily = {"commands", "dubbing", "metrics"}  # the command line, and names that the package offers when asked
    assert set(ground) <= lazily, ground


def test_no_circles() -> None:
    assert list(TopologicalSorter(MAY_IMPORT).static_order())


def test_the_synthetic_world_and_the_start_weights_are_leaves() -> None:
    imports = found()
    importers = {room for room, others in imports.items() if "minidub" in others} - {"minidub"}
    assert importers <= {"commands", "pretraining", "study"}
    of_study = {line.rpartition(" ")[2] for line in imports["study"].get("minidub", [])}
    assert of_study <= {"syncvoice.minidub.settings"}, "the study knows their settings, and nothing that speaks"
    assert {room for room, others in imports.items() if "pretraining" in others} - {"pretraining"} <= {"commands"}


@pytest.mark.parametrize("command", ["generate", "dub", "speak"])
def test_inference_does_without_training(command: str) -> None:
    kinds = [module for module in modules() if module.startswith("syncvoice.generation.kinds.")]
    reached = reachable(f"syncvoice.commands.{command}", *kinds)
    assert not [module for module in reached if module.startswith("syncvoice.training.")]


@pytest.mark.parametrize("command", JOBS)
def test_no_job_reaches_the_study_or_a_list_of_metrics(command: str) -> None:
    reached = reachable(f"syncvoice.commands.{command}")
    assert not [module for module in reached if room_of(module) == "study"]
    assert "syncvoice.metrics.registry" not in reached
    assert not [module for module in reached if module.startswith("syncvoice.metrics.") and module.endswith(".columns")]


def test_titles_and_captions_are_known_to_reporting_alone() -> None:
    importers = {line.split(" ")[0] for others in found().values() for line in others.get("reporting", [])}
    rooms = {room_of(module) for module in importers}
    assert rooms <= {"commands", "reporting", "study"}


def test_the_page_of_rooms_is_true() -> None:
    page = (PACKAGE.parent / "docs" / "rooms.md").read_text(encoding="utf-8")
    for room, may in MAY_IMPORT.items():
        documentation = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
        what = " ".join(documentation.split("\n\n")[0].split())
        assert what and f"| `{room}/` | {what} | {', '.join(sorted(may)) or '–'} |" in page
    for file in PACKAGE.glob("*.py"):
        assert file.stem == "__init__" or f"| `{file.name}` |" in page
