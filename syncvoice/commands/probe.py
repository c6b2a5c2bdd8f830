"""`syncvoice probe`: what lip and face features tell about the sound."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--train", type=Path, required=True, help="manifest to fit on (.cuts.jsonl.gz)")
    parser.add_argument("--tests", type=Path, nargs="+", required=True, help="manifests to score on")
    parser.add_argument("--features-root", type=Path, required=True, help="folder that holds SPLIT/FEATURE/shard-*.h5")
    parser.add_argument("--features", nargs="+", default=["lip", "face"], help="visual features to probe")
    parser.add_argument("--out", type=Path, required=True, help="table to write (.csv); .md beside it")


def run(args: argparse.Namespace) -> None:
    """Fit, score and write the table as CSV and Markdown."""
    import pandas as pd

    from syncvoice.features.cache import open_features
    from syncvoice.files import atomic_path
    from syncvoice.records.clips import clips_of
    from syncvoice.reporting.probe import COLUMNS, Frames, frames_of, probe

    def gather(manifest: Path) -> tuple[str, Frames]:
        """Split name and frames of a manifest."""
        clips = clips_of(manifest)
        stores = open_features(args.features_root / clips[0].split, ["mel", *args.features])
        return clips[0].split, frames_of(clips, stores, args.features)

    table = pd.DataFrame(probe(gather(args.train)[1], dict(map(gather, args.tests))), columns=list(COLUMNS))
    with atomic_path(args.out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    with atomic_path(args.out.with_suffix(".md")) as temporary:
        temporary.write_text(markdown(table.to_dict("records")), encoding="utf-8")


def markdown(rows: list[dict]) -> str:
    """The table for people."""
    lines = [
        "# What lip and face features tell (linear probe)", "",
        "Fitted on the training clips. R² of energy and mouth opening, accuracy of the phone; chance in brackets.",
        "", "| Split | Features | Target | Measure | Value | Frames |", "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for row in rows:
        value = f"{row['value']:.2f} ({row['chance']:.2f})"
        lines.append(
            f"| {row['split']} | {row['features']} | {row['target']} | {row['measure']} | {value} | {row['n_frames']} |"
        )
    return "\n".join(lines) + "\n"
