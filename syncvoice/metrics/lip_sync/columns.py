"""Titles, units, directions and captions of the lip-sync metrics, in table order."""

from syncvoice.metrics.metric import Direction, Metric

_LSE_NOTE = (
    "Small SyncNet on prepared mouth crops, vshift 15, audio embeddings zero-padded as in the reference code; not"
    " comparable with values of SyncNet v2."
)


def _lse_v2(protocol: str, title: str, note: str) -> tuple[Metric, ...]:
    """Return the four metrics of one protocol of SyncNet v2 (see `syncnet_v2`)."""
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
)
