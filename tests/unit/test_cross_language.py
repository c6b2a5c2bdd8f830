"""Lips of another language over a clip's own speech: syllable on syllable, rest in pauses."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.training.cross_language import CrossLanguagePairs, nuclei_of, retimed
from syncvoice.training.data import BatchPlan
from tests.unit.training_study import clips, make_study, recipe


def clip(name: str, language: str, *vowels: float, n_frames: int = 50) -> Clip:
    """A clip whose vowels last 0.1 s around the given middles, with consonants up to them and silence around all."""
    phones: list[tuple[str, float, float]] = [("_", 0.0, vowels[0] - 0.1)] if vowels else []
    for middle in vowels:
        phones += [("t", phones[-1][2], middle - 0.05), ("a", middle - 0.05, middle + 0.05)]
    return Clip(name, "train", "d", "p", "", "", language, "", "x", None, Path("a.wav"), n_frames, phones=tuple(phones))


def opening(shown: Clip) -> np.ndarray:
    """Lips that are 1 + k / 10 open at vowel k, and shut in silence."""
    times = (np.arange(shown.n_frames) + 0.5) / 25
    value = np.zeros(shown.n_frames)
    for k, middle in enumerate(nuclei_of(shown)):
        value = np.maximum(value, (1 + k / 10) * np.clip(1 - np.abs(times - middle) / 0.1, 0, 1))
    return value[:, None].astype(np.float32)


def test_vowels_fall_on_vowels_and_pauses_rest() -> None:
    shown, spoken = clip("a", "en", 0.5, 0.9, 1.3), clip("b", "zh", 0.3, 0.5, 1.5)
    moved = retimed(opening(shown), shown, spoken)
    assert moved.shape == (50, 1) and moved.dtype == np.float32
    for k, middle in enumerate(nuclei_of(spoken)):
        near = moved[int(middle * 25) - 1 : int(middle * 25) + 2, 0]
        assert near.max() == pytest.approx(1 + k / 10, abs=0.25), k
    rest = opening(shown)[: int(0.4 * 25), 0].mean()
    assert np.allclose(moved[:5, 0], rest, atol=0.02)  # the silence at the start
    assert np.allclose(moved[-8:, 0], moved[-1, 0])  # and at the end


def test_fewer_vowels_are_gone_through_to_and_fro() -> None:
    shown, spoken = clip("a", "en", 0.5, 1.0), clip("b", "zh", 0.3, 0.6, 0.9, 1.2)
    features = np.linspace(0, 49, 50)[:, None].astype(np.float32)  # the frame itself
    moved = retimed(features, shown, spoken)
    at = [float(np.interp(m, (np.arange(50) + 0.5) / 25, moved[:, 0])) for m in nuclei_of(spoken)]
    assert at == pytest.approx([12.0, 24.5, 12.0, 24.5], abs=1.0)


def test_pairs_are_of_another_language_and_drawn_anew_in_every_epoch() -> None:
    some = [clip(f"e{k}", "en", 0.5, 0.8) for k in range(40)] + [clip(f"z{k}", "zh", 0.4) for k in range(40)]
    pairs = CrossLanguagePairs(some, 0.5, 1)
    chosen = {one.id: pairs.lips_for(one, 0) for one in some}
    assert 25 <= sum(lips is not None for lips in chosen.values()) <= 55
    assert all(lips is None or lips.language != one.language for one, lips in zip(some, chosen.values(), strict=True))
    assert {one.id: pairs.lips_for(one, 0) for one in some} == chosen
    assert {one.id: pairs.lips_for(one, 1) for one in some} != chosen
    assert all(CrossLanguagePairs(some, 0.0, 1).lips_for(one, 0) is None for one in some)


def test_one_language_alone_is_refused() -> None:
    with pytest.raises(UserError, match="in another language than 'en'"):
        CrossLanguagePairs([clip("a", "en", 0.5)], 0.5, 1)


def test_a_plan_with_pairs_is_the_plan_without_but_for_the_lips(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    some = [replace(c, language=("en", "zh")[k % 2], phones=(("a", 0.1, 0.2),)) for k, c in enumerate(clips())]
    plain = list(BatchPlan(some, recipe(study)).steps(0, 6))
    shown = {"cross_language": {"share": 1.0, "conditions": ["lip"]}}
    paired = list(BatchPlan(some, recipe(study, **shown)).steps(0, 6))
    examples = [e for _, step in paired for part in step for e in part]
    assert all(e.lips is not None and e.lips.language != e.clip.language for e in examples)
    without = [(s, [[replace(e, lips=None) for e in part] for part in step]) for s, step in paired]
    assert without == plain
    with pytest.raises(UserError, match="sees no jaw"):
        recipe(study, cross_language={"share": 1.0, "conditions": ["jaw"]})
