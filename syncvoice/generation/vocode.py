"""Mel features to sound of exactly the video's length."""

from typing import TYPE_CHECKING

from syncvoice import clocks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from syncvoice.model.vocoder import Vocoder


def decode(vocoder: "Vocoder", mel: "Tensor", n_frames: int) -> "np.ndarray":
    """Vocode features (T, 100), on the vocoder's device, to exactly 960 * n_frames samples, float32."""
    import torch

    with torch.inference_mode():
        return vocoder.decode(mel[None], clocks.samples(n_frames))[0].cpu().numpy()
