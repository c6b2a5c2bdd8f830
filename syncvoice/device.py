"""Where networks compute and with what arithmetic: the only place that decides either.

The study's setting `device` reaches a job as the environment variable `SYNCVOICE_DEVICE`, like its number of threads. A
job that asked Snakemake for no graphics card is told `cpu`, so a card never holds a job that nobody counted. On a
machine with several cards each process takes one that no other process of this project holds; a cluster shows a job its
own cards only.
"""

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, get_args

from syncvoice.errors import UserError

if TYPE_CHECKING:
    import torch

VARIABLE = "SYNCVOICE_DEVICE"
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
BF16_CAPABILITY = (8, 0)  # CUDA cards from Ampere on multiply bfloat16; torch only emulates it on older ones

_held: list[IO[str]] = []  # locks on cards, open as long as the process lives


def device_kind(asked: str | None = None) -> str:
    """Return "cpu", "cuda" or "mps".

    Args:
        asked: one of `DeviceName`; None reads the environment, where nothing means "auto": the best that is there.

    Raises:
        UserError: no such device, or this machine has none.
    """
    import torch

    asked = asked or os.environ.get(VARIABLE) or "auto"
    if asked not in get_args(DeviceName):
        raise UserError(f"device {asked!r} is unknown; expected one of {', '.join(get_args(DeviceName))}")
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return next(kind for kind, has in there.items() if has)
    if not there[asked]:
        raise UserError(f"device {asked!r} is not to be had on this machine; set device: auto or cpu")
    return asked


def resolve_device(asked: str | None = None) -> "torch.device":
    """Return the device of this process; with several CUDA cards a free one, which it then holds to its end.

    Raises:
        UserError: see `device_kind`.
    """
    import torch

    kind = device_kind(asked)
    return torch.device(kind, card_of_process(torch.cuda.device_count())) if kind == "cuda" else torch.device(kind)


@cache
def card_of_process(cards: int, folder: Path | None = None) -> int:
    """Take the first of `cards` graphics cards that no other process holds; the last when all are held.

    Args:
        cards: how many this process sees.
        folder: of the lock files; None is the system's folder for temporary files.
    """
    import fcntl

    folder = folder or Path(tempfile.gettempdir())
    for card in range(cards - 1):
        # One file per user: a lock file of somebody else could not be opened for writing.
        lock = open(folder / f"syncvoice-{os.getuid()}-card-{card}.lock", "w")  # noqa: SIM115 - held until the end
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        _held.append(lock)
        return card
    return cards - 1


def resolve_precision(precision: str, kind: str | None = None) -> str:
    """Return the arithmetic that "auto" stands for; any other name is returned as it is.

    bfloat16 where the device multiplies it faster, float32 elsewhere. Results of the two differ slightly (about 1 % of
    a feature's spread), so "auto" is reproducible on one kind of machine.

    Args:
        precision: "auto", "fp32", "bf16" or (training) "fp16".
        kind: of the device, see `device_kind`; None asks there.
    """
    if precision != "auto":
        return precision
    import torch

    kind = kind or device_kind()
    if kind == "cuda":
        fast = torch.cuda.get_device_capability() >= BF16_CAPABILITY
    elif kind == "cpu":
        fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    else:
        fast = False  # Apple's graphics: float32 (our choice)
    return "bf16" if fast else "fp32"
