"""The registry of weights made by others, and how a file is had."""

import re
from pathlib import Path

import pytest

from syncvoice.asset_sources import fetch
from syncvoice.assets import Asset, local_asset, read_asset, read_registry
from syncvoice.errors import UserError
from syncvoice.files import sha256_of

REPOSITORY = Path(__file__).resolve().parents[2]


def asset(**changes: object) -> Asset:
    """An entry without sources."""
    fields = read_registry(REPOSITORY / "config" / "assets.yaml")["lrw_resnet18"].model_dump()
    return Asset(**{**fields, **changes})


def test_registry_states_every_licence_and_place() -> None:
    registry = read_registry(REPOSITORY / "config" / "assets.yaml")
    assert len(registry) >= 10
    assert all(entry.put_by_hand == f"resources/assets/{name}" for name, entry in registry.items())
    urls = [source.url or "" for entry in registry.values() for source in entry.sources]
    assert len(urls) >= 10 and not any("/latest/" in url for url in urls)


def test_file_placed_by_hand_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thing").write_bytes(b"weights")
    monkeypatch.setenv("SYNCVOICE_ASSETS", str(tmp_path / "store"))
    good = asset(sha256=sha256_of(tmp_path / "store" / "thing"))
    fetch("thing", good, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"weights"
    with pytest.raises(UserError, match="expected 0000"):
        fetch("thing", asset(sha256="0" * 64), tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_without_source_the_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    with pytest.raises(UserError, match="put the file at resources/assets/lrw_resnet18"):
        fetch("lrw_resnet18", asset(), tmp_path / "out")


def test_local_asset_is_found_by_place_by_folder_or_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCVOICE_ASSETS", str(tmp_path / "store"))
    sentence = r"^weights lrw_resnet18 \(lip features.*\) are not there: put the published file at \S+; licence .*\S$"
    with pytest.raises(UserError, match=sentence):
        local_asset("lrw_resnet18")
    with pytest.raises(UserError, match="put the published file at elsewhere"):
        local_asset("lrw_resnet18", "elsewhere")
    with pytest.raises(UserError, match="run 'snakemake resources/assets/zipvoice_emilia/model.pt' or put"):
        local_asset("zipvoice_emilia/model.pt")
    for place in ("elsewhere", "store/lrw_resnet18", "resources/assets/lrw_resnet18"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    assert local_asset("lrw_resnet18", "elsewhere").path == Path("elsewhere")
    found = local_asset("lrw_resnet18")
    assert found.path == Path("resources/assets/lrw_resnet18") and found.sha256 == sha256_of(found.path)
    found.path.unlink()
    assert local_asset("lrw_resnet18").path == tmp_path / "store/lrw_resnet18"


def test_local_asset_with_a_known_digest_is_checked(tmp_path: Path) -> None:
    (tmp_path / "face.task").write_bytes(b"other")
    with pytest.raises(UserError, match="expected 64184e22"):
        local_asset("face_landmarker", tmp_path / "face.task")


def test_unknown_asset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="'lrw' is not in .*lrw_resnet18"):
        read_asset("lrw")


def test_only_what_fetch_rules_call_imports_a_network_library() -> None:
    library = re.compile(
        r"^\s*(import|from) (urllib\.request|requests|http\.client)\b|torch\.hub|hf_hub_download", re.M
    )
    pip = re.compile(r"\"pip\"")
    sources = {path.name: path.read_text() for path in (REPOSITORY / "syncvoice").rglob("*.py")}
    assert [name for name, text in sources.items() if library.search(text)] == ["download.py"]
    assert [name for name, text in sources.items() if pip.search(text)] == ["asset_sources.py"]
