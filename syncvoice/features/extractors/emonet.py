"""Face features of EmoNet, 256 values per frame, as dubbing papers take them (asset emonet_8).

The network sees the whole face, the mouth too. A model with it can read lips through its face condition; `parts: upper`
paints everything below the nose in one grey first, so that a gain of such a model comes from the upper face.
"""

from typing import Any, Literal

import numpy as np

from syncvoice import clocks
from syncvoice.assets import local_asset
from syncvoice.device import resolve_device
from syncvoice.features.crops import Crops
from syncvoice.features.extractors.mesh_face import ALIGN_FRAMES, POSE_POINTS
from syncvoice.features.lip_network import NetworkSettings
from syncvoice.records.clips import Clip
from syncvoice.video.crop import box_transforms
from syncvoice.video.track import Track, similarity_2d, smooth

DIM = 256
# Height of the line in the mean face (`video/track.py`; outer eye distances below the eyes) under which a picture is
# hidden. The nose ends at 0.57 and lips begin at 0.7, but a stored picture is JPEG, whose blocks of 16 pixels smear
# colours of the lips upwards, by 0.4 units in a crop of 112 pixels of a tilted head (our choice, measured in a test).
HIDDEN_BELOW = 0.25
HIDDEN_GREY = 127  # what stands there instead (our choice)


class Settings(NetworkSettings):
    """Which weights see which part of the face.

    Attributes:
        weights: emonet_8.pth or emonet_5.pth; None = where the registry puts it.
        parts: "all" of the face, or its "upper" part.
    """

    network = asset = "emonet_8"
    parts: Literal["all", "upper"] = "all"


class Extractor:
    """(n_frames, 256) float32 at 25 fps."""

    name = "emonet"
    version = "1"
    fps: float | None = float(clocks.FPS)
    dim: int | None = DIM
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Load the network.

        Raises:
            UserError: the file is absent or does not fit, or the device cannot be had.
        """
        from syncvoice.networks.emonet import EmoNet

        found = local_asset("emonet_8", settings.weights)
        self._network = EmoNet.load(found.path, found.asset.ignored_keys).to(resolve_device())
        self.weights_sha256: str | None = found.sha256
        self.settings: dict[str, Any] = settings.model_dump(exclude={"weights"})
        self._parts, self._crops = settings.parts, Crops()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip.

        Raises:
            UserError: the clip has no track, or another number of crops than frames.
        """
        pictures = self._crops.face(clip)
        if self._parts == "upper":
            pictures = without_lower_face(pictures, self._crops.track(clip))
        return self._network.features(pictures).cpu().numpy()


def without_lower_face(pictures: np.ndarray, track: Track) -> np.ndarray:
    """Return face crops whose part below the nose is grey.

    The line follows the head by the points of `mesh_face` alone, so that no movement of the mouth moves it.

    Args:
        pictures: (frames, size, size, 3) uint8, cut by the track's boxes.
        track: of the clip.
    """
    size = pictures.shape[1]
    layout = np.array([point[:2] for point in POSE_POINTS.values()])
    to_face = similarity_2d(smooth(track.landmarks[:, list(POSE_POINTS), :2], ALIGN_FRAMES), layout)
    to_crop = box_transforms(track.box, size)
    # Height y in the mean face is linear in crop pixels: compose crop -> source -> mean face.
    slope = np.einsum("nj,njk->nk", to_face[:, 1, :2], np.linalg.inv(to_crop[:, :, :2]))
    height = to_face[:, 1, 2] - np.einsum("nj,nj->n", slope, to_crop[:, :, 2])
    return np.where((heights(slope, height, size) > HIDDEN_BELOW)[..., None], np.uint8(HIDDEN_GREY), pictures)


def heights(slope: np.ndarray, offset: np.ndarray, size: int) -> np.ndarray:
    """Return slope · (x, y) + offset at every pixel, (frames, size, size)."""
    along = np.arange(size)
    return slope[:, 0, None, None] * along + slope[:, 1, None, None] * along[:, None] + offset[:, None, None]
