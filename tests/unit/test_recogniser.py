"""The recogniser's contract: clocks, masks, batch independence, decoding."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.networks.recogniser import BLANK, CtcRecogniser, features, pad_features
from syncvoice.records import weights

CONFIG = {
    "dim": 16,
    "blocks": 2,
    "kernel": 5,
    "expansion": 2,
    "dropout": 0.1,
    "hanzi": "一你我",
    "phones": ["_", "a", "b"],
}


def _recogniser() -> CtcRecogniser:
    torch.manual_seed(0)
    return CtcRecogniser(CONFIG).eval()


def _sound(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.1, round(16_000 * seconds)).astype(np.float32)


def test_features_have_one_frame_per_10_ms_and_ignore_gain() -> None:
    sound = _sound(0.505)
    found = features(sound)
    assert found.shape == (51, 80) and found.min() >= -1 and found.max() == 1
    torch.testing.assert_close(features(0.1 * sound), found, atol=1e-3, rtol=0)


def test_frame_centres_are_at_the_middle_of_10_ms() -> None:
    click = np.zeros(16_000, np.float32)
    click[160 * 30 + 80] = 1.0
    energy = features(click).mean(dim=1)
    before, after = energy[29].item(), energy[31].item()
    assert energy.argmax() == 30 and before == pytest.approx(after, abs=0.05)


def test_silence_gives_features_and_a_transcript() -> None:
    recogniser = _recogniser()
    assert torch.isfinite(features(np.zeros(1600, np.float32))).all()
    assert features(np.zeros(0, np.float32)).shape == (1, 80)
    assert isinstance(recogniser.transcribe([np.zeros(1600, np.float32)], "en")[0], str)
    assert recogniser.transcribe([], "en") == []


def test_result_does_not_depend_on_the_batch() -> None:
    recogniser, sounds = _recogniser(), [_sound(0.7, 1), _sound(1.23, 2), _sound(0.4, 3)]
    items = [features(sound) for sound in sounds]
    with torch.inference_mode():
        together, phones, lengths = recogniser(*pad_features(items))
        for row, item in enumerate(items):
            alone, alone_phones, length = recogniser(*pad_features([item]))
            torch.testing.assert_close(together[row, : lengths[row]], alone[0, : length[0]], atol=1e-5, rtol=0)
            torch.testing.assert_close(phones[row, : len(item)], alone_phones[0, : len(item)], atol=1e-5, rtol=0)
    assert recogniser.transcribe(sounds, "en") == [recogniser.transcribe([s], "en")[0] for s in sounds]


def test_language_mask_keeps_the_other_script_out() -> None:
    recogniser, sounds = _recogniser(), [_sound(1.0, seed) for seed in range(4)]
    assert all(set(text) <= set(" 'abcdefghijklmnopqrstuvwxyz") for text in recogniser.transcribe(sounds, "en"))
    assert all(set(text) <= set("一你我") for text in recogniser.transcribe(sounds, "zh"))


def test_log_probs_are_normalised_at_their_rates() -> None:
    recogniser, sound = _recogniser(), _sound(1.0)
    symbols, symbol_fps = recogniser.log_probs(sound)
    phones, phone_fps = recogniser.phone_log_probs(sound)
    assert symbols.shape == (50, 1 + 28 + 3) and symbol_fps == 50.0
    assert phones.shape == (100, 3) and phone_fps == 100.0
    torch.testing.assert_close(phones.exp().sum(dim=1), torch.ones(100))
    torch.testing.assert_close(symbols.exp().sum(dim=1), torch.ones(50))


def test_collapse_follows_the_ctc_rule() -> None:
    recogniser = _recogniser()
    path = [BLANK]
    for first, second in pairwise([*recogniser.encode("bin lee "), BLANK]):
        path += [first, first] + ([BLANK] if first == second else [])
    assert recogniser._collapse(torch.tensor(path)) == "bin lee"
    assert recogniser.encode("a#我") == recogniser.encode("a我")


def test_weights_round_trip(tmp_path: Path) -> None:
    recogniser, path, sound = _recogniser(), tmp_path / "recogniser.safetensors", _sound(0.5)
    weights.save_weights(path, recogniser.state_dict(), half=False)
    weights.write_metadata(path, {"config": CONFIG})
    loaded = CtcRecogniser.load(path)
    assert torch.equal(loaded.log_probs(sound)[0], recogniser.log_probs(sound)[0])
