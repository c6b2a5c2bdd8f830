"""Speech of an experiment: known duration, noise by name, controls, sweeps, failures as rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice import clocks
from syncvoice.audio import read_wav
from syncvoice.errors import UserError
from syncvoice.generation.requests import swapped
from syncvoice.generation.settings import point_name, points_of
from syncvoice.generation.speech import Sampling, batches_by_length, synthesise
from syncvoice.generation.work import save
from syncvoice.model.guidance import Scales
from syncvoice.model.vocoder import Vocoder
from syncvoice.records.tasks import Utterance
from tests.unit.test_model import make_model, make_request

VOCODER = {"dim": 16, "intermediate": 24, "layers": 1}


def row(name: str, text: str = "bin blue") -> Utterance:
    return Utterance(
        name, name, "test", "d", text, "en", "v", "female", "yes", "grid", "r", "reference", "set red", "en", 10
    )


def test_speech_is_exactly_as_long_as_the_video() -> None:
    torch.manual_seed(0)
    requests = [make_request(name, n) for name, n in (("a", 9), ("b", 14), ("c", 9))]
    made = {
        r.name: sound
        for r, sound, _ in synthesise(make_model(), Vocoder(VOCODER).eval(), requests, Sampling(Scales(2.0), 2))
    }
    assert {name: len(sound) for name, sound in made.items()} == {"a": 9 * 960, "b": 14 * 960, "c": 9 * 960}


def test_speech_of_an_utterance_does_not_depend_on_the_order_of_the_task() -> None:
    torch.manual_seed(0)
    model, vocoder = make_model(), Vocoder(VOCODER).eval()
    requests = [make_request(name, n) for name, n in (("a", 9), ("b", 12), ("c", 9))]
    one = {r.name: sound for r, sound, _ in synthesise(model, vocoder, requests, Sampling(Scales(2.0), 2))}
    two = {r.name: sound for r, sound, _ in synthesise(model, vocoder, requests[::-1], Sampling(Scales(2.0), 2))}
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_parts_of_a_text_decide_where_it_is_spoken() -> None:
    torch.manual_seed(0)
    model, vocoder = make_model(), Vocoder(VOCODER).eval()
    whole = make_request("a", 12)
    n, frames = len(whole.tokens), clocks.mel_frames(12)
    late = replace(whole, parts=((0, frames - 6), (n, 6)))
    sampling = Sampling(Scales(2.0), 2)
    plain, shifted = (next(iter(synthesise(model, vocoder, [r], sampling)))[1] for r in (whole, late))
    assert not np.allclose(plain, shifted)


def test_same_name_same_noise_other_name_other_noise() -> None:
    model, vocoder = make_model(), Vocoder(VOCODER).eval()
    a = make_request("a", 9)
    twin, other = a, make_request("a", 9)
    object.__setattr__(other, "name", "z")
    sounds = [next(iter(synthesise(model, vocoder, [r], Sampling(Scales(2.0), 2))))[1] for r in (a, twin, other)]
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert not np.allclose(sounds[0], sounds[2])


def test_temperature_scales_the_noise() -> None:
    model, vocoder = make_model(), Vocoder(VOCODER).eval()
    one, other = (replace(make_request("a", 9), seed=seed) for seed in (1, 2))

    def sounds(temperature: float) -> list[np.ndarray]:
        sampling = Sampling(Scales(2.0), 2, temperature=temperature)
        return [next(iter(synthesise(model, vocoder, [r], sampling)))[1] for r in (one, other)]

    np.testing.assert_array_equal(*sounds(0.0))  # nothing is left of the noise
    np.testing.assert_array_equal(
        sounds(1.0)[0], next(iter(synthesise(model, vocoder, [one], Sampling(Scales(2.0), 2))))[1]
    )
    near, far = (float(np.abs(a - b).max()) for a, b in (sounds(0.3), sounds(1.0)))
    assert 0 < near < far


def test_batches_hold_like_lengths_and_every_request_once() -> None:
    requests = [make_request(f"r{i}", 5 + (i * 7) % 60) for i in range(40)]
    batches = batches_by_length(requests, context=True)
    assert sorted(r.name for b in batches for r in b) == sorted(r.name for r in requests)
    lengths = [r.n_frames for b in batches for r in b]
    assert lengths == sorted(lengths)


def test_controls_give_every_utterance_another_partner() -> None:
    rows = [row(f"u{i}", f"text {i}") for i in range(9)]
    partners = swapped(rows, 1, "video")
    assert sorted(p.utterance for p in partners) == sorted(r.utterance for r in rows)
    assert all(p.utterance != r.utterance for p, r in zip(partners, rows, strict=True))
    assert partners != swapped(rows, 2, "video")
    with pytest.raises(UserError, match="at least two"):
        swapped(rows[:1], 1, "video")


def test_points_of_a_sweep() -> None:
    assert points_of(Scales(2.0), None) == [("", Scales(2.0))]
    grid = points_of(Scales(2.0), {"face": [0.0, 2.0], "lip": [1.0]})
    assert [name for name, _ in grid] == ["face0.0_lip1.0", "face2.0_lip1.0"]
    assert grid[1][1] == Scales(2.0, face=2.0, lip=1.0)
    assert point_name(grid[1][1], ["face", "lip"]) == grid[1][0]


def test_a_sweep_ranges_over_any_condition_text_first() -> None:
    grid = points_of(Scales(2.0, lip=3.0), {"lip": [1.0], "text": [1.0, 2.0], "head_pose": [0.25]})
    assert [name for name, _ in grid] == ["text1.0_head_pose0.25_lip1.0", "text2.0_head_pose0.25_lip1.0"]
    assert grid[1][1] == Scales(2.0, head_pose=0.25, lip=1.0)


def test_sound_that_is_not_finite_is_a_failed_row(tmp_path: Path) -> None:
    good = save(tmp_path, "a", "p", np.zeros(960, np.float32))
    assert good["status"] == "ok"
    assert read_wav(tmp_path / "p/a.wav")[1] == clocks.SAMPLE_RATE
    bad = save(tmp_path, "b", "", np.array([np.nan], np.float32))
    assert bad["status"] == "failed" and "not finite" in str(bad["message"])
    assert not (tmp_path / "b.wav").exists()
