"""How long people wait before anything happens: import, help, and the dry run of a study of 150,000 clips.

    python -m benchmarks.start --out results/reference/benchmarks/start.json

Every run is a new process; median by the clock and of the processor. The study is `tiny` with its data set replaced by
a folder whose table names 150,000 clips per split, in 100 shards; no clip exists, because a dry run opens none.
"""

import argparse
import shutil
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from benchmarks.common import process_seconds, write_result
from syncvoice.places import find_path

CLIPS = 150_000


def medians(command: list[str], runs: int, **options: object) -> dict[str, float]:
    """Medians of `process_seconds` over several runs."""
    found = [process_seconds(command, **options) for _ in range(runs)]
    return {key: round(statistics.median(one[key] for one in found), 2) for key in found[0]}


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
            "import": medians([sys.executable, "-c", "import syncvoice"], args.runs),
            "help": medians([sys.executable, "-m", "syncvoice.cli", "--help"], args.runs),
            "dry_run": medians(dry, 1, cwd=project),
        }
    print(result)
    write_result(args.out, result)


if __name__ == "__main__":
    main()
