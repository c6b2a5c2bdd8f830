"""The one loader of weight files: safe, strict, and clear about what does not fit."""

import importlib
import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from torch import nn

from syncvoice.assets import read_asset
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.records import weights
from syncvoice.records.restricted_pickle import Placeholder, RestrictedUnpickler


class Sampler:
    """A class that the reader does not know, like the sampler objects of public training weights."""

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


class HostileAttributes:
    """Runs a command through the state of an object that rebuilds itself."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __setstate__(self, state: dict) -> None:
        os.mkdir(state["target"])

    def __getstate__(self) -> dict[str, str]:
        return {"target": str(self.target)}


class HostileSystem:
    """Runs a shell command, some layers deep."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"mkdir {self.target}",)


class HostileList:
    """Hides another in plain containers and in a list class."""

    def __init__(self, target: Path) -> None:
        self.content = [{"deep": (HostileSystem(target), [Hostile(target)])}]

    def __reduce__(self) -> tuple[object, tuple, None, object]:
        return list, (), None, iter(self.content)


def _linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_safetensors_round_trip_is_float32_and_reproducible(tmp_path: Path) -> None:
    state = {**_linear().state_dict(), "count": torch.tensor(7), "large": torch.tensor([1e6, -1.0])}
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    weights.save_weights(first, state)
    weights.save_weights(second, dict(reversed(state.items())))
    assert first.read_bytes() == second.read_bytes()
    found = weights.read_state_dict(first)
    assert found["weight"].dtype == torch.float32 and found["count"] == 7
    torch.testing.assert_close(found["weight"], state["weight"], atol=1e-3, rtol=0)
    assert found["large"].tolist() == [1e6, -1.0]  # does not fit float16, so it is stored as float32
    weights.save_weights(second, state, half=False)
    assert torch.equal(weights.read_state_dict(second)["weight"], state["weight"])


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weight.*not finite"):
        weights.save_weights(tmp_path / "x.safetensors", {"weight": torch.tensor([float("nan")])})
    assert not list(tmp_path.iterdir())


def test_metadata_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    assert weights.read_metadata(path, missing_ok=True) == {}
    weights.write_metadata(path, {"config": {"dim": 4}})
    assert weights.read_metadata(path)["config"] == {"dim": 4}
    assert (tmp_path / "net.json").exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_training_checkpoint_with_foreign_objects(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "checkpoint.pt"
    wrapped = {f"module.{k}": v for k, v in _linear().state_dict().items()}
    content = {"model": wrapped, "sampler": Sampler(), "step": 55_000, "names": {"a", "b"}, "path": Path("x")}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    found = weights.read_checkpoint(path)
    assert found["step"] == 55_000 and found["names"] == {"a", "b"}
    assert isinstance(found["sampler"], Placeholder) and not hasattr(found["sampler"], "epoch")
    state = weights.read_state_dict(path)
    assert list(state) == ["weight", "bias"] and torch.equal(state["weight"], _linear().weight)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", [Hostile, HostileState, HostileAttributes, HostileSystem, HostileList])
def test_hostile_file_runs_nothing(tmp_path: Path, kind: type, legacy: bool) -> None:
    path, target = tmp_path / "hostile.pt", tmp_path / "made_by_pickle"
    content = {"model": _linear().state_dict(), "extra": kind(target)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert set(weights.read_state_dict(path)) == {"weight", "bias"}
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_plain_hostile_pickle_runs_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "hostile.pt", tmp_path / "made_by_pickle"
    path.write_bytes(pickle.dumps(Hostile(target)))
    with pytest.raises(UserError):
        weights.read_state_dict(path)
    assert not target.exists()
    loaded = RestrictedUnpickler(io.BytesIO(pickle.dumps([Hostile(target), 1]))).load()
    assert loaded[1] == 1 and not target.exists()


SHELL = "(S'mkdir TARGET'\nt"
OPCODES = {
    "os.system by REDUCE": f"cos\nsystem\n{SHELL}R.",
    "eval by GLOBAL": 'c__builtin__\neval\n(S\'__import__("os").mkdir("TARGET")\'\ntR.',
    "eval by a dotted name": "\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93(V__import__('os').mkdir('TARGET')\ntR.",
    "INST": "(S'mkdir TARGET'\nios\nsystem\n.",
    "OBJ": '(cbuiltins\neval\nS\'__import__("os").mkdir("TARGET")\'\no.',
    "getattr of modules": "c__builtin__\ngetattr\n(c__builtin__\ngetattr\n(cos\npath\nS'os'\ntRS'system'\ntR"
    + SHELL
    + "R.",
    "inside a list": f"(lcos\nsystem\n{SHELL}Ra.",
    "inside a dict": f"(dS'model'\ncos\nsystem\n{SHELL}Rs.",
    "subprocess": "csubprocess\ncall\n((S'mkdir'\nS'TARGET'\nltR.",
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("opcodes", OPCODES.values(), ids=OPCODES.keys())
def test_opcodes_of_a_hostile_file_run_nothing(tmp_path: Path, opcodes: str) -> None:
    target = tmp_path / "made"
    program = opcodes.replace("TARGET", str(target)).encode("latin-1")
    RestrictedUnpickler(io.BytesIO(program)).load()
    (tmp_path / "hostile.pt").write_bytes(program)
    with pytest.raises(UserError, match=r"hostile\.pt"):
        weights.read_state_dict(tmp_path / "hostile.pt")
    assert not target.exists()
    pickle.loads(program)
    assert target.exists()  # the program works where nobody guards


def test_hostile_file_cannot_change_allowed_functions_and_classes() -> None:
    before = torch._utils._rebuild_tensor_v2.__defaults__
    for owner, name in (("torch._utils\n_rebuild_tensor_v2", "__defaults__"), ("torch\nFloatStorage", "marked")):
        program = f"c{owner}\n(N(dS'{name}'\n(I1\ntstb."  # BUILD with (None, {name: (1,)}) would set the attribute
        RestrictedUnpickler(io.BytesIO(program.encode())).load()
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before
    assert not hasattr(torch.FloatStorage, "marked")


def test_persistent_ids_of_a_hostile_file_run_nothing(tmp_path: Path) -> None:
    """What torch resolves by itself: a storage whose type and place the file chooses."""
    target = tmp_path / "made"
    gadget = f"cos\nsystem\n(S'mkdir {target}'\ntR"
    program = f"(S'storage'\n{gadget}S'0'\n{gadget}I1\ntQ.".encode()
    with pytest.raises(pickle.UnpicklingError):
        RestrictedUnpickler(io.BytesIO(program)).load()
    path = tmp_path / "hostile.pt"
    torch.save({"model": _linear().state_dict()}, path)
    reader = torch.PyTorchFileReader(str(path))
    with torch.serialization._open_zipfile_writer(str(path := tmp_path / "changed.pt")) as writer:
        for name in reader.get_all_records():
            if name not in ("version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id"):
                record = program if name == "data.pkl" else reader.get_record(name)
                writer.write_record(name, record, len(record))
    with pytest.raises(UserError, match=r"changed\.pt"):
        weights.read_state_dict(path)
    assert not target.exists()


def test_tar_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../storages"), io.BytesIO())
    with pytest.raises(UserError, match="old tar kind"):
        weights.read_state_dict(path)
    assert [p.name for p in tmp_path.iterdir()] == ["old.pt"] and not (tmp_path.parent / "storages").exists()


def test_unreadable_files_give_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="do not exist"):
        weights.read_state_dict(tmp_path / "none.pt")
    for name in ("text.pt", "text.safetensors"):
        (tmp_path / name).write_text("<html>not found</html>")
        with pytest.raises(UserError, match=name):
            weights.read_state_dict(tmp_path / name)
    torch.save({"step": 3}, tmp_path / "empty.pt")
    with pytest.raises(UserError, match="no state dict"):
        weights.read_state_dict(tmp_path / "empty.pt")


def test_strict_loading_lists_every_problem() -> None:
    state = {"weight": torch.zeros(2, 4), "extra.a": torch.zeros(1), "optimiser.b": torch.zeros(1)}
    with pytest.raises(UserError) as error:
        weights.load_strict(_linear(), state, "file.pt", ignored=("optimiser.*",))
    message = str(error.value)
    assert "1 missing: bias" in message and "1 unexpected: extra.a" in message
    assert "weight is (2, 4), expected (2, 3)" in message and "optimiser" not in message


def test_many_keys_are_counted_by_prefix() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ModuleList(nn.Linear(2, 2) for _ in range(5)))
    state = {"0.weight": torch.zeros(2, 2)} | {f"decoder.{i}.bias": torch.zeros(1) for i in range(9)}
    with pytest.raises(UserError) as error:
        weights.load_strict(model, state)
    assert "11 missing: 0.* (1), 1.*" not in str(error.value)  # one key is named in full, not counted
    assert "11 missing: 0.bias, 1.0.* (2), 1.1.* (2), 1.2.* (2), 1.3.* (2), 1.4.* (2)" in str(error.value)
    assert "9 unexpected: decoder.* (9)" in str(error.value)


def test_weights_in_nested_entries(tmp_path: Path) -> None:
    state = _linear().state_dict()
    torch.save({"net": {"state_dict": state}, "ema": {"a.b": {"deep": state}}}, tmp_path / "nested.pt")
    for key in (None, "net.state_dict", "net"):
        if key == "net":
            with pytest.raises(UserError, match="no state dict under net; found"):
                weights.open_weights(tmp_path / "nested.pt", key)
        else:
            opened = weights.open_weights(tmp_path / "nested.pt", key)
            assert torch.equal(opened.into(_linear()).weight, state["weight"]) and not opened.metadata
    content = weights.read_checkpoint(tmp_path / "nested.pt")
    assert set(weights.state_of(content["ema"]["a.b"], "x", "deep")) == {"weight", "bias"}
    content["model"] = content  # a file may hold itself
    with pytest.raises(UserError, match="no state dict"):
        weights.state_of({"model": content["model"] | {"net": 1}}, "x")


def test_description_gives_the_sizes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    weights.save_weights(path, _linear().state_dict())
    with pytest.raises(UserError, match=r"has no model.json with the sizes"):
        _ = weights.open_weights(path).config
    (tmp_path / "metadata.json").write_text('{"config": {"dim": 4}}')
    opened = weights.open_weights(path)
    assert opened.config == {"dim": 4} and opened.sha256 == sha256_of(path)


@pytest.mark.parametrize(("name", "described"), [("net.pt", "net.json"), ("model.safetensors", "metadata.json")])
def test_one_flipped_bit_is_refused(tmp_path: Path, name: str, described: str) -> None:
    path = tmp_path / name
    state = _linear().state_dict()
    if path.suffix == ".pt":
        torch.save(state, path)
    else:
        weights.save_weights(path, state)
    (tmp_path / described).write_text(json.dumps({"weights_sha256": sha256_of(path)}))
    assert set(weights.open_weights(path).state) == set(state)
    content = bytearray(path.read_bytes())
    content[-10 if path.suffix == ".safetensors" else content.find(state["weight"].numpy().tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"{name} are not the ones that {described} beside them describes .* damaged"):
        weights.open_weights(path)


@pytest.mark.parametrize(
    ("network", "assets"),
    [
        ("syncvoice.networks.camplus", ["campplus_zh_en", "campplus_zh_cn", "campplus_voxceleb"]),
        ("syncvoice.networks.ecapa", ["wavlm_large_finetune"]),
        ("syncvoice.networks.utmos", ["utmos22_strong"]),
        ("syncvoice.model.vocoder", ["vocos_mel_24khz"]),
    ],
)
def test_keys_are_left_over_only_where_the_asset_says_so(network: str, assets: list[str]) -> None:
    unused = list(importlib.import_module(network).UNUSED_KEYS)
    assert all(read_asset(name).ignored_keys == unused for name in assets)
