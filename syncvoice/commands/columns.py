"""Columns of all registered metrics, for the commands of people; jobs get the columns that they show as settings."""

from syncvoice.metrics.registry import METRICS
from syncvoice.reporting.columns import Column, Columns


def all_columns() -> Columns:
    """Return the columns of every registered metric."""
    return Columns({name: Column.of(metric) for name, metric in METRICS.items()})


def column_of(metric: str) -> Column:
    """Return the column of a metric; a plain one for an id that is not registered."""
    return Column.of(METRICS[metric]) if metric in METRICS else Column.unknown(metric)
