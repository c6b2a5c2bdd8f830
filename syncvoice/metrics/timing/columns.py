"""Titles, units, directions and captions of the timing metrics, in table order."""

from syncvoice.metrics.metric import Metric

_FORCED = "Generated speech and the clip's own sound, both aligned to the script by the mini CTC recogniser. "
_FORCED_ALIGNED = (
    Metric("phone_time_error.ctc_forced", "timing.ctc_forced", "Phone time error (CTC, both sounds aligned)",
           "phone time error", "lower", "ms", 0, _FORCED + "Mean absolute difference of the phone start times."),
    Metric("speech_rate_error.ctc_forced", "timing.ctc_forced", "Speech rate error (CTC, both sounds aligned)",
           "speech rate error", "lower", "%", 1, _FORCED + "Relative difference of phones per second without pauses.",
           scale=100.0),
    Metric("duration_error.ctc_forced", "timing.ctc_forced", "Duration error (CTC, both sounds aligned)",
           "duration error", "lower", "ms", 0, _FORCED + "Difference of the time from the first to the last phone."),
)  # fmt: skip

_CLASSES = {
    "vowel": "vowels",
    "plosive": "plosives",
    "fricative": "fricatives",
    "nasal": "nasals",
    "approximant": "approximants",
    "bilabial": "p b m",
    "labiodental": "f v",
    "inner": "consonants without lips",
}
_PHONE_CLASSES = tuple(
    Metric(f"phone_time_error_{name}.ctc_aligned", "phone_classes.ctc_aligned",
           f"Phone time error, {what} (CTC-aligned)", f"error {what}", "lower", "ms", 0,
           f"Mean absolute difference of the start times, of {what} alone; clips without any have no value.")
    for name, what in _CLASSES.items()
) + (
    Metric("speaking_rate.ctc_aligned", "phone_classes.ctc_aligned", "Speaking rate of the clip (its own speech)",
           "speaking rate", "", "phones/s", 1, "Of the clip's own speech, pauses left out; known times."),
    Metric("level.ctc_aligned", "phone_classes.ctc_aligned", "Level of the clip (its own speech)", "level", "", "dB", 1,
           "Mean power of the clip's own sound while it speaks, re full scale."),
)  # fmt: skip

COLUMNS = (
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
    *_PHONE_CLASSES,
    *_FORCED_ALIGNED,
    Metric("overlap.energy", "overlap.energy", "Speech inside the original's (energy)", "overlap", "higher", "%", 1,
           "Share of the speaking time in which the original speaks too.", scale=100.0),
    Metric("speaking_time.energy", "overlap.energy", "Speaking time against the original's (energy)",
           "speaking time", "zero", "%", 1, "Speaking time over the original's, minus one.", scale=100.0),
)  # fmt: skip
