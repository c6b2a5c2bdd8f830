"""The columns of all tables, in table order: title, unit, direction and caption of every metric."""

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


_LSE_NOTE = (
    "Small SyncNet on prepared mouth crops, vshift 15, audio embeddings zero-padded as in the reference code; not"
    " comparable with values of SyncNet v2."
)


def _lse_v2(protocol: str, title: str, note: str) -> tuple[Metric, ...]:
    """Return the four metrics of one protocol of SyncNet v2 (see `lip_sync_v2`)."""
    scorer = f"syncnet_v2.{protocol}"
    note = f" SyncNet v2, {note}; vshift 15, audio embeddings zero-padded as in the reference code."
    rows: tuple[tuple[str, str, Direction, str, str], ...] = (
        ("lse_d", "LSE-D", "lower", "", "Smallest mean distance of lip and sound embeddings over delays."),
        ("lse_c", "LSE-C", "higher", "", "Median minus smallest mean distance over delays."),
        ("offset", "Offset", "zero", "frames", "Delay of the smallest distance; positive: the sound leads."),
        ("in_sync", "In sync, |offset| <= 1 frame", "higher", "%", "Share of clips that a delay would not improve."),
    )
    return tuple(
        Metric(
            f"{name}.{scorer}",
            f"lse.{scorer}",
            f"{label} (SyncNet v2, {title})",
            f"{label.split(',')[0]} v2 {protocol}",
            direction,
            unit,
            1 if unit == "%" else 2,
            caption + note,
            scale=100.0 if unit == "%" else 1.0,
            failed_value=0.0 if unit == "%" else None,
        )
        for name, label, direction, unit, caption in rows
    )


_WORDS_NOTE = "Corpus rate: all errors over all words; a failed clip counts as all wrong."
_DNSMOS_NOTE = "DNSMOS P.835 networks of the package speechmos, 16 kHz, windows of 9.01 s, short clips repeated."


def _whisper(scorer: str, title: str, protocol: str, file: str = "", mandarin: bool = False) -> Metric:
    """Return a metric of one of the three published protocols (see `wer_protocols`)."""
    kind, protocol_name = ("CER" if mandarin else "WER"), protocol.replace("_", "-")
    corpus = protocol == "corpus"
    notes = {
        "styledubber": "Mean over clips of the errors over the words of the transcript, as the published code divides"
        " them; a clip with an empty transcript has no value.",
        "corpus": _WORDS_NOTE.replace("words", "characters" if mandarin else "words"),
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


_SEED_TTS = "wer.whisper_large_v3.seed_tts"
_WHISPER = (
    _whisper("whisper_base", "Whisper base", "styledubber"),
    _whisper("whisper_base", "Whisper base", "corpus"),
    _whisper("whisper_base", "Whisper base", "corpus", mandarin=True),
    _whisper("whisper_large_v3", "Whisper large-v3", "styledubber"),
    _whisper("whisper_large_v3", "Whisper large-v3", "corpus"),
    _whisper("whisper_large_v3", "Whisper large-v3", "corpus", mandarin=True),
    _whisper("whisper_large_v3", "Whisper large-v3", "seed_tts", _SEED_TTS),
    _whisper("whisper_large_v3", "Whisper large-v3", "seed_tts", _SEED_TTS, mandarin=True),
)


def _similarity(scorer: str, title: str, note: str) -> tuple[Metric, Metric]:
    """Return both similarities of one speaker network (see `speaker_similarity`)."""
    own = "of embeddings of the generated speech and of the original reference recording."
    other = "of embeddings of the generated speech and of the reference recordings of all other voices of the same sex."
    file = f"sim_o.{scorer}"
    return (
        Metric(file, file, f"SIM-o ({title})", f"SIM-o {title}", "higher", "", 3, f"Cosine {own} {note}"),
        Metric(
            f"sim_o_other.{scorer}", file, f"SIM to other voices ({title})", f"SIM other {title}", "lower", "", 3,
            f"Mean cosine {other} {note}",
        ),
    )  # fmt: skip


_CAMPPLUS_NOTE = "No measure for models that are conditioned on this network; such a study is refused."
_SIMILARITIES = (
    *_similarity("wavlm_ecapa", "WavLM large", "The SIM-o of ZipVoice and Seed-TTS-eval."),
    *_similarity("ge2e_dvector", "GE2E d-vector", "The SPK-SIM of StyleDubber."),
    *_similarity("campplus_zh_en", "CAM++ zh-en", _CAMPPLUS_NOTE),
    *_similarity("campplus_voxceleb", "CAM++ VoxCeleb", _CAMPPLUS_NOTE),
    *_similarity("campplus_mini", "mini CAM++", "Trained on espeak voices. " + _CAMPPLUS_NOTE),
)
_FORCED = "Generated speech and the clip's own sound, both aligned to the script by the mini CTC recogniser. "
_WARPED = "After dynamic time warping to the clip's own sound. "
_AGAINST_THE_CLIP = (
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
    Metric("phone_time_error.ctc_forced", "timing.ctc_forced", "Phone time error (CTC, both sounds aligned)",
           "phone time error", "lower", "ms", 0, _FORCED + "Mean absolute difference of the phone start times."),
    Metric("speech_rate_error.ctc_forced", "timing.ctc_forced", "Speech rate error (CTC, both sounds aligned)",
           "speech rate error", "lower", "%", 1, _FORCED + "Relative difference of phones per second without pauses.",
           scale=100.0),
    Metric("duration_error.ctc_forced", "timing.ctc_forced", "Duration error (CTC, both sounds aligned)",
           "duration error", "lower", "ms", 0, _FORCED + "Difference of the time from the first to the last phone."),
)  # fmt: skip
_UTMOS = Metric(
    "mos.utmos_strong", "mos.utmos_strong", "UTMOS (strong learner)", "UTMOS", "higher", "MOS", 2,
    "Predicted naturalness, about 1 to 5: UTMOS22 strong learner, weights of SpeechMOS.",
)  # fmt: skip

COLUMNS = (
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
    *_lse_v2("lrs", "whole frames", "whole frames of videos that are cropped to the face"),
    *_lse_v2("tracked", "S3FD tracks", "face boxes by S3FD, tracked and cropped as published"),
    *_lse_v2("tracked_mediapipe", "MediaPipe tracks", "face boxes by MediaPipe; not comparable with S3FD boxes"),
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
        "Small CTC recogniser, shipped weights trained on espeak voices, English. " + _WORDS_NOTE,
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
        "Small CTC recogniser, shipped weights trained on espeak voices, Mandarin characters. "
        + _WORDS_NOTE.replace("words", "characters"),
        scale=100.0,
        errors_over_words=True,
        failed_value=1.0,
    ),
    *_WHISPER,
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
    *_SIMILARITIES,
    _UTMOS,
    *_AGAINST_THE_CLIP,
)
