"""How long people wait before anything happens: import, help, and the dry run of a study of 150,000 clips.

    python -m benchmarks.start --out results/reference/benchmarks/start.json

Every run is a new process; median by the clock and of the processor. The study is `tiny` with its data set replaced by
a folder whose table names 150,000 clips per split, in 100 shards; no clip exists, because a dry run opens none.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.common import write_result
from syncvoice.places import find_path

CLIPS = 150_000


def run(command: list[str], runs: int, **options: object) -> dict[str, float]:
    """Median seconds of a command in a process of its own: `wall_s` and, of the processor, `cpu_s`."""
    found = []
    for _ in range(runs):
        before, began = os.times(), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, **options)  # type: ignore[call-overload]
        wall, after = time.perf_counter() - began, os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        found.append((wall, cpu))
    wall, cpu = (round(statistics.median(values), 2) for values in zip(*found, strict=True))
    return {"wall_s": wall, "cpu_s": cpu}


def study_of_many_clips(folder: Path) -> Path:
    """Write the clip table and the configuration; returns the latter."""
    clips = folder / "clips"
    clips.mkdir()
    rows = "".join(f"{number}.mp4,text {number}\n" for number in range(CLIPS))
    (clips / "clips.csv").write_text("media,text\n" + rows, encoding="utf-8")
    values = yaml.safe_load(find_path("config/tiny.yaml").read_text(encoding="utf-8"))
    splits = dict.fromkeys(values["datasets"]["minidub"]["splits"], {"shards": 100, "settings": {}})
    values |= {"name": "many_clips"}
    values["datasets"]["minidub"] = {"kind": "folder", "path": str(clips), "splits": splits}
    config = folder / "many_clips.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    return config


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(find_path("workflow"), project / "workflow")
        for name in ("config", "weights", "recordings"):
            (project / name).symlink_to(find_path(name).resolve())
        config = study_of_many_clips(Path(folder))
        dry = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "1", "--configfile", str(config)]
        result = {
            "runs": args.runs,
            "clips": CLIPS,
            "import": run([sys.executable, "-c", "import syncvoice"], args.runs),
            "help": run([sys.executable, "-m", "syncvoice.cli", "--help"], args.runs),
            "dry_run": run(dry, 1, cwd=project),
        }
    print(result)
    write_result(args.out, result)


if __name__ == "__main__":
    main()
