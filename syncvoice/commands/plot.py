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
    from syncvoice.reporting import plots
    from syncvoice.reporting.settings import read_plot_settings

    for path in plots.save(read_plot_settings(args.settings), args.study_root, args.out_dir):
        logger.info("wrote %s", path)
