"""How the columns of tables are shown and counted: titles, units and directions, as the settings of a job name them.

Reports know no list of metrics: the study writes what it shows into the settings of every table, plot and page.
"""

from typing import Any, Literal

import numpy as np

from syncvoice.section import Section

Direction = Literal["higher", "lower", "zero", ""]


def is_error_rate(metric: str) -> bool:
    """Whether a metric is a rate of wrong words or characters, by its id."""
    return metric.split(".")[0] in ("wer", "cer")


class Column(Section):
    """A metric as the reports need it.

    Attributes:
        id: `name.scorer[.protocol]`.
        title: full title, always with the scorer.
        label: short label for axes and column heads.
        direction: which way is better; `zero`: the closer to zero the better; empty: unknown.
        unit: of the shown value, empty when it has none.
        decimals: digits after the point.
        scale: from the stored value to the shown one (100 for a rate shown in %).
        caption: one or two sentences for the note under a table.
        errors_over_words: the table shows the corpus rate, and a failed clip counts with all its words wrong.
        failed_value: what a failed clip counts as, None = left out.
    """

    id: str
    title: str
    label: str
    direction: Direction = ""
    unit: str = ""
    decimals: int = 2
    scale: float = 1.0
    caption: str = ""
    errors_over_words: bool = False
    failed_value: float | None = None

    @classmethod
    def of(cls, metric: Any) -> "Column":
        """Return the column of a registered metric (an object with the same attributes)."""
        return cls(**{name: getattr(metric, name) for name in cls.model_fields})

    @classmethod
    def unknown(cls, metric: str) -> "Column":
        """Return the column of a metric that nobody described: it shows as it is; word and character rates in %."""
        is_rate = is_error_rate(metric)
        return cls(
            id=metric,
            title=metric,
            label=metric,
            scale=100.0 if is_rate else 1.0,
            unit="%" * is_rate,
            errors_over_words=is_rate,
        )

    @property
    def arrow(self) -> str:
        """Return the arrow that says which direction is better."""
        return {"higher": "↑", "lower": "↓", "zero": "→ 0"}.get(self.direction, "")

    @property
    def heading(self) -> str:
        """Return short label, unit and arrow, for a column of a table or an axis."""
        unit = f" ({self.unit})" if self.unit and f" {self.unit}" not in self.label else ""
        return f"{self.label}{unit} {self.arrow}".rstrip()

    def text(self, value: float, signed: bool = False) -> str:
        """Return a value as text for people; an en dash for NaN, a true minus sign for negative numbers."""
        if np.isnan(value):
            return "–"
        text = f"{value * self.scale:{'+' if signed else ''}.{self.decimals}f}"
        if float(text) == 0:
            text = text.lstrip("+-")
        return text.replace("-", "−")


class Columns(dict[str, Column]):
    """Columns by metric id; an id that is not there gives `Column.unknown`."""

    def __missing__(self, metric: str) -> Column:
        """Return a plain column."""
        return Column.unknown(metric)
