"""Lip features of AV-HuBERT large, video only (asset avhubert_large)."""

from syncvoice.assets import local_asset
from syncvoice.features.lip_network import NetworkLip, NetworkSettings


class Settings(NetworkSettings):
    """Where the file lies and where the network runs."""

    network = asset = "avhubert_large"


class Extractor(NetworkLip):
    """(n_frames, 1024) float32 at 25 fps."""

    name = "av_hubert"

    def __init__(self, settings: Settings) -> None:
        """Load the network.

        Raises:
            UserError: the file is absent or does not fit, or the device cannot be had.
        """
        from syncvoice.networks.av_hubert import AVHubert

        found = local_asset("avhubert_large", settings.weights)
        network = AVHubert.load(found.path, found.asset.ignored_keys)
        self.dim: int | None = network.dim
        super().__init__(network, found.sha256, settings)
