"""How long `syncvoice dub` takes from its cold start to the file, and to the line of scores after it.

    python -m benchmarks.dub_start --grid FOLDER --out results/reference/benchmarks/dub_start.json

One clip of GRID of 3 s, the timed engine, the voice of the clip itself; every run is a new process. Median of the runs
by the clock and of the processor; the clock means little where other work runs beside (`load_average`).
"""

import argparse
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common import process_seconds, write_result
from syncvoice import clocks
from syncvoice.audio import write_wav
from syncvoice.datasets.base import SourceClip, read_dataset


def run(clip: SourceClip, voice: Path, out: Path, *options: str) -> dict[str, float]:
    """Seconds of one dub in a process of its own: `wall_s` and, of the processor, `cpu_s`."""
    command = [sys.executable, "-m", "syncvoice.cli", "dub", str(clip.media), "--text", clip.text, "--engine", "timed"]
    return process_seconds([*command, "--voice", str(voice), "--out", str(out), *options])


def main() -> None:
    """Run the benchmark."""
    from syncvoice.video.decode import decode_clip

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID clips")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    clip = next(iter(read_dataset("grid", args.grid, "test")))
    result: dict[str, object] = {"runs": args.runs}
    with TemporaryDirectory() as folder:
        voice = Path(folder) / "voice.wav"
        write_wav(voice, decode_clip(clip.media, 5.0, 10).audio, clocks.SAMPLE_RATE)
        for name, options in {"to_the_file": ("--no-scores",), "with_scores": ()}.items():
            found = [run(clip, voice, voice.with_suffix(".mp4"), *options) for _ in range(args.runs)]
            result[name] = {key: round(statistics.median(one[key] for one in found), 1) for key in found[0]}
    print(result)
    write_result(args.out, result)


if __name__ == "__main__":
    main()
