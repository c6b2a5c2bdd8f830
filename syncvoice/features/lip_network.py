"""What lip features of public lip-reading networks share: they read the stored mouth crops, clip by clip.

The crops are the project's own (`video/crop.py`): the mouth of a face turned upright and scaled to one size, cut 96
pixels wide around the lips like the reference's, but placed by a mesh instead of 68 points.
"""

from typing import Any, ClassVar

import numpy as np

from syncvoice import clocks
from syncvoice.device import resolve_device
from syncvoice.features.base import ExtractorSettings
from syncvoice.features.crops import Crops
from syncvoice.records.clips import Clip


class NetworkSettings(ExtractorSettings):
    """Where the published file lies; None = where the registry puts it. The device (`syncvoice.device`) is no setting:
    a model that learned with features made on a card dubs on a CPU too, where their last bits differ.
    """

    uses_card: ClassVar[bool] = True

    weights: str | None = None


class NetworkLip:
    """A network with `features(pictures)`, run clip by clip so that no clip sees another."""

    name: str
    version = "1"
    fps: float | None = float(clocks.FPS)
    dim: int | None
    settings: dict[str, Any]
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, network: Any, weights_sha256: str, settings: NetworkSettings) -> None:
        """Keep a loaded network and the digest of its file; the key names weights by digest, not by place."""
        self.network = network.to(resolve_device())
        self.settings = settings.model_dump(exclude={"weights"})
        self.weights_sha256: str | None = weights_sha256
        self._crops = Crops()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip, (n_frames, dim) float32.

        Raises:
            UserError: the clip has no track, or its crops do not fit.
        """
        from syncvoice.networks.lip_frontend import CROP

        return self.from_mouth(self._crops.mouth(clip, CROP))

    def from_mouth(self, pictures: np.ndarray) -> np.ndarray:
        """Return the feature of grey mouth crops (n_frames, 96, 96) uint8, for clips outside any manifest."""
        return self.network.features(pictures).cpu().numpy()
