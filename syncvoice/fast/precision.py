"""The packed estimator in the arithmetic that suits the device (`syncvoice.device` decides)."""

import torch

from syncvoice.device import resolve_precision
from syncvoice.fast.packed import PackedEstimator
from syncvoice.model.zipformer import TTSZipformer
from syncvoice.model.zipvoice import ZipVoice

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def prepare_for_sampling(model: ZipVoice, precision: str = "auto") -> ZipVoice:
    """Replace the model's estimator by its packed form, in place, and return the model.

    Call it when the weights are loaded and the model is where it shall stay: afterwards it samples only (no gradients,
    no state dict of the estimator, no move to another device).

    Args:
        model: the backbone.
        precision: "fp32", "bf16" or "auto" (see `syncvoice.device`).
    """
    if isinstance(model.fm_decoder, TTSZipformer):
        dtype = DTYPES[resolve_precision(precision, model.embed.weight.device.type)]
        model.fm_decoder = PackedEstimator(model.fm_decoder, dtype)
    return model.eval()
