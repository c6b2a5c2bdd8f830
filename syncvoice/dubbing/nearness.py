"""How near is a dub's voice to the recording? By a network that did not choose the voice."""

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.dubbing.model import DEFAULT_WEIGHTS
from syncvoice.errors import UserError
from syncvoice.places import find_path


def nearness(reference: np.ndarray, speech: np.ndarray) -> str:
    """Return a sentence about the likeness of two voices (samples,) at 24 kHz.

    The d-vector network tells if its weights are there, else the project's small speaker encoder.
    """
    sounds = [
        resample(np.asarray(sound, np.float32), clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE)
        for sound in (reference, speech)
    ]
    for name, embed in (("d-vector", _by_dvector), ("the project's small speaker encoder", _by_small_encoder)):
        try:
            first, second = (embed(sound) for sound in sounds)
        except UserError:
            continue
        cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
        return f"likeness to the recording {cosine:.2f} (cosine by {name}, which did not choose the voice)"
    return "likeness to the recording is not known: no second speaker network is there"


def _by_dvector(sound: np.ndarray) -> np.ndarray:
    """Embedding of 16 kHz sound.

    Raises:
        UserError: the weights are missing, or there is no voice.
    """
    from syncvoice.assets import local_asset
    from syncvoice.metrics.scorer import ScoreError
    from syncvoice.metrics.voice.dvector import ASSET, DvectorEncoder
    from syncvoice.records.weights import read_state_dict

    found = local_asset(ASSET)
    try:
        return DvectorEncoder(read_state_dict(found.path), found.sha256).embed(sound)
    except ScoreError as error:
        raise UserError(str(error)) from error


def _by_small_encoder(sound: np.ndarray) -> np.ndarray:
    """Embedding of 16 kHz sound."""
    import torch

    from syncvoice.networks.camplus import CAMPPlus, fbank

    encoder = CAMPPlus.load(find_path(DEFAULT_WEIGHTS["speaker_encoder"])).eval()
    with torch.inference_mode():
        return encoder(torch.as_tensor(fbank(sound))[None])[0].numpy()
