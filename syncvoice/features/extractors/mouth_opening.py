"""How far the mouth is open, moving no faster than syllables do: when somebody speaks, and little of what.

Our choice, for the study `questions`: lip shapes of one language spell phones that another language's text does not
have. The gap between the lips below 6 Hz keeps pauses, onsets and the beat of the syllables.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from syncvoice import clocks
from syncvoice.features.base import ExtractorSettings
from syncvoice.features.mesh import MESH, MeshExtractor, align, standardised, with_differences
from syncvoice.features.mouth import ALIGN_FRAMES, OPENING, raw_lip_values
from syncvoice.video.track import STABLE_POINTS

DIFFERENCE = 0.025  # standard deviation of the gap's difference per frame, as in `mesh_lip`


class Settings(ExtractorSettings):
    """`highest_hz`: movement at this frequency is left with half of its size, faster movement with less."""

    network = MESH
    highest_hz: Annotated[float, Field(gt=0)] = 6.0


class Extractor(MeshExtractor):
    """(n_frames, 2) float32 at 25 fps: the gap between the lips, smoothed, and its central difference per frame."""

    name = "mouth_opening"
    version = "1"
    dim: int | None = 2

    def from_landmarks(self, landmarks: np.ndarray) -> np.ndarray:
        """Return the feature of landmarks (n_frames, 478, 3) in pixels, for clips outside any manifest."""
        from scipy.ndimage import gaussian_filter1d

        gap = raw_lip_values(align(landmarks, STABLE_POINTS, ALIGN_FRAMES))[:, :1]
        sigma = clocks.FPS * np.sqrt(2 * np.log(2)) / (2 * np.pi * self.settings["highest_hz"])  # gain 1/2 there
        values = with_differences(gaussian_filter1d(gap, sigma, axis=0, mode="nearest"))
        mean, deviation = OPENING
        return standardised(values, np.array([mean, 0.0]), np.array([deviation, DIFFERENCE]))
