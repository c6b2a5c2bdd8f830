"""The mouth does what phonetics says, and prosody finds the pitch and energy that were put in."""

import numpy as np
import pytest

from syncvoice.text.articulation import ARTICULATORS, VISEMES, articulation, prosody, visemes_of
from syncvoice.text.phones import PHONE_CLASSES

OPENING, WIDTH, ROUNDING, CLOSURE, TEETH = range(5)


def timed(*phones: tuple[str, float]) -> list[tuple[str, float, float]]:
    """Turn (symbol, seconds) into (symbol, start, end)."""
    edges = np.concatenate([[0.0], np.cumsum([seconds for _, seconds in phones])])
    return [(symbol, edges[k], edges[k + 1]) for k, (symbol, _) in enumerate(phones)]


def at(phones: list, index: int, fps: float = 200.0) -> np.ndarray:
    """Articulation in the middle of a phone."""
    curves = articulation(phones, int(phones[-1][2] * fps), fps)
    return curves[int((phones[index][1] + phones[index][2]) / 2 * fps)]


def test_every_phone_class_has_its_own_viseme() -> None:
    assert [s for s in PHONE_CLASSES if any(c not in VISEMES for c in s)] == []


def test_range_shape_and_type() -> None:
    phones = timed(("_", 0.2), *((symbol, 0.07) for symbol in PHONE_CLASSES[1:]), ("_", 0.2))
    curves = articulation(phones, 100)
    assert curves.shape == (100, len(ARTICULATORS)) and curves.dtype == np.float32
    assert curves.min() >= 0 and curves.max() <= 1


def test_vowels_differ_as_they_should() -> None:
    def vowel(symbol: str) -> np.ndarray:
        return at(timed(("_", 0.2), ("t", 0.06), (symbol, 0.2), ("t", 0.06), ("_", 0.2)), 2)

    assert vowel("ɑ")[OPENING] > vowel("ɛ")[OPENING] > vowel("i")[OPENING]
    assert vowel("i")[WIDTH] > vowel("ɑ")[WIDTH] > vowel("u")[WIDTH]
    assert vowel("u")[ROUNDING] > 0.8 > 0.2 > vowel("i")[ROUNDING]


def test_a_quarter_of_a_frame_before_and_after_is_twice_the_rate() -> None:
    phones = timed(("_", 0.2), ("p", 0.08), ("ɑ", 0.21), ("s", 0.1), ("_", 0.2))
    both = [articulation(phones, 19, later=later) for later in (-0.25, 0.25)]
    np.testing.assert_allclose(np.stack(both, axis=1).reshape(38, -1), articulation(phones, 38, 50.0), atol=1e-6)


@pytest.mark.parametrize("phase", np.linspace(0, 0.039, 7))
@pytest.mark.parametrize("symbol", ["p", "b", "m"])
def test_bilabials_close_in_at_least_one_frame(symbol: str, phase: float) -> None:
    curves = articulation(timed(("ɑ", 0.3 + phase), (symbol, 0.03), ("ɑ", 0.3)), 15)
    assert curves[:, CLOSURE].max() == 1.0
    assert curves[:, OPENING].min() == 0.0


def test_labiodental_is_nearly_closed_and_shows_teeth() -> None:
    lips = at(timed(("ɑ", 0.2), ("f", 0.1), ("ɑ", 0.2)), 1)
    assert lips[CLOSURE] == pytest.approx(0.6, abs=0.05) and lips[OPENING] < 0.3 and lips[TEETH] > 0.4


def test_silence_relaxes_to_rest() -> None:
    curves = articulation(timed(("ɑ", 0.3), ("_", 0.8)), 27)
    assert curves[20, OPENING] < 0.05 and curves[20, CLOSURE] > 0.5


def test_rounding_is_anticipated() -> None:
    before_u, before_i = (at(timed(("_", 0.2), ("s", 0.12), (vowel, 0.2)), 1) for vowel in "ui")
    assert before_u[ROUNDING] > before_i[ROUNDING] + 0.1


def test_sampled_function_of_time_does_not_depend_on_rate() -> None:
    phones = timed(("_", 0.2), ("b", 0.07), ("aɪ", 0.2), ("n", 0.08), ("_", 0.2))
    slow, fast = articulation(phones, 18, 25.0), articulation(phones, 18 * 15, 375.0)
    np.testing.assert_allclose(slow, fast[7::15], atol=1e-6)


def test_objects_and_unknown_symbols() -> None:
    class Timed:
        symbol, start_s, end_s = "☃", 0.0, 0.4

    assert articulation([Timed()], 10).shape == (10, 5)
    assert visemes_of("aɪ") == [VISEMES["a"], VISEMES["ɪ"]]
    assert visemes_of("ˈuː5") == [VISEMES["u"]]
    assert articulation([], 4)[:, OPENING].max() < 0.05


def sweep(semitones: float, seconds: float = 2.0, rate: int = 24000) -> tuple[np.ndarray, np.ndarray]:
    """Return a harmonic tone whose pitch swings once per second, and its pitch in octaves from the middle."""
    time = np.arange(int(seconds * rate)) / rate
    octaves = semitones / 12 * np.sin(2 * np.pi * time)
    phase = 2 * np.pi * np.cumsum(160 * 2**octaves) / rate
    return sum(np.sin(k * phase) / k for k in range(1, 9)).astype(np.float32) * 0.1, octaves


def test_prosody_follows_pitch() -> None:
    audio, octaves = sweep(5)
    pitch = prosody(audio, 24000, 50)[:, 1]
    truth = octaves[480::960]
    assert np.corrcoef(pitch, truth)[0, 1] > 0.97
    assert np.ptp(pitch) == pytest.approx(np.ptp(truth) / 1.2, rel=0.2)


def test_prosody_follows_energy_and_rests_in_silence() -> None:
    audio, _ = sweep(0)
    audio[24000:] = 0
    curves = prosody(audio, 24000, 50)
    assert curves[:20, 0].min() > 0.4 and curves[30:, 0].max() < 0.02
    np.testing.assert_allclose(curves[32:, 1], 0.5, atol=0.02)
    assert curves.shape == (50, 2) and 0 <= curves.min() and curves.max() <= 1


def test_prosody_at_other_rates() -> None:
    audio, _ = sweep(5)
    slow, fast = prosody(audio, 24000, 50), prosody(audio, 24000, 750, fps=375.0)
    np.testing.assert_allclose(slow, fast[7::15], atol=1e-5)
    assert np.isfinite(prosody(np.zeros(100, np.float32), 16000, 3)).all()
