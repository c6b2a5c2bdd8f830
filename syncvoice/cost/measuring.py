"""Measuring parts one after the other, each in a process of its own, and counting them at both sizes.

Seconds are wall clock; the job must have the machine for itself. The real-time factor is the median over clips and runs
of seconds of computing per second of speech. Memory is the highest resident set of the part's process, Python and torch
included: what an idle process takes stands in the table as a part.
"""

import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from syncvoice.cost.full_size import Spoken, full_size
from syncvoice.cost.parts import IDLE, ROW, Inputs, make_part, part_names
from syncvoice.cost.settings import CostJob
from syncvoice.errors import UserError
from syncvoice.features.cache import open_features
from syncvoice.records.tasks import read_task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """What one part costs here.

    Attributes:
        real_time_factor: seconds of computing per second of speech; None for the idle process.
        peak_bytes: highest resident memory of its process.
        flop_per_s: operations per second of speech; None where nothing counts them.
        parameters: of its networks.
    """

    real_time_factor: float | None
    peak_bytes: int
    flop_per_s: float | None
    parameters: int


@dataclass(frozen=True)
class Line:
    """One part in the table: measured here, and the same part at the paper's sizes.

    Attributes:
        full_flop_per_s, full_parameters: counted; None where a part has no network at full size.
        full_real_time_factor: extrapolated, the measured one times the ratio of the operations; None without both.
    """

    part: str
    measured: Measured
    full_flop_per_s: float | None
    full_parameters: int | None

    @property
    def full_real_time_factor(self) -> float | None:
        """Seconds per second of speech that the same machine would take, if operations alone decided."""
        here, there = self.measured.flop_per_s, self.full_flop_per_s
        if not here or not there or self.measured.real_time_factor is None:
            return None
        return self.measured.real_time_factor * there / here


def measure_here(name: str, job: CostJob, inputs: Inputs) -> Measured:
    """Measure one part in this process, whose memory is the part's."""
    part = make_part(name, job, inputs)
    operations = part.operations() if part.operations else None  # first: a later one counts the model made ready
    for run in part.runs:
        run()
    factors = []
    for _ in range(job.runs):
        for run, seconds in zip(part.runs, part.seconds, strict=True):
            began = time.perf_counter()
            run()
            factors.append((time.perf_counter() - began) / seconds)
    return Measured(
        None if name == IDLE else statistics.median(factors),
        resident_peak(),
        None if operations is None else operations / part.seconds[0],
        part.parameters,
    )


def resident_peak() -> int:
    """Highest resident set size of this process so far, in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_all(job: CostJob, inputs: Inputs, arguments: Sequence[str]) -> list[Line]:
    """Measure every part, each by the command line of this job with `--part` behind it.

    Raises:
        UserError: a part cannot be measured; its own message.
    """
    said = spoken_clip(job, inputs)
    lines = []
    for name in part_names(job):
        found = _in_own_process(name, arguments)
        chosen = job.rows[name.removeprefix(ROW) if name.startswith(ROW) else job.row]
        full = full_size(name, said, chosen.row)
        lines.append(Line(name, found, full.flop_per_s if full else None, full.parameters if full else None))
        log.info("%s: %s", name, asdict(found))
    return lines


def _in_own_process(name: str, arguments: Sequence[str]) -> Measured:
    command = [sys.executable, "-m", "syncvoice.cli", *arguments, "--part", name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise UserError(f"the cost of {name!r} cannot be measured: {result.stderr.strip()[-2000:]}")
    return Measured(**json.loads(result.stdout.splitlines()[-1]))


def spoken_clip(job: CostJob, inputs: Inputs) -> Spoken:
    """What is said in the first clip of the measurement, as long as the full size is counted for."""
    from syncvoice.files import read_json
    from syncvoice.model.text_path import text_of_record

    row = read_task(inputs.task)[0]
    metadata = read_json(Path(inputs.models) / job.rows[job.row].recipe / "metadata.json")
    tokenizer = text_of_record(metadata.get("text")).tokenizer()
    mel = open_features(inputs.features_root / row.reference_split, ["mel"])["mel"][row.reference]
    return Spoken(
        row.n_frames,
        len(tokenizer.encode(row.text, row.language)),
        len(mel),
        len(tokenizer.encode(row.reference_text, row.reference_language)),
    )
