"""Lip features of public lip-reading networks, from the stored mouth crops.

The crops are the project's own (`video/crop.py`): the mouth of a face turned upright and scaled to one size, cut 96
pixels wide around the lips like the reference's, but placed by a mesh instead of 68 points.
"""

from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.assets import local_asset
from syncvoice.errors import UserError
from syncvoice.features.crops import Crops
from syncvoice.networks.lip_frontend import ACTIVATIONS, CROP, DIM, LipFrontEnd
from syncvoice.records.clips import Clip


class NetworkLip:
    """What both networks share: a network with `features(pictures)`, run clip by clip so that no clip sees another."""

    name: str
    version = "1"
    fps: float | None = float(clocks.FPS)
    dim: int | None
    settings: dict[str, Any]
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, network: Any, weights_sha256: str, device: str) -> None:
        """Keep a loaded network and the digest of its file."""
        self.network = network.to(device)
        self.weights_sha256: str | None = weights_sha256
        self._crops = Crops()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip, (n_frames, dim) float32.

        Raises:
            UserError: the clip has no track, or its crops do not fit.
        """
        return self.from_mouth(self._crops.mouth(clip, CROP))

    def from_mouth(self, pictures: np.ndarray) -> np.ndarray:
        """Return the feature of grey mouth crops (n_frames, 96, 96) uint8, for clips outside any manifest."""
        return self.network.features(pictures).cpu().numpy()


class LrwLip(NetworkLip):
    """Feature `lip`: (n_frames, 512) float32 at 25 fps of the LRW ResNet-18 (asset lrw_resnet18)."""

    name = "lrw_resnet18"
    dim: int | None = DIM

    def __init__(self, weights: str | None = None, activation: str = "swish", device: str = "cpu") -> None:
        """Load the network.

        Args:
            weights: the published file; None = where the registry puts it.
            activation: swish (current public configurations) or relu; prelu weights are recognised.
            device: cpu or cuda; part of the cache key, as the last bits differ.

        Raises:
            UserError: the file is absent or does not fit, or activation or device cannot be had.
        """
        check_device(device)
        if activation not in ACTIVATIONS:
            raise UserError(f"activation of {self.name} is {activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        found = local_asset("lrw_resnet18", weights)
        self.settings = {"activation": activation, "device": device}
        super().__init__(LipFrontEnd.load(found.path, activation, found.asset.ignored_keys), found.sha256, device)


class AVHubertLip(NetworkLip):
    """Feature `lip`: (n_frames, 1024) float32 at 25 fps of AV-HuBERT large, video only (asset avhubert_large)."""

    name = "av_hubert"

    def __init__(self, weights: str | None = None, device: str = "cpu") -> None:
        """Load the network.

        Args:
            weights: the published checkpoint; None = where the registry puts it.
            device: cpu or cuda; part of the cache key, as the last bits differ.

        Raises:
            UserError: the file is absent or does not fit, or the device cannot be had.
        """
        from syncvoice.networks.av_hubert import AVHubert

        check_device(device)
        found = local_asset("avhubert_large", weights)
        network = AVHubert.load(found.path, found.asset.ignored_keys)
        self.settings, self.dim = {"device": device}, network.dim
        super().__init__(network, found.sha256, device)


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        UserError: neither cpu nor a CUDA device that is there.
    """
    import torch

    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"device of a visual feature is {device!r}, which is not to be had here; choose cpu")
