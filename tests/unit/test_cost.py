"""The measurement of cost: operations and parameters of the public sizes, the table, the parts of a row."""

import csv

import pytest

from syncvoice.cost.full_size import Spoken, full_size
from syncvoice.cost.measuring import Line, Measured, measure_here
from syncvoice.cost.parts import IDLE, PRETRAINED, TEXT, VOCODER, Inputs, branch_scales, part_names
from syncvoice.cost.settings import CostJob
from syncvoice.errors import UserError
from syncvoice.reporting.cost import write_cost

ROW = {
    "experiment": "M4",
    "precision": "auto",
    "rules": {},
    "scales": {"text": 2.0, "face": 2.0, "lip": 2.0},
    "seed": 1,
    "speaker_encoder": "weights/speaker_encoder.safetensors",
    "steps": 8,
    "swap": "none",
    "sweep": None,
    "t_shift": 0.5,
    "temperature": 1.0,
    "treatments": {},
    "vocoder": "weights/vocoder.safetensors",
    "voice": "speaker",
}
SPOKEN = Spoken(n_frames=75, tokens=30, reference_frames=281, reference_tokens=30)


@pytest.fixture
def job() -> CostJob:
    rows = {"M4": {"recipe": "full", "row": ROW}}
    return CostJob.model_validate({"row": "M4", "rows": rows, "timed": ["M4"], "clips": 1, "runs": 2})


@pytest.fixture
def inputs(tmp_path) -> Inputs:
    return Inputs(tmp_path / "task.csv", (), tmp_path, tmp_path)


# Parameters that their authors state: ZipVoice 123 M, Vocos 13.5 M, a ResNet-18 of lips 11.2 M, CAM++ about 7 M.
@pytest.mark.parametrize(
    ("part", "millions"),
    [("guidance, branches: 1", 123.8), (VOCODER, 13.5), ("front-end of lip", 11.2), (PRETRAINED, 6.8)],
)
def test_full_sizes_are_those_of_the_public_weights(job: CostJob, part: str, millions: float) -> None:
    found = full_size(part, SPOKEN, job.rows["M4"].row)
    assert found is not None and found.parameters / 1e6 == pytest.approx(millions, abs=0.06)


def test_every_condition_adds_a_pass_of_the_estimator(job: CostJob) -> None:
    row = job.rows["M4"].row
    costs = [full_size(f"guidance, branches: {number}", SPOKEN, row) for number in (1, 2, 3, 4)]
    first = costs[0].flop_per_s
    assert [cost.flop_per_s / first for cost in costs] == pytest.approx([1, 2, 3, 4], rel=0.01)


def test_twice_the_steps_are_twice_the_work_of_the_estimator(job: CostJob) -> None:
    row = job.rows["M4"].row
    short, long = (full_size("row M4", SPOKEN, row.model_copy(update={"steps": steps})) for steps in (8, 16))
    assert long.flop_per_s / short.flop_per_s == pytest.approx(2, rel=0.02)


def test_tracking_has_no_network_to_count(job: CostJob) -> None:
    assert full_size("face tracking and crops", SPOKEN, job.rows["M4"].row) is None


def test_parts_of_a_row_stand_in_the_order_of_the_work(job: CostJob) -> None:
    names = part_names(job)
    assert names[0] == IDLE and names[-1] == "row M4"
    assert [name for name in names if name.startswith("guidance")] == [f"guidance, branches: {n}" for n in (1, 2, 3, 4)]
    assert names.index(TEXT) < names.index(VOCODER)
    assert len(branch_scales(1, ["face"]).subsets()) == 1


def test_an_idle_process_takes_memory_and_no_time(job: CostJob, inputs: Inputs) -> None:
    found = measure_here(IDLE, job, inputs)
    assert found.real_time_factor is None and found.parameters == 0
    assert 50e6 < found.peak_bytes < 50e9  # bytes, not the kibibytes of the kernel


def test_an_unknown_part_is_named(job: CostJob, inputs: Inputs) -> None:
    with pytest.raises(UserError, match="there is no part 'vocodder' of dubbing; parts: process with torch"):
        measure_here("vocodder", job, inputs)


def test_full_size_takes_as_much_longer_as_it_has_more_operations() -> None:
    assert Line("x", Measured(0.5, 1, 2e9, 3), 20e9, 4).full_real_time_factor == pytest.approx(5.0)
    assert Line("x", Measured(0.5, 1, None, 3), 20e9, 4).full_real_time_factor is None
    assert Line("x", Measured(0.5, 1, 2e9, 3), None, None).full_real_time_factor is None


def test_table_keeps_plain_units_for_machines_and_readable_ones_for_people(tmp_path) -> None:
    row = {
        "part": VOCODER,
        "real_time_factor": 0.0321,
        "peak_bytes": 476_000_000,
        "flop_per_s": 0.312e9,
        "parameters": 1_680_000,
        "full_flop_per_s": None,
        "full_parameters": None,
        "full_real_time_factor": None,
    }
    written = write_cost(tmp_path / "cost.csv", [row], threads=1, steps=8)
    assert [path.suffix for path in written] == [".csv", ".md", ".tex"]
    with open(written[0], encoding="utf-8") as file:
        assert next(csv.DictReader(file))["peak_bytes"] == "476000000"
    assert "| vocoder | 0.0321 | 476 | 0.312 | 1.68 | – | – | – |" in written[1].read_text(encoding="utf-8")
    assert "8 Euler steps" in written[1].read_text(encoding="utf-8")
