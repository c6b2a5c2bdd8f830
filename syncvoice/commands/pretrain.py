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
    parser.add_argument(
        "--processes", type=int, default=1, help="processes that share a step, each with its own batch (default: 1)"
    )


def run(args: argparse.Namespace) -> None:
    """Read the settings and run `syncvoice.pretraining.NAME`.

    Raises:
        UserError: the settings or the start weights cannot be read, or one of several processes failed.
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
    if args.processes < 1:
        raise UserError(f"--processes is {args.processes}, expected 1 or more")
    if args.processes > 1:
        return _start_processes(args)
    module = importlib.import_module(f"syncvoice.pretraining.{args.name}")
    module.run(settings, args.out, args.start, args.minutes)


def _start_processes(args: argparse.Namespace) -> None:
    """Run this command once per process under torchrun, which tells each its rank."""
    import subprocess
    import sys

    from syncvoice.errors import UserError

    torchrun = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
    own = ["pretrain", args.name, "--settings", args.settings, "--out", args.out]
    own += ["--start", args.start] if args.start is not None else []
    own += ["--minutes", str(args.minutes)] if args.minutes is not None else []
    # the dashes after -m: torchrun would take --start for an option of its own
    command = [sys.executable, *torchrun, f"--nproc-per-node={args.processes}", "-m", "--", "syncvoice", *own]
    code = subprocess.run(command).returncode
    if code:
        raise UserError(f"pretrain {args.name}: one of {args.processes} processes failed; its message stands above")
