"""Direction tests on real GRID clips with the shipped small SyncNet, which has seen rendered faces only.

It is weak on real faces, clip by clip; over ten clips the directions must hold. They are skipped without the clips.
"""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import resample
from syncvoice.metrics.lip_sync.check import delayed
from syncvoice.metrics.lip_sync.distances import LipSync, embed_lips, score_embeddings
from syncvoice.metrics.lip_sync.syncnet_mini import mouth_of_video, shrink
from syncvoice.networks.syncnet import SyncNet
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import real_data

WEIGHTS = Path(__file__).parents[2] / "weights" / "syncnet.safetensors"
CLIPS = 10


class RealClips:
    """Embedded lips and sounds of ten clips of one speaker."""

    def __init__(self, videos: list[Path]) -> None:
        self.network = SyncNet.load(WEIGHTS)
        self.lips = [embed_lips(self.network, shrink(mouth_of_video(video), 48)) for video in videos]
        self.sounds = [resample(read_sound(video, 0.0), 24_000, 16_000) for video in videos]

    def scores(self, delay: int = 0, other: int = 0) -> list[LipSync]:
        """Scores with the sound delayed by frames, or with that of the clip `other` places before."""
        return [
            score_embeddings(lips, self.network, delayed(self.sounds[index - other], delay))
            for index, lips in enumerate(self.lips)
        ]


@pytest.fixture(scope="module")
def clips() -> RealClips:
    videos = sorted(real_data("grid").glob("s1/*.mpg"))[::24][:CLIPS]
    if len(videos) < CLIPS or not WEIGHTS.exists():
        pytest.skip("real GRID clips or weights/syncnet.safetensors are not there")
    return RealClips(videos)


def test_sound_of_another_clip_scores_worse(clips: RealClips) -> None:
    own, other = clips.scores(), clips.scores(other=1)
    assert np.mean([s.lse_d for s in own]) < np.mean([s.lse_d for s in other])
    assert np.mean([s.lse_c for s in own]) > np.mean([s.lse_c for s in other])


@pytest.mark.parametrize("delay", [-4, 4])
def test_delay_of_k_frames_lowers_the_offset_by_k(clips: RealClips, delay: int) -> None:
    before, after = (float(np.median([s.offset for s in clips.scores(d)])) for d in (0, delay))
    assert abs(before) <= 1
    assert abs(after - before + delay) <= 1


def test_most_clips_are_found_in_sync(clips: RealClips) -> None:
    assert np.mean([score.in_sync for score in clips.scores()]) >= 0.7
