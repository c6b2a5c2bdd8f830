"""Which model dubs, and how it is guided."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncvoice.dubbing import Sound
from syncvoice.dubbing.model import KNOWN_PLACES, SMALL_GUIDED_UNTIL, SMALL_TEMPERATURE, default_model
from syncvoice.dubbing.speech import GUIDED_SCALE
from syncvoice.errors import UserError
from syncvoice.study import read_study


def test_a_small_model_speaks_as_the_rows_of_mini() -> None:
    row = read_study(Path(__file__).parents[2] / "config" / "mini.yaml").experiments["M3"]
    assert row.temperature == SMALL_TEMPERATURE
    assert row.scales == dict.fromkeys(("text", "face", "lip"), GUIDED_SCALE)
    assert {name: rule.until for name, rule in row.rules.items()} == dict.fromkeys(row.scales, SMALL_GUIDED_UNTIL)


def test_a_study_s_model_comes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncvoice.places.CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    for place in KNOWN_PLACES[::-1]:
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_bytes(b"")
        assert default_model() == tmp_path / place, "found from another folder too"
    monkeypatch.chdir(tmp_path)
    assert default_model() == Path("results/mini/models/full/model.safetensors")


def test_model_without_a_branch_is_not_guided_by_it() -> None:
    config = SimpleNamespace(visual_dims={"face": 20})
    speaker: Any = SimpleNamespace(model=SimpleNamespace(config=config), name="small", guided_until=0.5)
    scales = Sound().guidance("en", speaker)
    assert scales.active() == ("text", "face")
    assert (scales.at(0.5)["text"], scales.at(0.6)["text"]) == (3, 1)
    assert Sound().guidance("zh", speaker).at(0.6)["text"] == 2
    with pytest.raises(UserError, match="small has no lip branch"):
        Sound(scales={"lip": 1.0}).guidance("en", speaker)
