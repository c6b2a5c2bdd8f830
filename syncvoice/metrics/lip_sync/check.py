"""May a SyncNet score a table? Its check on ground truth that it has not seen.

The three shares (design of the project; each must reach 95 %):

offset_within_1   clips whose own sound is found at an offset of at most one frame.
own_beats_other   pairs in which a clip's own sound has a smaller LSE-D than the sound of another clip.
delays_recovered  of all clips and delays of -8 .. +8 frames: the offset that was found is the one that was made, within
                  one frame.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.metrics.lip_sync.distances import SAMPLES_PER_FRAME_16K, embed_lips, score_embeddings
from syncvoice.metrics.lip_sync.syncnet_mini import mouth_frames
from syncvoice.metrics.scorer import NotApplicable, ScoreError, read_16k

if TYPE_CHECKING:
    from syncvoice.networks.syncnet import SyncNet
    from syncvoice.records.clips import Clip

log = logging.getLogger(__name__)

DELAYS = tuple(range(-8, 9))
THRESHOLD = 0.95


@dataclass
class SyncClip:
    """Lips and sound of one clip: frames (frames, size, size) grey uint8, audio (samples,) float32 at 16 kHz."""

    name: str
    frames: np.ndarray
    audio: np.ndarray


@dataclass(frozen=True)
class SyncCheck:
    """Shares (0 to 1) of the check, the number of clips they rest on, and mean scores of own and of other sounds."""

    clips: int
    offset_within_1: float
    own_beats_other: float
    delays_recovered: float
    lse_d: float
    lse_c: float
    lse_d_other: float
    lse_c_other: float

    @property
    def passed(self) -> bool:
        """Whether all three shares reach 95 %."""
        return min(self.offset_within_1, self.own_beats_other, self.delays_recovered) >= THRESHOLD

    def as_dict(self) -> dict[str, Any]:
        """Figures as they stand in JSON files, rounded to six digits, with the verdict and its thresholds."""
        figures = {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(self).items()}
        return {**figures, "passed": self.passed, "threshold": THRESHOLD, "delays": [DELAYS[0], DELAYS[-1]]}


def sync_clips(clips: Iterable["Clip"], size: int) -> list[SyncClip]:
    """Read the lips and sound of prepared clips; those without mouth crops are logged and left out.

    Args:
        clips: manifest entries.
        size: height and width of a lip image.
    """
    found = []
    for clip in clips:
        try:
            found.append(SyncClip(clip.id, mouth_frames(clip, size), read_16k(clip.audio)))
        except (NotApplicable, ScoreError, UserError) as error:
            log.warning("%s left out: %s", clip.id, error)
    return found


def delayed(audio: np.ndarray, frames: int) -> np.ndarray:
    """Delay a sound at 16 kHz by video frames (negative: let it lead); the length stays, zeros fill the gap."""
    shift = frames * SAMPLES_PER_FRAME_16K
    moved = np.zeros_like(audio)
    if shift >= 0:
        moved[shift:] = audio[: max(0, len(audio) - shift)]
    else:
        moved[: len(audio) + shift] = audio[-shift:]
    return moved


def syncnet_check(network: "SyncNet", clips: Sequence[SyncClip], delays: Iterable[int] = DELAYS) -> SyncCheck:
    """Check a network on ground truth; a pair is a clip and the sound of the next clip of the list.

    Args:
        network: in evaluation mode.
        clips: mouth crops of the network's size and their sound.
        delays: frames by which the sound is delayed; the offset should be minus the delay.

    Raises:
        UserError: fewer than two clips.
    """
    if len(clips) < 2:
        raise UserError(f"the SyncNet check needs at least two clips, found {len(clips)}")
    own, other, recovered = [], [], []
    delays = tuple(delays)
    for index, clip in enumerate(clips):
        lips = embed_lips(network, clip.frames)
        own.append(score_embeddings(lips, network, clip.audio))
        other.append(score_embeddings(lips, network, clips[(index + 1) % len(clips)].audio))
        offsets = [score_embeddings(lips, network, delayed(clip.audio, delay)).offset for delay in delays]
        recovered += [abs(offset + delay) <= 1 for offset, delay in zip(offsets, delays, strict=True)]
    return SyncCheck(
        clips=len(clips),
        offset_within_1=float(np.mean([result.in_sync for result in own])),
        own_beats_other=float(np.mean([mine.lse_d < wrong.lse_d for mine, wrong in zip(own, other, strict=True)])),
        delays_recovered=float(np.mean(recovered)),
        lse_d=float(np.mean([result.lse_d for result in own])),
        lse_c=float(np.mean([result.lse_c for result in own])),
        lse_d_other=float(np.mean([result.lse_d for result in other])),
        lse_c_other=float(np.mean([result.lse_c for result in other])),
    )
