"""`syncvoice import-checkpoint`: a checkpoint that somebody else trained becomes the model of a recipe."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--recipe", type=Path, required=True, help="resolved recipe (JSON) that names the checkpoint")
    parser.add_argument("--features", type=Path, nargs="*", default=[], help="settings of the features that it sees")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.safetensors and metadata.json")


def run(args: argparse.Namespace) -> None:
    """Import."""
    from syncvoice.features.base import FeatureJob
    from syncvoice.section import read_settings
    from syncvoice.training.foreign import import_checkpoint
    from syncvoice.training.recipe import NamedRecipe

    jobs = [read_settings(path, FeatureJob) for path in args.features]
    import_checkpoint(read_settings(args.recipe, NamedRecipe), jobs, args.out)
