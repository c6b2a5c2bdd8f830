"""`syncvoice pretrain`: make or continue one of the shipped start weights."""

import argparse
from pathlib import Path

NAMES = ("backbone", "vocoder", "speaker_encoder", "syncnet", "recogniser", "lip_timing")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", choices=NAMES, help="which weights to make")
    parser.add_argument("--settings", type=Path, required=True, help="YAML file, see config/pretrain/")
    parser.add_argument("--out", type=Path, required=True, help="weight file to write (.safetensors)")
    parser.add_argument("--start", type=Path, help="weight file to continue from (default: start from nothing)")
    parser.add_argument(
        "--minutes", type=float, help="stop after this many minutes (default: after the steps of the settings)"
    )


def run(args: argparse.Namespace) -> None:
    """Read the settings and run `syncvoice.pretraining.NAME`.

    Raises:
        UserError: the settings or the start weights cannot be read.
    """
    import importlib

    import yaml

    from syncvoice.errors import UserError

    try:
        settings = yaml.safe_load(args.settings.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"settings {args.settings} cannot be read ({error}); see config/pretrain/") from error
    if not isinstance(settings, dict):
        raise UserError(
            f"settings {args.settings} hold {type(settings).__name__}, expected a map; see config/pretrain/"
        )
    if args.minutes is not None and args.minutes <= 0:
        raise UserError(f"--minutes is {args.minutes}, expected more than 0")
    if args.start is not None and not args.start.is_file():
        raise UserError(f"start weights {args.start} do not exist; leave --start out to start from nothing")
    module = importlib.import_module(f"syncvoice.pretraining.{args.name}")
    module.run(settings, args.out, args.start, args.minutes)
