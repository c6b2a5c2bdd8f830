"""Lips of clips, embedded once for all rows of a study: what a scorer reads instead of looking at the video again.

A shard of the feature cache (`features.cache`) holds one entry per clip: (windows, embedding) float32, where row k is
the window that begins at video frame k and rows before the face track are NaN; or, for a clip that cannot be scored,
the sentence that says why, as bytes. The header names scorer, version and weights, so that another network's lips, or
other crops, are refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.errors import ChangedFile, raise_if_passing
from syncvoice.features.base import Key
from syncvoice.features.cache import FeatureStore, write_shard
from syncvoice.metrics.lip_sync.distances import Lips, LipSyncScorer
from syncvoice.metrics.scorer import NotApplicable, ScoreError, unforeseen

if TYPE_CHECKING:
    from syncvoice.records.clips import Clip

SOURCE_FIELDS = ("track_sha256",)  # the digest of a clip's picture in a manifest


class SeenLips:
    """Lips by clip, from shards.

    Raises:
        UserError: a shard is missing, unreadable, or was made by another scorer, version or weights.
    """

    def __init__(self, paths: Sequence[Path], scorer: LipSyncScorer) -> None:
        """Open shards that `scorer` made."""
        self._store = FeatureStore(paths, key_of(scorer))

    def check(self, clips: Iterable["Clip"]) -> None:
        """Refuse shards that lack a clip with a picture, or saw another picture of it.

        Raises:
            UserError: names the first such clip.
        """
        self._store.check(clip for clip in clips if clip.video is not None)

    def lips(self, clip_id: str) -> Lips:
        """Return the lips of a clip.

        Raises:
            ScoreError: they could not be embedded; says why.
            ChangedFile: the values are not those that were written.
        """
        values = self._store[clip_id]
        if values.ndim == 1:
            raise ScoreError(values.tobytes().decode())
        start = int(np.isnan(values[:, 0]).sum())
        return Lips(values[start:], start)


def key_of(scorer: LipSyncScorer) -> Key:
    """Return what a scorer's lips depend on beside the clip."""
    return {
        "scorer": scorer.NAME,
        "version": scorer.VERSION,
        "weights_sha256": scorer.weights_sha256,
        "source_fields": list(SOURCE_FIELDS),
    }


def write_lips(path: Path, scorer: LipSyncScorer, clips: Iterable["Clip"]) -> None:
    """Embed the lips of clips that have a picture, and write them as a shard.

    Raises:
        OSError: the system could not read or write.
    """
    from tqdm import tqdm

    ordered = sorted((clip for clip in clips if clip.video is not None), key=lambda clip: clip.id)

    def items() -> Iterator[tuple[str, np.ndarray, str]]:
        """One entry per clip."""
        for clip in tqdm(ordered, scorer.NAME, unit="clip", mininterval=5):
            yield clip.id, _seen_of(scorer, clip.id), clip.digest(*SOURCE_FIELDS)

    write_shard(path, key_of(scorer), items())


def _seen_of(scorer: LipSyncScorer, clip_id: str) -> np.ndarray:
    """Lips of a clip as they are stored, or the sentence that says why there are none."""
    try:
        lips = scorer.lips(clip_id)
    except (NotApplicable, ScoreError) as problem:
        return _as_bytes(str(problem))
    except ChangedFile:
        raise
    except Exception as error:  # whatever it is, it concerns this clip only
        raise_if_passing(error)
        return _as_bytes(str(unforeseen(error)))
    return np.pad(lips.embeddings.astype(np.float32), ((lips.start, 0), (0, 0)), constant_values=np.nan)


def _as_bytes(text: str) -> np.ndarray:
    """Return a text as (bytes,) uint8."""
    return np.frombuffer(text.encode(), np.uint8)
