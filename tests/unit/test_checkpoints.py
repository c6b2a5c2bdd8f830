"""The one loader of weight files: safe, strict, and clear about what does not fit."""

import io
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from syncvoice import checkpoints
from syncvoice.errors import UserError


class Sampler:
    """A class that the reader does not know, like the sampler objects of public training checkpoints."""

    def __init__(self) -> None:
        self.epoch = 3


class Hostile:
    """Runs a command when unpickled by an ordinary unpickler."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


class HostileState:
    """Runs a command through an attribute of an allowed-looking module."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str, dict]]:
        return eval, (f"__import__('os').mkdir({str(self.target)!r})", {})


def _linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_safetensors_round_trip_is_float32_and_reproducible(tmp_path: Path) -> None:
    state = {**_linear().state_dict(), "count": torch.tensor(7), "large": torch.tensor([1e6, -1.0])}
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    checkpoints.save_weights(first, state)
    checkpoints.save_weights(second, dict(reversed(state.items())))
    assert first.read_bytes() == second.read_bytes()
    found = checkpoints.read_state_dict(first)
    assert found["weight"].dtype == torch.float32 and found["count"] == 7
    torch.testing.assert_close(found["weight"], state["weight"], atol=1e-3, rtol=0)
    assert found["large"].tolist() == [1e6, -1.0]  # does not fit float16, so it is stored as float32
    checkpoints.save_weights(second, state, half=False)
    assert torch.equal(checkpoints.read_state_dict(second)["weight"], state["weight"])


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weight.*not finite"):
        checkpoints.save_weights(tmp_path / "x.safetensors", {"weight": torch.tensor([float("nan")])})
    assert not list(tmp_path.iterdir())


def test_metadata_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    assert checkpoints.read_metadata(path, missing_ok=True) == {}
    checkpoints.write_metadata(path, {"config": {"dim": 4}})
    assert checkpoints.read_metadata(path)["config"] == {"dim": 4}
    assert (tmp_path / "net.json").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_training_checkpoint_with_foreign_objects(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "checkpoint.pt"
    wrapped = {f"module.{k}": v for k, v in _linear().state_dict().items()}
    content = {"model": wrapped, "sampler": Sampler(), "step": 55_000, "names": {"a", "b"}, "path": Path("x")}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = checkpoints.read_checkpoint(path)
    assert found["step"] == 55_000 and found["names"] == {"a", "b"}
    assert isinstance(found["sampler"], checkpoints.Placeholder) and not hasattr(found["sampler"], "epoch")
    state = checkpoints.read_state_dict(path)
    assert list(state) == ["weight", "bias"] and torch.equal(state["weight"], _linear().weight)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", [Hostile, HostileState])
def test_hostile_file_runs_nothing(tmp_path: Path, kind: type, legacy: bool) -> None:
    path, target = tmp_path / "hostile.pt", tmp_path / "made_by_pickle"
    content = {"model": _linear().state_dict(), "extra": kind(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert set(checkpoints.read_state_dict(path)) == {"weight", "bias"}
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_plain_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "hostile.pt", tmp_path / "made_by_pickle"
    path.write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(UserError):
        checkpoints.read_state_dict(path)
    assert not target.exists()
    loaded = checkpoints.RestrictedUnpickler(io.BytesIO(pickle.dumps([Hostile(target), 1]))).load()
    assert loaded[1] == 1 and not target.exists()


def test_unreadable_files_give_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not exist"):
        checkpoints.read_state_dict(tmp_path / "none.pt")
    for name in ("text.pt", "text.safetensors"):
        (tmp_path / name).write_text("<html>not found</html>")
        with pytest.raises(UserError, match=name):
            checkpoints.read_state_dict(tmp_path / name)
    torch.save({"step": 3}, tmp_path / "empty.pt")
    with pytest.raises(UserError, match="no state dict"):
        checkpoints.read_state_dict(tmp_path / "empty.pt")


def test_strict_loading_lists_every_problem() -> None:
    state = {"weight": torch.zeros(2, 4), "extra.a": torch.zeros(1), "optimiser.b": torch.zeros(1)}
    with pytest.raises(UserError) as error:
        checkpoints.load_strict(_linear(), state, "file.pt", ignored=("optimiser.*",))
    message = str(error.value)
    assert "1 missing: bias" in message and "1 unexpected: extra.a" in message
    assert "weight is (2, 4), expected (2, 3)" in message and "optimiser" not in message


def test_groups_count_entries_and_values() -> None:
    state = {"a.b.c": torch.zeros(2, 3), "a.b.d": torch.zeros(4), "e": torch.zeros(1)}
    assert checkpoints.groups_of(state) == {"a.b": (2, 10), "e": (1, 1)}
