"""One loader for every weight file: safetensors, plain torch files, and training checkpoints of unknown origin.

Public training checkpoints hold sampler and optimiser objects of other code bases. They are read by a restricted
unpickler which rebuilds tensors and plain containers and turns every other class or function into an inert
placeholder: nothing of the file is imported or called, so a hostile file runs nothing.
"""

import fnmatch
import pickle
import tarfile
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

from syncvoice.errors import UserError
from syncvoice.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    from torch import Tensor, nn

STATE_KEYS = ("model", "state_dict", "model_state_dict", "net")  # where training checkpoints keep the weights
WRAPPER_PREFIXES = ("module.",)  # left by data-parallel training
HALF_LIMIT = 6e4  # larger values do not fit float16
LISTED = 8  # names in an error message


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


def _load_torch(path: Path) -> Any:
    """Read a torch file, first by torch's own safe loader, then by the restricted unpickler."""
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


def is_safetensors(path: Path) -> bool:
    """Whether a file is safetensors, by its suffix or its first bytes (assets are kept without a suffix)."""
    if path.suffix == ".safetensors":
        return True
    with open(path, "rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def safetensors_metadata(path: Path) -> dict[str, str]:
    """Return the texts in the header of a safetensors file."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return dict(file.metadata() or {})


def read_checkpoint(path: Path | str) -> Any:
    """Read everything a weight file holds, on the CPU; foreign objects become `Placeholder`.

    Raises:
        UserError: the file is missing or neither safetensors nor a torch file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights {path} do not exist; fetch them or make them with `syncvoice pretrain`")
    if is_safetensors(path):
        import safetensors
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except safetensors.SafetensorError as error:
            raise UserError(f"{path} is no readable safetensors file ({error}); fetch or make it again") from error
    try:
        return _load_torch(path)
    except UserError:
        raise
    except Exception as error:  # a broken or hostile file can raise anything
        raise UserError(f"{path} is neither safetensors nor a readable torch file ({error}); fetch it again") from error


def is_state(value: object) -> bool:
    """Whether `value` is a non-empty mapping of names to tensors."""
    import torch

    return isinstance(value, Mapping) and bool(value) and all(isinstance(v, torch.Tensor) for v in value.values())


def read_state_dict(path: Path | str, key: str | None = None) -> dict[str, "Tensor"]:
    """Read a state dict: floating-point tensors as float32, wrapper prefixes (`module.`) removed.

    Args:
        path: safetensors or torch file.
        key: entry of the checkpoint that holds the weights; None looks in the usual places.

    Raises:
        UserError: the file holds no state dict there.
    """
    return state_of(read_checkpoint(path), path, key)


def state_of(content: Any, source: Path | str, key: str | None = None) -> dict[str, "Tensor"]:
    """Return the state dict inside the content of a weight file; arguments and errors of `read_state_dict`."""
    places = [content.get(k) for k in ([key] if key else STATE_KEYS)] if isinstance(content, Mapping) else []
    candidates = places if key else [content, *places]
    state = next((value for value in candidates if is_state(value)), None)
    if state is None:
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise UserError(f"{source} holds no state dict under {key or STATE_KEYS}; found {found}")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in _stripped(state).items()}


def _stripped(state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """Remove a wrapper prefix that all keys share."""
    for prefix in WRAPPER_PREFIXES:
        while state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return dict(state)


def _listing(names: Iterable[str]) -> str:
    """Join names for an error message, the rest counted."""
    names = list(names)
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _grouped(names: Iterable[str]) -> str:
    """Join key names for an error message; many are counted by the longest prefix that makes a short list."""
    names = list(names)
    if len(names) <= LISTED:
        return _listing(names)
    groups: Counter[str] = Counter()
    for depth in range(1, 1 + max(name.count(".") for name in names)):
        finer = Counter(".".join(name.split(".")[:depth]) for name in names)
        if groups and len(finer) > LISTED:
            break
        groups = finer
    counts = (groups or Counter(names)).items()
    return _listing(f"{prefix}.* ({count})" if count > 1 else prefix for prefix, count in counts)


def problems_of(expected: Mapping[str, "Tensor"], found: Mapping[str, "Tensor"]) -> list[str]:
    """How a state dict differs from the expected one: missing, unexpected and mis-shaped keys, many of them grouped."""
    missing = [k for k in expected if k not in found]
    unexpected = [k for k in found if k not in expected]
    shapes = [
        f"{k} is {tuple(found[k].shape)}, expected {tuple(v.shape)}"
        for k, v in expected.items()
        if k in found and found[k].shape != v.shape
    ]
    listed = {"missing": _grouped(missing), "unexpected": _grouped(unexpected), "mis-shaped": _listing(shapes)}
    counts = zip(listed, (missing, unexpected, shapes), strict=True)
    return [f"{len(names)} {what}: {listed[what]}" for what, names in counts if names]


def load_strict(
    module: "nn.Module",
    state: Mapping[str, "Tensor"],
    source: Path | str = "the state dict",
    ignored: Iterable[str] = (),
) -> None:
    """Load a state dict into a module; every key and shape must agree.

    Args:
        module: receives the weights in place.
        state: names to tensors.
        source: where they come from, for the message.
        ignored: shell-style patterns of keys of the file that may be left over (asset entry `ignored_keys`).

    Raises:
        UserError: lists the missing, unexpected and mis-shaped keys; many of them by prefix.
    """
    expected = module.state_dict()
    patterns = tuple(ignored)
    kept = {k: v for k, v in state.items() if k in expected or not any(fnmatch.fnmatch(k, p) for p in patterns)}
    problems = problems_of(expected, kept)
    if problems:
        text = "; ".join(problems)
        raise UserError(f"{source} does not fit {type(module).__name__}: {text}; check the configuration beside it")
    module.load_state_dict(kept)


def save_weights(path: Path | str, state: Mapping[str, "Tensor"], half: bool = True) -> None:
    """Write a state dict as safetensors, atomically; same tensors, same bytes.

    Args:
        path: file to write.
        state: names to tensors.
        half: store floating-point tensors as float16, except those whose values do not fit.

    Raises:
        UserError: a tensor holds values that are not finite.
    """
    import torch
    from safetensors.torch import save_file

    stored = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.is_floating_point():
            if not bool(torch.isfinite(tensor).all()):
                raise UserError(f"{path}: tensor {name} holds values that are not finite; lower the learning rate")
            fits = tensor.numel() == 0 or float(tensor.abs().max()) < HALF_LIMIT
            tensor = tensor.half() if half and fits else tensor.float()
        stored[name] = tensor.clone()  # safetensors refuses tensors that share memory
    with atomic_path(path) as temporary:
        save_file(stored, temporary)
        temporary.chmod(0o644)  # safetensors makes it private


def metadata_path(path: Path | str) -> Path:
    """Path of the JSON file that belongs to a weight file (same name, suffix .json)."""
    return Path(path).with_suffix(".json")


def write_metadata(path: Path | str, metadata: Mapping[str, Any]) -> None:
    """Write configuration and provenance beside the weight file `path`."""
    write_json(metadata_path(path), dict(metadata))


def read_metadata(path: Path | str, missing_ok: bool = False) -> dict[str, Any]:
    """Read configuration and provenance of the weight file `path`; {} if absent and `missing_ok`.

    Raises:
        UserError: the JSON file is missing (unless `missing_ok`) or broken.
    """
    beside = metadata_path(path)
    return {} if missing_ok and not beside.exists() else read_json(beside)
