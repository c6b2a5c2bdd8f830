"""Titles, units, directions and captions of the predicted opinion scores, in table order."""

from syncvoice.metrics.metric import Metric

_DNSMOS_NOTE = "DNSMOS P.835 networks of the package speechmos, 16 kHz, windows of 9.01 s, short clips repeated."
_UTMOS = Metric(
    "mos.utmos_strong", "mos.utmos_strong", "UTMOS (strong learner)", "UTMOS", "higher", "MOS", 2,
    "Predicted naturalness, about 1 to 5: UTMOS22 strong learner, weights of SpeechMOS.",
)  # fmt: skip

_DISTILLMOS = Metric(
    "mos.distillmos", "mos.distillmos", "DistillMOS (published weights)", "DistillMOS", "higher", "MOS", 2,
    "Predicted naturalness, 1 to 5: DistillMOS, weights of the package distillmos 0.9.1.",
)  # fmt: skip

COLUMNS = (
    _DISTILLMOS,
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
    _UTMOS,
)
