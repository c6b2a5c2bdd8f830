"""`syncvoice tabulate`: make a table from score files."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the table")
    parser.add_argument("--tasks-root", type=Path, required=True, help="folder with {task}.csv")
    parser.add_argument("--metrics-root", type=Path, required=True, help="folder with {experiment}/{task}/*.csv")
    parser.add_argument(
        "--out-dir", type=Path, required=True, help="folder for {table}.csv, .md, .tex, .directions.csv"
    )


def run(args: argparse.Namespace) -> None:
    """Write the table as CSV, Markdown and LaTeX, and the paper's directions beside ours as CSV."""
    from syncvoice.files import atomic_path, read_json
    from syncvoice.reporting import latex, render, tables
    from syncvoice.reporting.settings import TableJob
    from syncvoice.section import read_settings

    settings = read_settings(args.settings, TableJob)
    table, directions = tables.build_table(settings, args.tasks_root, args.metrics_root)
    check_path = args.metrics_root / "syncnet_check.json"
    check = read_json(check_path) if check_path.exists() else None
    parts = render.blocks(settings, table, directions, check)
    texts = {".md": render.markdown(settings, parts), ".tex": latex.latex(settings, parts)}
    tables.write_csv(args.out_dir / f"{settings.name}.csv", table)
    tables.write_csv(args.out_dir / f"{settings.name}.directions.csv", directions)
    for suffix, text in texts.items():
        with atomic_path(args.out_dir / f"{settings.name}{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    logger.info("wrote %s: %d lines, rows %d", args.out_dir / f"{settings.name}.csv", len(table), len(settings.rows))
