"""Batches of few shapes.

On CPUs oneDNN makes a program for every shape of a product; with batches of all lengths that is a large part of a step
(`benchmarks/pretraining.py`). So lengths are padded to multiples, and the programs are kept (`KEPT_PROGRAMS`,
set by the command line before torch starts).
"""

from collections.abc import Sequence

from torch import Tensor, nn

FRAMES, TOKENS = 48, 16  # mel frames and symbols that lengths are multiples of: our choice


def up_to(number: int, step: int) -> int:
    """Return the next multiple of `step`."""
    return -(-number // step) * step


def padded(x: Tensor, frames: int | None = None) -> Tensor:
    """Pad (B, T, C) with zeros to a multiple of `frames`, or of `FRAMES`."""
    return nn.functional.pad(x, (0, 0, 0, up_to(x.shape[1], frames or FRAMES) - x.shape[1]))


def symbol_rows(tokens: Sequence[Sequence[int]]) -> int:
    """Rows of the encoded text of a batch, the appended pad included (see `Script.least`)."""
    return up_to(max(map(len, tokens)) + 1, TOKENS)


def same_shapes(lengths: Sequence[int], batch_frames: int) -> list[tuple[int, list[int]]]:
    """Group clips into batches of few shapes: a width is a multiple of `FRAMES` and has one number of clips.

    What does not fill a batch waits for the next width; what is left at the end is the last batch.

    Args:
        lengths: mel frames of the clips.
        batch_frames: most frames of a batch, padding included (one clip may be longer).

    Returns:
        (width, indices of clips) of each batch, shortest first.
    """
    groups: list[tuple[int, list[int]]] = []
    waiting: list[int] = []
    by_width: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        by_width.setdefault(up_to(length, FRAMES), []).append(i)
    for width in sorted(by_width):
        waiting += by_width[width]
        size = max(1, batch_frames // width)
        while len(waiting) >= size:
            groups.append((width, waiting[:size]))
            del waiting[:size]
    if waiting:
        groups.append((max(by_width), waiting))
    return groups
