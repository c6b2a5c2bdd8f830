"""What a metric and a metric file are; the lists stand in `registry`, the columns beside the scorers.

A *metric* is one column of a table (`lse_d.syncnet_mini`); a *metric file* is what one job writes and may hold several
metrics (`lse.syncnet_mini`). Ids carry the scorer and, where there are variants, the protocol; titles name every scorer
that is not the one of the literature.
"""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "zero", ""]


@dataclass(frozen=True)
class Metric:
    """One column of a table.

    Attributes:
        id: `name.scorer[.protocol]`.
        file: id of the metric file (job) that holds it.
        title: full title, always with the scorer.
        label: short label for axes and column heads.
        direction: which way is better; `zero` means: the closer to zero the better; empty: neither.
        unit: unit of the value after `scale`, empty when it has none.
        decimals: digits after the point in tables.
        caption: one or two sentences for the note under a table.
        scale: factor from the stored value to the shown one (a rate of 0.1 is shown as 10 %).
        errors_over_words: the table shows the corpus rate, sum of `errors` over sum of `words`, and a failed clip
            counts with all its words wrong.
        failed_value: value of a failed clip, None = left out of the mean and of paired differences.
    """

    id: str
    file: str
    title: str
    label: str
    direction: Direction
    unit: str
    decimals: int
    caption: str
    scale: float = 1.0
    errors_over_words: bool = False
    failed_value: float | None = None


@dataclass(frozen=True)
class MetricFile:
    """One scoring job.

    Attributes:
        id: name of the CSV file without its suffix.
        scorer: `module:Class` inside `syncvoice.metrics`, imported when used.
        weights: names of the shipped weights that the job reads (`weights/{name}.safetensors`).
        assets: names of the weights made by others that the job reads (`config/assets.yaml`).
        only_source: sentences that the scorer is made for ("grid"), empty = any.
        uses_card: whether the job computes on a graphics card where it is given one.
        needs: inputs beside the generated speech: any of `video`, `ground_truth`, `references`, `phones`.
        sees_once: whether a job of its own looks at every clip once for all rows (`syncvoice embed-lips`).
    """

    id: str
    scorer: str
    weights: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    only_source: str = ""
    uses_card: bool = False
    sees_once: bool = False
