"""Where weights and configuration are looked for: working directory, SYNCVOICE_ASSETS, the checkout."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from syncvoice import places
from syncvoice.audio import write_wav
from syncvoice.errors import UserError

REPOSITORY = Path(__file__).resolve().parents[2]


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")
    return path


def test_weights_are_found_in_every_place_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, store, checkout = tmp_path / "here", tmp_path / "store", tmp_path / "checkout"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(places, "CHECKOUT", checkout)
    monkeypatch.setenv("SYNCVOICE_ASSETS", str(store))
    with pytest.raises(UserError, match=r"^mos needs the weights s3fd: put the MIT file at resources/assets/s3fd, .*"):
        places.weights_file("s3fd", user="mos", what="the MIT file")
    with pytest.raises(UserError, match=rf"s3fd are not in resources/assets, weights, {store}, {checkout}/resources"):
        places.weights_file("s3fd")
    write(checkout / "weights/s3fd.json"), write(checkout / "weights/s3fd.csv")
    assert places.find_weights("s3fd") is None, "a description is no weight file"
    for place in (checkout / "weights/s3fd.safetensors", checkout / "resources/assets/s3fd.pth", store / "s3fd"):
        written = write(place)
        assert places.weights_file("s3fd") == written
    write(here / "resources/assets/s3fd")
    assert places.find_weights("s3fd") == Path("resources/assets/s3fd")
    assert places.find_weights("s3fd", (tmp_path / "none",)) == store / "s3fd"


def test_paths_of_the_project_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert places.find_path("config/assets.yaml") == REPOSITORY / "config/assets.yaml"
    assert places.find_path("config/none.yaml") == Path("config/none.yaml")
    write(tmp_path / "config/assets.yaml")
    assert places.find_path("config/assets.yaml") == Path("config/assets.yaml")


def test_folders_are_scored_outside_the_checkout(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32)
    write_wav(tmp_path / "made" / "a.wav", sound, 24_000)
    (tmp_path / "texts.csv").write_text("utterance,text\na,we will rest today\n")
    command = ["score", "--generated", "made", "--texts", "texts.csv", "--metric", "wer.ctc_mini", "--out", "x.csv"]
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from syncvoice.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program, *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "wer.ctc_mini" in (tmp_path / "x.csv").read_text()
