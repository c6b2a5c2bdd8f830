"""Settings of a study: typed sections, the overlay `defaults <- extends <- study`, and errors that name the key.

A study is one YAML file (`config/mini.yaml`). `load_study` lays it over `config/defaults.yaml`, validates everything
with pydantic (no unknown keys anywhere) and checks every name that one section uses from another.
"""

from syncvoice.config.experiment import Experiment, Scales, Sweep
from syncvoice.config.load import load_study, read_study
from syncvoice.config.recipe import Masking, Recipe
from syncvoice.config.study import Dataset, Feature, Plot, Study, Table, Task

__all__ = [
    "Dataset",
    "Experiment",
    "Feature",
    "Masking",
    "Plot",
    "Recipe",
    "Scales",
    "Study",
    "Sweep",
    "Table",
    "Task",
    "load_study",
    "read_study",
]
