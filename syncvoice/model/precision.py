"""Choice of arithmetic: bfloat16 where the hardware multiplies it faster, float32 elsewhere."""

import torch


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
