"""Titles, units, directions and captions of spectrum, pitch and level against the clip's own sound, in table order."""

from syncvoice.metrics.metric import Metric

_WARPED = "After dynamic time warping to the clip's own sound. "
_VARIANTS = (
    Metric("mcd.melcep13", "mcd_variants.melcep13", "MCD without alignment (13 cepstra of the log mel spectrum)", "MCD",
           "lower", "dB", 2, "Mel-cepstral distortion frame by frame; not comparable with WORLD envelopes."),
    Metric("mcd_dtw_sl.melcep13", "mcd_variants.melcep13", "MCD-DTW-SL (13 cepstra of the log mel spectrum)",
           "MCD-DTW-SL", "lower", "dB", 2, "MCD-DTW times the ratio of the longer sound to the shorter."),
    Metric("f0_corr.yin_dtw", "prosody.yin_dtw", "Pitch correlation (YIN)", "F0 correlation", "higher", "", 3,
           _WARPED + "Correlation of log pitch over frames voiced in both."),
    Metric("f0_rmse.yin_dtw", "prosody.yin_dtw", "Pitch error (YIN)", "F0 RMSE", "lower", "semitones", 2,
           _WARPED + "Root mean square difference of pitch over frames voiced in both; the voice's own pitch counts."),
    Metric("energy_corr.yin_dtw", "prosody.yin_dtw", "Level correlation (after warping)", "energy correlation",
           "higher", "", 3, _WARPED + "Correlation of the level in dB over all frames."),
)  # fmt: skip

COLUMNS = (
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
    *_VARIANTS,
)
