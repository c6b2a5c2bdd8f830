"""Lip features of the ResNet-18 that reads words of LRW (asset lrw_resnet18)."""

from typing import Literal

from syncvoice.assets import local_asset
from syncvoice.features.lip_network import NetworkLip, NetworkSettings

DIM = 512


class Settings(NetworkSettings):
    """Where the file lies, and what its configuration says.

    Attributes:
        activation: swish (current public configurations) or relu; prelu weights are recognised.
    """

    network = asset = "lrw_resnet18"
    activation: Literal["swish", "relu", "prelu"] = "swish"


class Extractor(NetworkLip):
    """(n_frames, 512) float32 at 25 fps."""

    name = "lrw_resnet18"
    dim: int | None = DIM

    def __init__(self, settings: Settings) -> None:
        """Load the network.

        Raises:
            UserError: the file is absent or does not fit, or the device cannot be had.
        """
        from syncvoice.networks.lip_frontend import LipFrontEnd

        found = local_asset("lrw_resnet18", settings.weights)
        network = LipFrontEnd.load(found.path, settings.activation, found.asset.ignored_keys)
        super().__init__(network, found.sha256, settings)
