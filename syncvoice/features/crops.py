"""Mouth and face pictures of clips from track shards, for extractors that are networks on pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.records.clips import Clip

if TYPE_CHECKING:
    from syncvoice.video.track import Track


class Crops:
    """Stored pictures of clips; the last track shard stays open.

    A clip's pictures are read at once: as bytes they are small (7 MB for 30 s of mouths, 28 MB of faces); networks
    take them in chunks.
    """

    def __init__(self) -> None:
        """Open nothing."""
        self._path: Path | None = None
        self._reader: Any = None

    def mouth(self, clip: Clip, smallest: int) -> np.ndarray:
        """Return grey mouth crops (n_frames, size, size) uint8.

        Raises:
            UserError: the clip has no track, or its crops are smaller than `smallest` pixels or of another number.
        """
        pictures = self._checked(clip, self._of(clip).mouth(clip.id))
        if min(pictures.shape[1:]) < smallest:
            raise UserError(
                f"mouth crops of clip '{clip.id}' are {pictures.shape[2]} pixels wide, the network needs {smallest}; "
                "set prepare.mouth_size of the study to 96"
            )
        return pictures

    def face(self, clip: Clip) -> np.ndarray:
        """Return RGB face crops (n_frames, size, size, 3) uint8.

        Raises:
            UserError: the clip has no track, or its crops are of another number.
        """
        return self._checked(clip, self._of(clip).face(clip.id))

    def track(self, clip: Clip) -> "Track":
        """Return the track that the crops were cut by.

        Raises:
            UserError: the clip has no track.
        """
        found: Track = self._of(clip).track(clip.id)
        return found

    def _checked(self, clip: Clip, pictures: np.ndarray) -> np.ndarray:
        """Return the pictures if there is one per frame.

        Raises:
            UserError: there are more or fewer.
        """
        if len(pictures) != clip.n_frames:
            raise UserError(
                f"clip '{clip.id}' has {len(pictures)} crops in {clip.track}, the manifest says {clip.n_frames}; run "
                "the prepare step again"
            )
        return pictures

    def _of(self, clip: Clip) -> Any:
        """Return the reader of a clip's track shard.

        Raises:
            UserError: the clip has no track.
        """
        from syncvoice.video.store import TrackReader

        if clip.track is None:
            raise UserError(f"clip '{clip.id}' has no tracked face, so no pictures of it; use a clip with video")
        if clip.track != self._path:
            if self._reader is not None:
                self._reader.close()
            self._reader, self._path = TrackReader(clip.track), clip.track
        return self._reader
