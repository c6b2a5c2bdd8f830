"""`syncvoice train`: fine-tune a recipe."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe (JSON, from resolve-recipe)")
    parser.add_argument("--manifest", type=Path, required=True, help="training manifest (.cuts.jsonl.gz)")
    parser.add_argument("--features-root", type=Path, required=True, help="folder that holds FEATURE/shard-*.h5")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for model.safetensors, metadata.json, curve.csv"
    )
    parser.add_argument(
        "--devices", type=int, help="processes that share a step, each with its own card; default: what the recipe says"
    )


def run(args: argparse.Namespace) -> None:
    """Train."""
    from syncvoice.section import read_settings
    from syncvoice.training.recipe import NamedRecipe
    from syncvoice.training.run import train

    recipe = read_settings(args.recipe, NamedRecipe)
    train(recipe, args.manifest, args.features_root, args.out, recipe.devices if args.devices is None else args.devices)
