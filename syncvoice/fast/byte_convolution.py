"""A convolution of byte pictures with weights of 8 or 15 bits, for inference on a processor.

Processors with VNNI instructions multiply bytes about four times as fast as float32. Decoded pictures are bytes, so
nothing is lost on their side, and the sums are exact. On the side of the weights rounding is what costs: the error of
one weight is handed on to the next one of the same kernel (error diffusion, our choice), so that smooth pictures, which
is what cameras see, meet nearly the exact sum; and the bias is set right for a picture of even grey. A second set of
bytes can hold what the first one left.
"""

from typing import Any

import torch
from torch import Tensor

LEVELS = 127  # of a weight, to both sides of 0
GREY = 128.0  # brightness for which the bias makes good what rounding changed


def available() -> bool:
    """Whether this machine multiplies bytes fast; elsewhere sums of products could even overflow."""
    return bool(torch.cpu._is_vnni_supported())


def diffused(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round weights to whole numbers, each error carried on to the next weight of the same input and output channel.

    Args:
        weight: (out, in, frames, height, width).

    Returns:
        whole numbers within +-127 of the same shape, and the step of every output channel (out,), both float32:
        weight is about whole number times step.
    """
    step = weight.abs().flatten(1).amax(1).clamp_min(torch.finfo(torch.float32).tiny) / LEVELS
    scaled = weight / step[:, None, None, None, None]
    whole, error = torch.empty_like(scaled), torch.zeros_like(scaled[:, :, 0, 0, 0])
    frames, height, width = weight.shape[2:]
    for frame in range(frames):
        for row in range(height):  # there and back, so that neighbours in the order are neighbours in the picture
            for column in range(width) if row % 2 == 0 else range(width - 1, -1, -1):
                wanted = scaled[:, :, frame, row, column] + error
                rounded = wanted.round().clamp(-LEVELS, LEVELS)
                error = wanted - rounded
                whole[:, :, frame, row, column] = rounded
    return whole, step


class ByteConvolution:
    """Convolution without padding, and rectifier, of byte pictures."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, terms: int) -> None:
        """Round the weights.

        Args:
            weight: (out, in, frames, height, width); channels of the input are (frames in).
            bias: (out,).
            stride: along height and width.
            terms: 1 keeps 8 bits of the weights and gives bfloat16, 2 keep 15 and give float32.
        """
        self._where = ([stride, stride], [0, 0], [1, 1], 1)
        self._dtype = torch.bfloat16 if terms == 1 else torch.float32
        self._zero = torch.zeros(len(weight), dtype=torch.int64)
        self._terms: list[tuple[Tensor, Tensor]] = []
        rest = weight.float()
        for _ in range(terms):
            whole, step = diffused(rest)
            rest = rest - whole * step[:, None, None, None, None]
            kernel = whole.transpose(1, 2).flatten(1, 2).to(torch.int8)
            self._terms.append((torch.ops.onednn.qconv_prepack(kernel, step, 1.0, 0, *self._where, None), step))
        self._bias = bias + GREY * rest.sum((1, 2, 3, 4))

    def __call__(self, pictures: Tensor) -> Tensor:
        """(N, frames in, height, width) uint8 -> (N, out, height', width'), both channels last."""
        last = len(self._terms) - 1
        sums: Tensor | None = None
        for number, (kernel, step) in enumerate(self._terms):
            operands = (pictures, 1.0, 0, kernel, step, self._zero)
            bias, then = (self._bias, "relu") if number == last else (None, "none")
            if sums is None:
                plain: tuple[Any, ...] = (1.0, 0, self._dtype, then, [], "")
                sums = torch.ops.onednn.qconv2d_pointwise(*operands, bias, *self._where, *plain)
            else:
                added: tuple[Any, ...] = (1.0, 0, self._dtype, 1.0, 0, "sum", 1.0, then, [], "")
                sums = torch.ops.onednn.qconv2d_pointwise.binary(*operands, sums, bias, *self._where, *added)
        return sums
