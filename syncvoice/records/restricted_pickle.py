"""Reading pickles of unknown origin: tensors and plain containers are rebuilt, everything else is an inert placeholder.

Public training checkpoints hold sampler and optimiser objects of other code bases. Nothing of the file is imported or
called, so a hostile file runs nothing.
"""

import pickle
import tarfile
import zipfile
from collections import OrderedDict
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from syncvoice.errors import UserError


class Placeholder:
    """Stands for an object of a class that is not rebuilt; it accepts everything and does nothing.

    Attributes:
        origin: module and name of the class in the file.
    """

    origin: ClassVar[tuple[str, str]] = ("", "")

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Ignore the arguments of the original class."""

    def __new__(cls, *args: object, **kwargs: object) -> "Placeholder":
        """Make an empty object whatever the arguments."""
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Ignore the pickled attributes."""

    def __call__(self, *args: object, **kwargs: object) -> "Placeholder":
        """Return the placeholder itself."""
        return self

    def __setitem__(self, key: object, value: object) -> None:
        """Ignore an item of a container class."""

    def append(self, value: object) -> None:
        """Ignore an element of a list class."""

    def extend(self, values: object) -> None:
        """Ignore elements of a list class."""

    def add(self, value: object) -> None:
        """Ignore an element of a set class."""


@cache
def _allowed() -> dict[tuple[str, str], Any]:
    """Classes and functions that the restricted unpickler may use: tensors, plain containers, nothing else."""
    import torch

    allowed: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,
        ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
        ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
        ("torch", "Size"): torch.Size,
        ("torch", "device"): torch.device,
    }
    for module in ("builtins", "__builtin__"):
        for kind in (set, frozenset, list, dict, tuple, int, float, str, bool, complex, bytearray, slice):
            allowed[module, kind.__name__] = kind
    for name in dir(torch):
        if isinstance(getattr(torch, name), torch.dtype):
            allowed["torch", name] = getattr(torch, name)
        elif name.endswith("Storage") and isinstance(getattr(torch, name), type):
            allowed["torch", name] = getattr(torch, name)
    allowed["torch.storage", "UntypedStorage"] = torch.UntypedStorage
    return allowed


class RestrictedUnpickler(pickle._Unpickler):  # type: ignore[name-defined,misc]  # the one in C has no opcode table
    """Unpickler that never imports anything named by the file and sets no attribute of any object."""

    stack: list[Any]

    def load_build(self) -> None:
        """Drop the attributes of an object: a file could set those of torch's own functions and classes."""
        self.stack.pop()

    dispatch: ClassVar[dict[int, Any]] = {
        **pickle._Unpickler.dispatch,  # type: ignore[attr-defined]
        pickle.BUILD[0]: load_build,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class, or a fresh placeholder class that carries only the name."""
        found = _allowed().get((module, name))
        return found if found is not None else type(f"Placeholder_{name}", (Placeholder,), {"origin": (module, name)})


def _restricted_load(file: Any, **options: Any) -> Any:
    """Unpickle one object; same call as `pickle.load`."""
    return RestrictedUnpickler(file, **options).load()


def load_torch(path: Path) -> Any:
    """Read a torch file, first by torch's own safe loader, then by the restricted unpickler.

    Raises:
        UserError: the file is of a kind that is not read; a broken one may raise anything.
    """
    import torch

    if tarfile.is_tarfile(path):  # written before 2018; its reader would also unpack files to disk
        raise UserError(f"{path} is a torch file of the old tar kind; save its weights anew with a current torch")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError):
        pass  # objects beyond tensors and containers
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise UserError(f"{path} is a TorchScript program, not weights; export its state dict with safetensors")
    # torch.load subclasses the Unpickler of this stand-in for the pickle module, so find_class above decides
    restricted = SimpleNamespace(Unpickler=RestrictedUnpickler, load=_restricted_load, __name__="restricted")
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=restricted)
