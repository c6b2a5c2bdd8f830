"""Choice of arithmetic: bfloat16 where the hardware multiplies it faster, float32 elsewhere."""

import torch

from syncvoice.fast.packed import PackedEstimator
from syncvoice.model.zipformer import TTSZipformer
from syncvoice.model.zipvoice import ZipVoice

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def resolve_precision(precision: str) -> str:
    """Return "fp32" or "bf16"; "auto" is bf16 on a GPU or CPU with bfloat16 instructions, fp32 elsewhere.

    Results of the two differ slightly (about 1 % of a feature's spread), so "auto" is reproducible on one kind of
    machine.
    """
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bf16" if fast else "fp32"


def prepare_for_sampling(model: ZipVoice, precision: str = "auto") -> ZipVoice:
    """Replace the model's estimator by its packed form, in place, and return the model.

    Call it when the weights are loaded and the model is where it shall stay: afterwards it samples only (no gradients,
    no state dict of the estimator, no move to another device).

    Args:
        model: the backbone.
        precision: "fp32", "bf16" or "auto" (see `resolve_precision`).
    """
    if isinstance(model.fm_decoder, TTSZipformer):
        model.fm_decoder = PackedEstimator(model.fm_decoder, DTYPES[resolve_precision(precision)])
    return model.eval()
