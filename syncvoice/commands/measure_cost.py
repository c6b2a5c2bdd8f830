"""`syncvoice measure-cost`: time and memory of each part of dubbing, and operations at both sizes."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--settings", type=Path, required=True, help="what is measured (JSON)")
    parser.add_argument("--task", type=Path, required=True, help="utterances (CSV)")
    parser.add_argument(
        "--manifest", type=Path, nargs="+", required=True, help="clips of the task, then of its references"
    )
    parser.add_argument("--features-root", type=Path, required=True, help="folder that holds SPLIT/FEATURE/shard-*.h5")
    parser.add_argument("--models", type=Path, required=True, help="folder that holds RECIPE/model.safetensors")
    parser.add_argument("--out", type=Path, required=True, help="CSV file to write; Markdown and LaTeX lie beside it")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # measure this one, here, and print it


def run(args: argparse.Namespace) -> None:
    """Measure all parts in turn, each in a process of its own, and write the table.

    Raises:
        UserError: an input is missing, or a part cannot be measured.
    """
    import torch

    from syncvoice.cost.measuring import measure_all, measure_here
    from syncvoice.cost.parts import Inputs
    from syncvoice.cost.settings import CostJob
    from syncvoice.reporting.cost import write_cost
    from syncvoice.section import read_settings

    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))  # set by the workflow from the study's config
    torch.set_num_threads(threads)
    job = read_settings(args.settings, CostJob)
    inputs = Inputs(args.task, tuple(args.manifest), args.features_root, args.models)
    if args.part:
        sys.stdout.write(json.dumps(asdict(measure_here(args.part, job, inputs))) + "\n")
        return
    options = {"settings": args.settings, "task": args.task, "features-root": args.features_root,
               "models": args.models, "out": args.out}  # fmt: skip
    arguments = ["measure-cost", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
    lines = measure_all(job, inputs, [*arguments, "--manifest", *map(str, args.manifest)])
    rows = [{**asdict(line), **asdict(line.measured), "full_real_time_factor": line.full_real_time_factor}
            for line in lines]  # fmt: skip
    write_cost(args.out, rows, threads, job.rows[job.row].row.steps)
