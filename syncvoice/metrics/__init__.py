"""The list of metrics: the one place that the command line, config, tables, plots and report read.

A *metric* is one column of a table (`lse_d.syncnet_mini`); a *metric file* is what one job writes and may hold several
metrics (`lse.syncnet_mini`). Ids carry the scorer and, where there are variants, the protocol; titles name every scorer
that is not the one of the literature. Importing this package imports nothing heavy.
"""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "zero"]


@dataclass(frozen=True)
class Metric:
    """One column of a table.

    Attributes:
        id: `name.scorer[.protocol]`.
        file: id of the metric file (job) that holds it.
        title: full title, always with the scorer.
        label: short label for axes and column heads.
        direction: which way is better; `zero` means: the closer to zero the better.
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
        needs: inputs beside the generated speech: any of `video`, `ground_truth`, `references`, `phones`.
    """

    id: str
    scorer: str
    weights: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


_LSE_NOTE = (
    "Small SyncNet on prepared mouth crops, vshift 15, audio embeddings zero-padded as in the reference code; not"
    " comparable with values of SyncNet v2."
)
_WORDS_NOTE = "Corpus rate: all errors over all words; a failed clip counts as all wrong."
_DNSMOS_NOTE = "DNSMOS P.835 networks of the package speechmos, 16 kHz, windows of 9.01 s, short clips repeated."

_METRICS = (
    Metric(
        "lse_d.syncnet_mini",
        "lse.syncnet_mini",
        "LSE-D (mini SyncNet)",
        "LSE-D mini",
        "lower",
        "",
        2,
        "Smallest mean distance of lip and sound embeddings over delays of up to 15 frames. " + _LSE_NOTE,
    ),
    Metric(
        "lse_c.syncnet_mini",
        "lse.syncnet_mini",
        "LSE-C (mini SyncNet)",
        "LSE-C mini",
        "higher",
        "",
        2,
        "Median minus smallest mean distance over delays of up to 15 frames. " + _LSE_NOTE,
    ),
    Metric(
        "offset.syncnet_mini",
        "lse.syncnet_mini",
        "Offset (mini SyncNet)",
        "offset",
        "zero",
        "frames",
        2,
        "Delay at which the distance is smallest, frames of 40 ms; positive: the sound leads. " + _LSE_NOTE,
    ),
    Metric(
        "in_sync.syncnet_mini",
        "lse.syncnet_mini",
        "Clips in sync, |offset| <= 1 frame (mini SyncNet)",
        "in sync",
        "higher",
        "%",
        1,
        "Share of clips whose offset is at most one frame. LSE-C and LSE-D forgive a constant delay,"
        " this share does not. " + _LSE_NOTE,
        scale=100.0,
        failed_value=0.0,
    ),
    Metric(
        "wer.pocketsphinx_grid",
        "wer.pocketsphinx_grid",
        "WER (PocketSphinx, GRID grammar)",
        "WER PocketSphinx",
        "lower",
        "%",
        1,
        "PocketSphinx with a grammar of the GRID sentence; English GRID sentences only. " + _WORDS_NOTE,
        scale=100.0,
        errors_over_words=True,
        failed_value=1.0,
    ),
    Metric(
        "wer.ctc_mini",
        "wer.ctc_mini",
        "WER (mini CTC recogniser)",
        "WER CTC",
        "lower",
        "%",
        1,
        "Small CTC recogniser trained on espeak voices, English. " + _WORDS_NOTE,
        scale=100.0,
        errors_over_words=True,
        failed_value=1.0,
    ),
    Metric(
        "cer.ctc_mini",
        "wer.ctc_mini",
        "CER (mini CTC recogniser, Mandarin)",
        "CER CTC",
        "lower",
        "%",
        1,
        "Small CTC recogniser trained on espeak voices, Mandarin characters. "
        + _WORDS_NOTE.replace("words", "characters"),
        scale=100.0,
        errors_over_words=True,
        failed_value=1.0,
    ),
    Metric(
        "sim_o.ge2e_resemblyzer",
        "sim_o.ge2e_resemblyzer",
        "SIM-o (GE2E, Resemblyzer weights)",
        "SIM-o GE2E",
        "higher",
        "",
        3,
        "Cosine of GE2E embeddings of the generated speech and of the original reference recording.",
    ),
    Metric(
        "sim_o_other.ge2e_resemblyzer",
        "sim_o.ge2e_resemblyzer",
        "SIM to other voices (GE2E, Resemblyzer weights)",
        "SIM other",
        "lower",
        "",
        3,
        "Mean cosine of GE2E embeddings of the generated speech and of the reference"
        " recordings of all other voices of the same sex: the floor of SIM-o.",
    ),
    Metric(
        "dnsmos_ovrl.p835",
        "dnsmos.p835",
        "DNSMOS overall (P.835)",
        "DNSMOS OVRL",
        "higher",
        "MOS",
        2,
        "Predicted overall quality, 1 to 5. " + _DNSMOS_NOTE,
    ),
    Metric(
        "dnsmos_sig.p835",
        "dnsmos.p835",
        "DNSMOS signal (P.835)",
        "DNSMOS SIG",
        "higher",
        "MOS",
        2,
        "Predicted quality of the speech itself, 1 to 5. " + _DNSMOS_NOTE,
    ),
    Metric(
        "dnsmos_bak.p835",
        "dnsmos.p835",
        "DNSMOS background (P.835)",
        "DNSMOS BAK",
        "higher",
        "MOS",
        2,
        "Predicted absence of background noise, 1 to 5. " + _DNSMOS_NOTE,
    ),
    Metric(
        "mcd_dtw.melcep13",
        "mcd_dtw.melcep13",
        "MCD-DTW (13 cepstra of the log mel spectrum)",
        "MCD-DTW",
        "lower",
        "dB",
        2,
        "Mel-cepstral distortion after dynamic time warping to the original sound of the clip, cepstra 1 to 13"
        " of the log mel spectrum; not comparable with values from WORLD envelopes.",
    ),
    Metric(
        "phone_time_error.ctc_aligned",
        "phone_time_error.ctc_aligned",
        "Phone time error (CTC-aligned)",
        "phone time error",
        "lower",
        "ms",
        0,
        "Mean absolute difference of the phone start times, forced alignment of"
        " the generated speech against the times that the video shows; uses no lip-sync network.",
    ),
)

_FILES = (
    MetricFile("lse.syncnet_mini", "lip_sync:LipSyncScorer", ("syncnet",), ("video",)),
    MetricFile("wer.pocketsphinx_grid", "wer:PocketSphinxScorer"),
    MetricFile("wer.ctc_mini", "wer:CtcScorer", ("recogniser",)),
    MetricFile("sim_o.ge2e_resemblyzer", "speaker_similarity:SpeakerSimilarityScorer", (), ("references",)),
    MetricFile("dnsmos.p835", "naturalness:DnsmosScorer"),
    MetricFile("mcd_dtw.melcep13", "spectral:McdScorer", (), ("ground_truth",)),
    MetricFile("phone_time_error.ctc_aligned", "phone_time:PhoneTimeScorer", ("recogniser",), ("phones",)),
)

METRICS: dict[str, Metric] = {metric.id: metric for metric in _METRICS}
METRIC_FILES: dict[str, MetricFile] = {file.id: file for file in _FILES}


def metrics_of_file(file: str) -> list[Metric]:
    """The metrics that a metric file holds, in table order."""
    return [metric for metric in _METRICS if metric.file == file]
