"""The tracked face of a clip, for rows whose words are timed by its mouth."""

from typing import TYPE_CHECKING

from syncvoice.errors import UserError

if TYPE_CHECKING:
    from syncvoice.lip_timing.timing import Face
    from syncvoice.records.clips import Clip


def face_of(clip: "Clip") -> "Face":
    """Return the mesh of a clip.

    Raises:
        UserError: the clip has no tracked face.
    """
    from syncvoice.lip_timing.timing import Face
    from syncvoice.video.store import TrackReader

    if clip.track is None:
        raise UserError(f"clip '{clip.id}' has no tracked face; lips cannot time it")
    with TrackReader(clip.track) as tracks:
        track = tracks.track(clip.id)
    return Face(track.landmarks, track.found)
