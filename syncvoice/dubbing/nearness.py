"""How near is a dub's voice to the recording? By a network that did not choose the voice."""

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.dubbing.model import DEFAULT_WEIGHTS
from syncvoice.errors import UserError
from syncvoice.places import find_path


def nearness(reference: np.ndarray, speech: np.ndarray) -> str:
    """Return a sentence about the likeness of two voices (samples,) at 24 kHz, by the project's small CAM++."""
    import torch

    from syncvoice.networks.camplus import CAMPPlus, fbank

    try:
        encoder = CAMPPlus.load(find_path(DEFAULT_WEIGHTS["speaker_encoder"])).eval()
    except UserError:
        return "likeness to the recording is not known: no second speaker network is there"
    with torch.inference_mode():
        first, second = (
            encoder(torch.as_tensor(fbank(resample(sound, clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE)))[None])[0]
            for sound in (np.asarray(reference, np.float32), np.asarray(speech, np.float32))
        )
    cosine = float(torch.nn.functional.cosine_similarity(first, second, dim=0))
    return (
        f"likeness to the recording {cosine:.2f} (cosine by the project's small CAM++, which did not choose the voice)"
    )
