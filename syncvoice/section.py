"""The base of every settings class, and how a job reads its settings.

A *section* stands beside the code that reads it and is the only schema of its settings. The study composes sections
and writes each job's part as JSON; the job reads it back with `read_settings`. A misspelt key, a wrong value or an
unknown name stops with a sentence that names the place and the nearest valid name.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from syncvoice.errors import UserError
from syncvoice.files import read_json

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]  # becomes a wildcard, hence a path


class Section(BaseModel):
    """A group of settings: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Section)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a hint for a wrong name: the closest valid one, or all of them."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(names) or 'none'}"


def read_settings(path: Path | str, section: type[S]) -> S:
    """Read a job's settings file.

    Raises:
        UserError: the file is missing, or its content does not fit the section.
    """
    return validated(section, read_json(path), str(path))


def validated(section: type[S], values: Mapping[str, Any], source: str) -> S:
    """Return the section made of `values`; the first problem becomes the message.

    Args:
        section: the class.
        values: plain values, from YAML or JSON.
        source: file (or file and key) that they come from, for messages.

    Raises:
        UserError: unknown key, missing key or wrong value.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_url=False)  # a misspelt key explains a missing one, so it comes first
        problem = min(problems, key=lambda one: one["type"] != "extra_forbidden")
        path = [part for part in problem["loc"] if part != "[key]"]
        where = ".".join(map(str, path))
        if problem["type"] == "extra_forbidden":
            valid = _keys_at(section, path[:-1])
            raise UserError(f"{source}: unknown key {where}; {nearest(str(path[-1]), valid)}") from error
        unseen = problem["type"] == "missing" or isinstance(problem["input"], Mapping)
        found = "" if unseen else f" (found {problem['input']!r})"
        if problem["type"] == "literal_error" and isinstance(problem["input"], str):
            choices = re.findall("'([^']+)'", problem["ctx"]["expected"])
            found += f"; {nearest(problem['input'], choices)}"
        raise UserError(f"{source}: {where}: {problem['msg'].removeprefix('Value error, ')}{found}") from error


def _keys_at(section: Any, path: list[Any]) -> list[str]:
    """Return the valid keys of the section that a key path leads to."""
    for part in path:
        if isinstance(section, type) and issubclass(section, BaseModel):
            section = section.model_fields[str(part)].annotation
        else:  # entry of a map or a list
            section = section.__args__[-1]
        section = _without_none(section)
    is_section = isinstance(section, type) and issubclass(section, Section)
    return list(section.model_fields) if is_section else []


def _without_none(annotation: Any) -> Any:
    """Return T of T | None."""
    parts = [part for part in getattr(annotation, "__args__", ()) if part is not type(None)]
    is_union = len(parts) < len(getattr(annotation, "__args__", ()))
    return parts[0] if is_union and len(parts) == 1 else annotation
