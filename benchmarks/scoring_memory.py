"""Peak memory of `syncvoice score --generated` for few and for many clips: it must not grow with their number.

    python -m benchmarks.scoring_memory --counts 8 32 --out scoring_memory.json

A few MiniDub clips, made on the fly, are copied under new names until a folder holds as many as asked for; each folder
is scored by the command itself, in a fresh process, whose highest resident set size is the result.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import add_arguments, machine_facts, write_result
from benchmarks.prepare import made_on_the_fly

METRICS = "lse.syncnet_mini,wer.ctc_mini,sim_o.ge2e_resemblyzer,dnsmos.p835"
DIFFERENT = 4  # clips that are made


def fill(folder: Path, sources: list[Path], texts: list[str], count: int) -> None:
    """Copy videos into `folder` under `count` names, with their texts."""
    folder.mkdir()
    lines = ["utterance,text"]
    for number in range(count):
        shutil.copyfile(sources[number % len(sources)], folder / f"clip_{number:04d}.mp4")
        lines.append(f"clip_{number:04d},{texts[number % len(texts)]}")
    folder.with_suffix(".csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def peak_of(folder: Path, metrics: str) -> int:
    """Highest resident set size, in bytes, of the process that scores a folder of videos.

    Raises:
        RuntimeError: it failed.
    """
    command = [sys.executable, "-m", "syncvoice.cli", "score", "--metric", metrics, "--generated", str(folder)]
    command += ["--texts", str(folder.with_suffix(".csv")), "--references", str(folder / "clip_0000.mp4")]
    process = subprocess.Popen([*command, "--out", str(folder.with_suffix(".scores.csv"))], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)  # of this child alone
    if status:
        raise RuntimeError(f"scoring {folder} failed with status {status}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Make clips, score folders, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, runs=1)
    parser.add_argument("--counts", type=int, nargs="+", default=[8, 32], help="clips per folder")
    parser.add_argument("--metrics", default=METRICS, help="scoring jobs")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        made = made_on_the_fly(Path(temporary) / "minidub", DIFFERENT).sources()
        for count in args.counts:
            folder = Path(temporary) / f"folder_{count}"
            fill(folder, [clip.media for clip in made], [clip.text for clip in made], count)
            rows.append({"clips": count, "peak_bytes": peak_of(folder, args.metrics)})
            print(f"{count} clips: {rows[-1]['peak_bytes'] / 1e9:.2f} GB")
    growth = rows[-1]["peak_bytes"] / rows[0]["peak_bytes"]
    print(f"{rows[-1]['clips']} clips against {rows[0]['clips']}: {growth:.3f} times the memory", machine_facts())
    write_result(args.out, {"metrics": args.metrics, "memory": rows, "growth": growth})


if __name__ == "__main__":
    main()
