"""`syncvoice resolve-recipe`: write the resolved settings of a recipe, as the workflow hands them to training."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--study", type=Path, required=True, help="study file, e.g. config/mini.yaml")
    parser.add_argument("--recipe", required=True, help="name of the recipe")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")


def run(args: argparse.Namespace) -> None:
    """Write the recipe laid over its defaults.

    Raises:
        UserError: the study is wrong or has no such recipe.
    """
    from syncvoice.errors import UserError
    from syncvoice.files import write_json
    from syncvoice.section import nearest
    from syncvoice.study import read_study
    from syncvoice.study.jobs import recipe_settings

    study = read_study(args.study)
    if args.recipe not in study.recipes:
        raise UserError(f"{args.study} has no recipe {args.recipe!r}; {nearest(args.recipe, study.recipes)}")
    write_json(args.out, recipe_settings(study, args.recipe))
