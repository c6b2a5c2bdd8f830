"""Rules around zero-shot sampling, against values worked out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from syncvoice.errors import UserError
from syncvoice.generation.zero_shot import (
    Prompt,
    Steps,
    join,
    level,
    make_prompt,
    predicted_frames,
    restore_level,
    sample,
    speak,
    split_text,
    tidy_prompt,
    trim,
    with_end_mark,
)
from syncvoice.model.public_layout import Release
from syncvoice.model.vocoder import Vocoder
from syncvoice.text.tokenizer import EmiliaTokenizer
from tests.unit.public_weights import tiny

RATE = 24_000
FEW = Steps(num_steps=2)


@pytest.fixture(scope="module")
def release() -> Release:
    return Release(tiny(), EmiliaTokenizer())


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    torch.manual_seed(0)
    return Vocoder({"dim": 16, "intermediate": 16, "layers": 1, "refine": 0}).eval()


def tone(seconds: float, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(np.arange(round(seconds * RATE)) * 0.05)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


@pytest.mark.parametrize(
    ("prompt_frames", "prompt_tokens", "tokens", "speed", "frames"),
    [
        (300, 60, 45, 1.0, 225),  # 5 frames per token
        (100, 30, 7, 1.0, 24),  # 23.33, rounded up
        (100, 30, 7, 2.0, 12),  # 11.67
        (100, 30, 7, 0.5, 47),  # 46.67
        (281, 40, 40, 1.0, 281),
    ],
)
def test_predicted_length(prompt_frames: int, prompt_tokens: int, tokens: int, speed: float, frames: int) -> None:
    assert predicted_frames(prompt_frames, prompt_tokens, tokens, speed) == frames


def test_sample_has_the_predicted_or_the_given_length(release: Release) -> None:
    prompt = Prompt(torch.zeros(30, 100), [20, 30, 40], 0.1)  # 10 frames per token
    assert len(sample(release.model, prompt, [50, 60], steps=FEW)) == 20
    assert len(sample(release.model, prompt, [50, 60], speed=1.5, steps=FEW)) == 14  # 13.3
    assert len(sample(release.model, prompt, [50, 60], frames=7, steps=FEW)) == 7
    first, other = (sample(release.model, prompt, [50, 60], steps=Steps(2, seed=seed)) for seed in (1, 2))
    assert not torch.allclose(first, other)
    with pytest.raises(UserError, match="the prompt text has no symbol"):
        sample(release.model, Prompt(torch.zeros(30, 100), [], 0.1), [50])
    with pytest.raises(UserError, match="the text has no symbol"):
        sample(release.model, prompt, [])


def test_prompt_comes_first_and_the_target_has_no_speech(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Tensor, Tensor]] = []
    velocity = release.model.velocity

    def watched(x_t: Tensor, text: Tensor, speech: Tensor, *rest: Tensor, **more: object) -> Tensor:
        seen.append((text, speech))
        return velocity(x_t, text, speech, *rest, **more)

    monkeypatch.setattr(release.model, "velocity", watched)
    prompt = Prompt(torch.full((8, 100), 0.25), [20, 30], 0.1)
    sample(release.model, prompt, [50, 60], frames=5, steps=FEW)
    text, speech = seen[0]  # blocks of the batch: without text, with text
    assert speech.shape == (2, 13, 100) and torch.all(speech[:, :8] == 0.25) and torch.all(speech[:, 8:] == 0)
    assert torch.all(text[0] == 0)
    encoded = release.model.encode_text([[20, 30, 50, 60]])[0]  # 13 // 4 = 3 frames each, the rest on the pad's row
    rows = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4]
    torch.testing.assert_close(text[1], encoded[rows])


def test_quiet_prompts_are_raised_to_a_tenth_and_the_speech_lowered_again() -> None:
    quiet, rms = level(np.array([0.05, -0.05], np.float32))
    np.testing.assert_allclose(quiet, [0.1, -0.1], rtol=1e-6)
    assert rms == pytest.approx(0.05)
    np.testing.assert_allclose(restore_level(np.array([0.4, -0.2], np.float32), rms), [0.2, -0.1], rtol=1e-6)
    loud = np.array([0.3, -0.3], np.float32)
    assert level(loud)[0] is loud and level(loud)[1] == pytest.approx(0.3)
    assert restore_level(loud, 0.3) is loud
    nothing = silence(0.1)
    assert level(nothing)[0] is nothing and restore_level(loud, 0.0) is loud


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Hello", "Hello."), ("Hello? ", "Hello?"), ("你好", "你好."), ("你好。", "你好。"), ("wait…", "wait…"), ("", "")],
)
def test_end_mark(text: str, expected: str) -> None:
    assert with_end_mark(text) == expected


@pytest.mark.parametrize(
    ("text", "longest", "pieces"),
    [
        ("One. Two, three! Four?", 100, ["One. Two, three! Four?"]),
        ("One. Two, three! Four?", 11, ["One. Two,", "three! Four?"[:6], "Four?"]),
        ("One. Two, three! Four?", 12, ["One. Two,", "three! Four?"]),
        ("It costs 3.14 dollars. Yes.", 5, ["It costs 3.14 dollars.", "Yes."]),  # no cut inside a number
        ("你好。我们去学校，好吗？", 6, ["你好。", "我们去学校，", "好吗？"]),
        ("no punctuation at all", 3, ["no punctuation at all"]),
    ],
)
def test_long_texts_are_cut_at_punctuation(text: str, longest: int, pieces: list[str]) -> None:
    assert split_text(text, longest) == pieces


def test_parts_are_joined_by_a_cross_fade() -> None:
    joined = join([np.ones(5000, np.float32), np.full(4000, 3, np.float32)])
    assert len(joined) == 5000 + 4000 - 2400  # 0.1 s of both
    assert np.all(joined[:2600] == 1) and np.all(joined[5000:] == 3)
    np.testing.assert_allclose(joined[2600:5000], 1 + 2 * np.linspace(0, 1, 2400), rtol=1e-5)
    assert len(join([np.ones(100, np.float32), np.ones(5000, np.float32)])) == 5000
    assert len(join([np.ones(7, np.float32)])) == 7


def test_silence_at_the_ends_is_cut_to_a_tenth_of_a_second() -> None:
    sound = np.concatenate([silence(0.5), tone(1), silence(0.3)])
    found = trim(sound)
    assert len(found) == round(1.2 * RATE)
    np.testing.assert_array_equal(found, sound[round(0.4 * RATE) : round(1.6 * RATE)])
    assert len(trim(tone(1))) == RATE and len(trim(silence(1))) == RATE
    assert len(trim(np.concatenate([tone(0.5, 0.002), tone(1)]))) == round(1.1 * RATE)  # -57 dBFS is silence


def test_prompt_pauses_are_cut_to_a_second_and_silence_follows() -> None:
    found = tidy_prompt(np.concatenate([silence(1), tone(1), silence(3), tone(1), silence(0.4), tone(1), silence(2)]))
    assert len(found) == round((0.1 + 1 + 1 + 1 + 0.4 + 1 + 0.1 + 0.2) * RATE)
    assert np.all(found[-round(0.3 * RATE) :] == 0)


def test_make_prompt(release: Release) -> None:
    audio = np.concatenate([silence(0.5), tone(1, 0.02)])
    raw, tidy = (make_prompt(release, audio, "Hello", "en", raw) for raw in (True, False))
    assert len(raw.mel) == (len(audio) + 128) // 256 and len(tidy.mel) == (round(1.3 * RATE) + 128) // 256
    assert tidy.tokens == [*raw.tokens, release.tokenizer.vocabulary["."]]
    assert tidy.rms > raw.rms and raw.rms == pytest.approx(0.02 / 2**0.5 * (1 / 1.5) ** 0.5, rel=0.01)


def test_speak(release: Release, vocoder: Vocoder) -> None:
    prompt = make_prompt(release, tone(1, 0.02), "Hello you", "en", raw=True)
    text = "Hello there."
    sound = speak(release, vocoder, prompt, text, "en", steps=FEW, raw=True)
    tokens = release.tokenizer.encode(text, "en")
    frames = predicted_frames(len(prompt.mel), len(prompt.tokens), len(tokens))
    mel = sample(release.model, prompt, tokens, steps=FEW)
    expected = vocoder.decode(mel, (frames - 1) * 256).numpy() * (prompt.rms / 0.1)
    np.testing.assert_allclose(sound, expected, atol=1e-6)


def test_a_long_text_is_said_in_pieces(release: Release, vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt of 10 s with 12 tokens leaves 15 s, 17 tokens, to a piece; 今天，我们去学校。 has 16."""
    prompt = Prompt(torch.zeros(938, 100), [20] * 12, 0.1)
    said: list[int] = []

    def short(model: object, prompt: Prompt, tokens: list[int], *rest: object) -> Tensor:
        said.append(len(tokens))
        return torch.zeros(40, 100)

    monkeypatch.setattr("syncvoice.generation.zero_shot.sample", short)
    speak(release, vocoder, prompt, "今天，我们去学校。明天，我们去银行。后天，我们回家", "zh")
    assert said == [16, 16, 14]
    said.clear()
    speak(release, vocoder, prompt, "今天，我们去学校。明天，我们去银行。后天，我们回家", "zh", raw=True)
    assert len(said) == 1
