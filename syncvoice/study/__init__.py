"""Settings of a study: typed sections, the overlay `defaults <- extends <- study`, and errors that name the key.

A study is one YAML file (`config/mini.yaml`). `load_study` lays it over `config/defaults.yaml`, validates everything
with pydantic (no unknown keys anywhere) and checks every name that one section uses from another.
"""

from syncvoice.datasets.settings import Dataset
from syncvoice.reporting.plots.job import Plot
from syncvoice.reporting.settings import Table
from syncvoice.study.load import load_study, read_study
from syncvoice.study.row import Experiment
from syncvoice.study.study import Feature, Study, Task
from syncvoice.training.recipe import Masking, Recipe

__all__ = [
    "Dataset",
    "Experiment",
    "Feature",
    "Masking",
    "Plot",
    "Recipe",
    "Study",
    "Table",
    "Task",
    "load_study",
    "read_study",
]
