"""One loader for every weight file: safetensors, plain torch files, and training checkpoints of unknown origin.

`open_weights` reads a file with its description (the JSON beside it) and checks the digest that this states;
`Weights.into` loads it into a module, where every key and shape must agree.
"""

import fnmatch
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from syncvoice.errors import UserError
from syncvoice.files import atomic_path, read_json, sha256_of, write_json
from syncvoice.records.restricted_pickle import load_torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    Module = TypeVar("Module", bound=nn.Module)

STATE_KEYS = ("model", "state_dict", "model_state_dict", "net")  # where training checkpoints keep the weights
NESTING = 2  # levels of such entries that are looked into
WRAPPER_PREFIXES = ("module.",)  # left by data-parallel training
EXPORTED = ("model.safetensors", "metadata.json")  # files of an exported recipe: weights and their description
HALF_LIMIT = 6e4  # larger values do not fit float16
LISTED = 8  # names in an error message


@dataclass(frozen=True)
class Weights:
    """What a weight file holds.

    Attributes:
        path: the file.
        state: names to tensors, floating-point ones as float32.
        metadata: its description, {} without one.
    """

    path: Path
    state: dict[str, "Tensor"]
    metadata: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file."""
        return sha256_of(self.path)

    @property
    def config(self) -> dict[str, Any]:
        """Sizes of the network, as the description states them.

        Raises:
            UserError: there is no description, or it states none.
        """
        if "config" not in self.metadata:
            name = metadata_path(self.path).name
            raise UserError(f"{self.path} has no {name} with the sizes (entry 'config') beside it; copy both together")
        return dict(self.metadata["config"])

    def into(self, module: "Module", ignored: Iterable[str] = ()) -> "Module":
        """Load the weights into a module and return it in evaluation mode; arguments and errors of `load_strict`."""
        load_strict(module, self.state, self.path, ignored)
        return module.eval()


def open_weights(path: Path | str, key: str | None = None) -> Weights:
    """Open a weight file of any layout with its description.

    Args:
        path: safetensors or torch file.
        key: entry that holds the weights, dots between nested ones; None looks in the usual places.

    Raises:
        UserError: the file is missing, unreadable or not the one that its description states, or holds no weights.
    """
    path = Path(path)
    content = read_checkpoint(path)
    return Weights(path, state_of(content, path, key), read_metadata(path, missing_ok=True))


def is_safetensors(path: Path) -> bool:
    """Whether a file is safetensors, by its suffix or its first bytes (assets are kept without a suffix)."""
    if path.suffix == ".safetensors":
        return True
    with open(path, "rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def safetensors_header(path: Path) -> dict[str, str]:
    """Return the texts in the header of a safetensors file; {} of any other file."""
    from safetensors import safe_open

    if not is_safetensors(path):
        return {}
    with safe_open(path, "np") as file:
        return dict(file.metadata() or {})


def read_checkpoint(path: Path | str) -> Any:
    """Read everything a weight file holds, on the CPU; foreign objects become `Placeholder`.

    Raises:
        UserError: the file is missing, neither safetensors nor a torch file, or not the one its description states.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"weights {path} do not exist; fetch them or make them with `syncvoice pretrain`")
    _check_digest(path)
    if is_safetensors(path):
        import safetensors
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except safetensors.SafetensorError as error:
            raise UserError(f"{path} is no readable safetensors file ({error}); fetch or make it again") from error
    try:
        return load_torch(path)
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
        key: entry of the checkpoint that holds the weights, dots between nested ones; None looks in the usual places.

    Raises:
        UserError: the file holds no state dict there.
    """
    return state_of(read_checkpoint(path), path, key)


def state_of(content: Any, source: Path | str, key: str | None = None) -> dict[str, "Tensor"]:
    """Return the state dict inside the content of a weight file; arguments and errors of `read_state_dict`."""
    candidates = _usual_places(content) if key is None else iter([_entry(content, key)])
    state = next((value for value in candidates if is_state(value)), None)
    if state is None:
        found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise UserError(f"{source} holds no state dict under {key or STATE_KEYS}; found {found}")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in _stripped(state).items()}


def _usual_places(content: Any, nesting: int = NESTING) -> Iterator[Any]:
    """Yield the content of a file and what stands in it under `STATE_KEYS`, the outer ones first."""
    yield content
    if isinstance(content, Mapping) and nesting:
        for key in STATE_KEYS:
            yield from _usual_places(content.get(key), nesting - 1)


def _entry(content: Any, key: str) -> Any:
    """Return an entry of a mapping, or of one nested in it; None without."""
    if not isinstance(content, Mapping) or key in content or "." not in key:
        return content.get(key) if isinstance(content, Mapping) else None
    outer, _, inner = key.partition(".")
    return _entry(content.get(outer), inner)


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
    """Path of the JSON file that describes a weight file: same name, suffix .json, or metadata.json of a recipe."""
    path = Path(path)
    exported = path.with_name(EXPORTED[1])
    return exported if path.name == EXPORTED[0] and exported.is_file() else path.with_suffix(".json")


def _check_digest(path: Path) -> None:
    """Compare a weight file with the digest in its description, if it has one.

    Raises:
        UserError: they differ.
    """
    beside = metadata_path(path)
    described = read_json(beside) if beside.is_file() else None
    stated = described.get("weights_sha256") if isinstance(described, Mapping) else None
    if stated and stated != sha256_of(path):
        raise UserError(
            f"weights {path} are not the ones that {beside.name} beside them describes (sha256 {sha256_of(path)[:12]}, "
            f"expected {stated[:12]}): the file is damaged or was replaced; restore it or make both again"
        )


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
