"""`syncvoice speak-pool`: make or extend the pool of natural speech that the start weights learn from."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards; finished ones are kept")
    parser.add_argument("--hours", type=float, required=True, help="speech that the pool shall hold")
    parser.add_argument("--kinds", nargs="+", help="kinds of sentences, in even shares (default: the usual mix)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the pool (default 1)")
    parser.add_argument(
        "--arithmetic",
        choices=("int8", "bf16"),
        default="int8",
        help="of the network: int8 as published, or bf16, 1.6 times as fast with AMX (needs requirements-pool.lock)",
    )


def run(args: argparse.Namespace) -> None:
    """Speak what is missing.

    Raises:
        UserError: the folder holds another pool, a kind is unknown, or the network is missing.
    """
    from syncvoice.pretraining.natural_pool import MIX, build

    mix = dict.fromkeys(args.kinds, 1.0) if args.kinds else MIX
    build(args.out, args.seed, args.hours, mix=mix, arithmetic=args.arithmetic)
