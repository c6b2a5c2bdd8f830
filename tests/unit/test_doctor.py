"""`syncvoice doctor`: what is missing, verified, changed, and how the recordings score beside published values."""

from pathlib import Path

import pytest

from syncvoice import cli
from syncvoice.assets import read_registry
from syncvoice.files import sha256_of
from syncvoice.study import doctor, read_study

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "config"
COLUMNS = "experiment,group,metric,mean\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings() -> dict[str, doctor.Finding]:
    registry = read_registry(CONFIG / "assets.yaml")
    known = registry["s3fd"].model_copy(update={"sha256": sha256_of("resources/assets/s3fd")})
    anchors = doctor.read_anchors(CONFIG / "anchors.yaml")
    found = doctor.of_study(read_study(CONFIG / "grid.yaml"), {**registry, "s3fd": known}, anchors)
    return {finding.what: finding for finding in found}


def test_weights_and_anchors_of_a_study(here: Path) -> None:
    (here / "resources/assets").mkdir(parents=True)
    for name in ("s3fd", "syncnet_v2", "lrw_resnet18"):
        (here / "resources/assets" / name).write_bytes(b"weights")
    tables = here / "results/grid/tables"
    tables.mkdir(parents=True)
    (tables / "dub_2.csv").write_text(
        f"{COLUMNS}ground_truth,all,lse_c.syncnet_v2.tracked,7.0\nground_truth,all,lse_d.syncnet_v2.tracked,8.9\n"
        "M3,all,lse_d.syncnet_v2.tracked,6.8\n"
    )
    found = findings()
    assert found["weights resources/assets/s3fd"].state == "ok"
    assert found["weights resources/assets/syncnet_v2"].state == "wrong"  # another file than the registry's
    assert found["weights resources/assets/lrw_resnet18"].state == "note"  # nobody knows its digest
    assert "by hand" in found["weights resources/assets/zipvoice_libritts/tokens.txt"].found
    assert found["weights resources/assets/whisper_base"].state == found["data grid"].state == "missing"
    assert found["anchor grid, lse_c.syncnet_v2.tracked"].state == "ok"
    assert found["anchor grid, lse_d.syncnet_v2.tracked"].state == "wrong"
    assert found["anchor grid, lse_d.syncnet_v2.tracked"].found.startswith("table dub_2: 8.9, published 6.78")


def test_anchors_before_the_first_run(here: Path) -> None:
    (here / "resources/assets").mkdir(parents=True)
    (here / "resources/assets/s3fd").touch()
    found = findings()["anchor grid, lse_c.syncnet_v2.tracked"]
    assert found.state == "note" and found.found.startswith("expect 7.13 for ground truth")


def test_command_prints_one_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", str(CONFIG / "grid.yaml")]) == 2
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert any(line.startswith(("ok      memory", "note    memory")) for line in lines)
    assert any(line.startswith("missing weights resources/assets/vocos_mel_24khz") for line in lines)
    assert "are missing or wrong, see the table" in said.err
