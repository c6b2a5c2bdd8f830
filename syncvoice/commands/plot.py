"""`syncvoice plot`: draw a plot."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file of the plot")
    parser.add_argument("--study-root", type=Path, required=True, help="results/{study}")
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for {plot}.svg and {plot}.png")


def run(args: argparse.Namespace) -> None:
    """Write the plot as SVG and PNG."""
    from syncvoice.reporting.plots.job import PlotJob, save
    from syncvoice.section import read_settings

    for path in save(read_settings(args.settings, PlotJob), args.study_root, args.out_dir):
        logger.info("wrote %s", path)
