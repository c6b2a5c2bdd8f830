"""A recipe that is trained several times: `seeds: [1, 2, 3]` lets tables show the spread between trainings.

The first seed is the recipe itself, so nothing is trained twice. Every further seed N makes a recipe NAME_seedN, and
for each row that a table with `spread: true` shows a row ROW_seedN: spoken on the tasks of these tables, scored with
what they show. All else is that of the row, the seed of its sampler too: the noise that speech starts from is the same,
and the spread is that of training alone. (All of this is our choice; the paper trains once.)
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator

from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRICS
from syncvoice.section import Section, validated

Seed = Annotated[int, Field(ge=0)]
Seeds = dict[str, tuple[int, ...]]


class Trainings(Section):
    """The seeds that a recipe is trained with, its own first."""

    seeds: tuple[Seed, ...] = Field(min_length=2)

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        """The same seed gives the same model."""
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands there twice; it would give the same model again")
        return seeds


def trained_again(name: str, seed: int) -> str:
    """Return the name of a recipe or row at a further seed."""
    return f"{name}_seed{seed}"


def take_seeds(recipes: Mapping[str, Any], source: str) -> Seeds:
    """Take the key `seeds` out of recipes; a recipe that is `like` another does not take its seeds.

    Raises:
        UserError: `seeds` is no list of two seeds or more, each once.
    """
    found = {}
    for name, recipe in recipes.items():
        if isinstance(recipe, dict) and "seeds" in recipe:
            seeds = {"seeds": recipe.pop("seeds")}
            found[name] = validated(Trainings, seeds, f"{source}: recipes.{name}").seeds
    return found


def add_trainings(resolved: dict[str, Any], seeds: Seeds, source: str) -> None:
    """Add the recipes of further seeds, and the rows of them that tables ask for.

    Args:
        resolved: plain values of a study; recipes and experiments already lie over their defaults.
        seeds: by recipe.
        source: name of the study file, for messages.

    Raises:
        UserError: the first seed is not the recipe's own, a name is taken, no table shows the spread, or a row says
            itself that it `repeats` another.
    """
    recipes, rows = resolved["recipes"], resolved["experiments"]
    for name, row in rows.items():
        if row.get("repeats"):
            raise UserError(f"{source}: experiments.{name}.repeats: only `seeds` of a recipe make such rows")
    for recipe, numbers in seeds.items():
        own = recipes[recipe].get("seed")
        if own != numbers[0]:
            raise UserError(
                f"{source}: recipes.{recipe}.seeds: the first is the recipe's own seed, {own} (found {numbers[0]})"
            )
        shown = dict(_shown_rows(resolved, recipe))
        if not shown:
            raise UserError(
                f"{source}: recipes.{recipe}.seeds: no table shows the spread between these trainings; set "
                f"`spread: true` in a table with a row of {recipe}"
            )
        for seed in numbers[1:]:
            again = trained_again(recipe, seed)
            _add(recipes, again, {**copy.deepcopy(recipes[recipe]), "seed": seed}, f"{source}: recipes.{recipe}.seeds")
            for row, use in shown.items():
                caption = f"{rows[row].get('caption') or row}, trained with seed {seed}"
                changes = {**use, "recipe": again, "repeats": row, "caption": caption, "paper": None}
                changed = {**copy.deepcopy(rows[row]), **changes}
                _add(rows, trained_again(row, seed), changed, f"{source}: recipes.{recipe}.seeds")


def _shown_rows(resolved: Mapping[str, Any], recipe: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Yield the rows of a recipe that tables show with the spread; where they are spoken and how they are scored."""
    tables = [table for table in (resolved.get("tables") or {}).values() if table and table.get("spread")]
    for name, row in resolved["experiments"].items():
        if row.get("recipe") != recipe:
            continue
        showing = [table for table in tables if name in table.get("rows", [])]
        ids = dict.fromkeys(metric for table in showing for metric in table.get("metrics", []))
        scorers = dict.fromkeys(METRICS[metric].file for metric in ids if metric in METRICS)
        own = row.get("metrics")
        metrics = [scorer for scorer in scorers if own is None or scorer in own]
        if showing:
            yield name, {"tasks": list(dict.fromkeys(table.get("task") for table in showing)), "metrics": metrics}


def _add(entries: dict[str, Any], name: str, entry: Any, where: str) -> None:
    """Add an entry whose name must be free."""
    if name in entries:
        raise UserError(f"{where}: the study already has a {name}; rename it, the name is that of a further training")
    entries[name] = entry
