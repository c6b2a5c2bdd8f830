"""Titles, units, directions and captions of the error rates, in table order."""

from syncvoice.metrics.metric import Metric

_WORDS_NOTE = "Corpus rate: all errors over all words; a failed clip counts as all wrong."


def _whisper(scorer: str, title: str, protocol: str, file: str = "", mandarin: bool = False) -> Metric:
    """Return a metric of one protocol (see `protocols`)."""
    kind, protocol_name = ("CER" if mandarin else "WER"), protocol.replace("_", "-")
    corpus = protocol in ("corpus", "by_ear")
    notes = {
        "styledubber": "Mean over clips of the errors over the words of the transcript, as the published code divides"
        " them; a clip with an empty transcript has no value.",
        "corpus": _WORDS_NOTE.replace("words", "characters" if mandarin else "words"),
        "by_ear": "Digits, and words that sound like a letter or digit, count as these. " + _WORDS_NOTE,
        "by_ear_capped": "Digits, and words that sound like a letter or digit, count as these. Mean over clips of the"
        " rate per clip, at most 100 % each.",
        "seed_tts": "Mean over clips of the rate per clip, as in Seed-TTS-eval; a failed clip counts as 1.",
    }
    return Metric(
        f"{kind.lower()}.{scorer}.{protocol}",
        file or f"wer.{scorer}",
        f"{kind} ({title}, {protocol_name})",
        f"{kind} {title} {protocol_name}",
        "lower",
        "%",
        1,
        f"openai-whisper {title.removeprefix('Whisper ')} at temperature 0. {notes[protocol]}",
        scale=100.0,
        errors_over_words=corpus,
        failed_value=1.0,
    )


def _runaway(scorer: str, title: str) -> Metric:
    """Return the share of transcripts that repeat themselves."""
    return Metric(
        f"runaway.{scorer}", f"wer.{scorer}", f"Runaway transcripts ({title})", f"Runaway {title}", "lower", "%", 1,
        f"Share of clips of which openai-whisper {title.removeprefix('Whisper ')} repeats itself (its text compresses"
        " better than 2.4 times, Whisper's own limit); their words are counted as they are.",
        scale=100.0,
    )  # fmt: skip


_SEED_TTS = "wer.whisper_large_v3.seed_tts"
_WHISPER = (
    _whisper("whisper_base", "Whisper base", "styledubber"),
    _whisper("whisper_base", "Whisper base", "corpus"),
    _whisper("whisper_base", "Whisper base", "corpus", mandarin=True),
    _whisper("whisper_base", "Whisper base", "by_ear"),
    _whisper("whisper_base", "Whisper base", "by_ear", mandarin=True),
    _whisper("whisper_base", "Whisper base", "by_ear_capped"),
    _whisper("whisper_base", "Whisper base", "by_ear_capped", mandarin=True),
    _runaway("whisper_base", "Whisper base"),
    Metric("bleed.whisper_base", "bleed.whisper_base", "Language bleed (Whisper base)", "language bleed", "lower",
           "%", 1, "Probability that openai-whisper base gives to the language of the video, of dubs in another one.",
           scale=100.0),
    Metric("bleed_peak.whisper_base", "bleed.whisper_base", "Language bleed, worst second (Whisper base)",
           "bleed peak", "lower", "%", 1, "The highest probability of the video's language against the dub's that"
           " openai-whisper base gives to any second of a dub.", scale=100.0),
    Metric("bleed_share.whisper_base", "bleed.whisper_base", "Language bleed, share of seconds (Whisper base)",
           "bleed share", "lower", "%", 1, "Share of windows of one second in which openai-whisper base finds the"
           " video's language more likely than the dub's.", scale=100.0),
    _whisper("whisper_large_v3", "Whisper large-v3", "styledubber"),
    _whisper("whisper_large_v3", "Whisper large-v3", "corpus"),
    _whisper("whisper_large_v3", "Whisper large-v3", "corpus", mandarin=True),
    _runaway("whisper_large_v3", "Whisper large-v3"),
    _whisper("whisper_large_v3", "Whisper large-v3", "seed_tts", _SEED_TTS),
    _whisper("whisper_large_v3", "Whisper large-v3", "seed_tts", _SEED_TTS, mandarin=True),
)  # fmt: skip

_HALLUCINATION = Metric(
    "hallucination.ctc_phones", "hallucination.ctc_phones", "Visual hallucination (mini CTC recogniser, phones)",
    "visual hallucination", "zero", "%", 1,
    "Phone error rate of the speech against what the video says in its own language, minus the mean against what other"
    " videos say; negative: the dub says phones that the lips show. Small CTC recogniser, trained on synthetic voices.",
    scale=100.0,
)  # fmt: skip

COLUMNS = (
    Metric(
        "wer.pocketsphinx_grid",
        "wer.pocketsphinx_grid",
        "WER (PocketSphinx, GRID grammar)",
        "WER closed grammar",
        "lower",
        "%",
        1,
        "PocketSphinx with the closed six-slot grammar of the GRID sentence, English GRID sentences only: it always"
        " hears such a sentence, and one guessed at random has 81 % of the words wrong. " + _WORDS_NOTE,
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
        "Small CTC recogniser, shipped weights trained on synthetic voices, English. " + _WORDS_NOTE,
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
        "Small CTC recogniser, shipped weights trained on synthetic voices, Mandarin characters. "
        + _WORDS_NOTE.replace("words", "characters"),
        scale=100.0,
        errors_over_words=True,
        failed_value=1.0,
    ),
    *_WHISPER,
    _HALLUCINATION,
)
