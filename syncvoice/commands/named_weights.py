"""Options of commands that read weights: where they lie, and which files replace them."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from syncvoice.errors import UserError


def add_weight_options(parser: argparse.ArgumentParser) -> None:
    """Declare where a scorer's weights lie."""
    parser.add_argument("--weights", type=Path, default=Path("weights"), help="folder of the shipped weights")
    parser.add_argument(
        "--assets", type=Path, default=Path("resources/assets"), help="folder of weights made by others"
    )
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="weights that replace the shipped ones (syncnet, recogniser, speaker_encoder); may be given several times",
    )


def networks_of(named: Sequence[str]) -> dict[str, Path]:
    """Read NAME=FILE options.

    Raises:
        UserError: one has no name, or its file does not exist.
    """
    networks = {}
    for option in named:
        name, _, file = option.partition("=")
        if not (name and file):
            raise UserError(f"--network {option}: expected NAME=FILE, for example syncnet=my/syncnet.safetensors")
        if not Path(file).is_file():
            raise UserError(f"--network {option}: {file} does not exist")
        networks[name] = Path(file)
    return networks
