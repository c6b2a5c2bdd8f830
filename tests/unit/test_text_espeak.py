"""The espeak-ng binding: same call, same bytes, whatever was said before."""

import numpy as np
import pytest

from syncvoice.errors import UserError
from syncvoice.minidub.voices import UNSEEN_VOICES, VOICES
from syncvoice.text.espeak import SAMPLE_RATE, engine, phonemize

TEXT = 'bin blue <break time="200ms"/> at f two now'


def test_phonemes() -> None:
    assert phonemize("hello", "en") == "həlˈoʊ"
    assert phonemize("place red by k four please", "en") == phonemize("place red by k four please", "en")
    assert phonemize("Hello. How are you?", "en") == "həlˈoʊ hˈaʊ ɑːɹ juː"
    assert phonemize("天", "zh") == "thˈiɛ5n"
    assert phonemize("", "en") == ""


@pytest.mark.parametrize("variant", ["f2", "klatt4", "announcer", "whisper", "croak", "m1"])
def test_speech_does_not_depend_on_earlier_calls(variant: str) -> None:
    first = engine().synthesise(TEXT, f"en-us+{variant}")
    engine().synthesise("something else", "cmn+f5", rate=300, pitch=90, volume=40)
    phonemize("and a few phonemes", "en")
    second = engine().synthesise(TEXT, f"en-us+{variant}")
    assert np.array_equal(first.audio, second.audio)
    assert first.phonemes == second.phonemes
    assert first.words == second.words


def test_events_and_audio() -> None:
    spoken = engine().synthesise(TEXT, "en-us+f2", rate=170)
    assert spoken.audio.dtype == np.int16
    assert 1.0 < len(spoken.audio) / SAMPLE_RATE < 3.0
    assert [w.position for w in spoken.words] == [TEXT.index(w) + 1 for w in "bin blue at f two now".split()]
    times = [event.sample for event in spoken.phonemes]
    assert times == sorted(times)
    assert "".join(p.symbol for p in spoken.phonemes).startswith("bˈɪnblˈuː")


def test_parameters_work() -> None:
    plain = engine().synthesise(TEXT, "en-us+f2")
    assert len(engine().synthesise(TEXT, "en-us+f2", rate=300).audio) < 0.8 * len(plain.audio)
    assert not np.array_equal(engine().synthesise(TEXT, "en-us+f2", pitch=70).audio, plain.audio)
    quiet = engine().synthesise(TEXT, "en-us+f2", volume=40).audio
    assert np.abs(quiet.astype(int)).max() < np.abs(plain.audio.astype(int)).max()


def test_every_voice_exists() -> None:
    for voice in VOICES.values():
        for language in ("en-us", "cmn") if voice in UNSEEN_VOICES else ("en-us",):
            assert len(engine().synthesise("a", f"{language}+{voice.variant}").audio) > 500


def test_unknown_voice_is_explained() -> None:
    with pytest.raises(UserError, match="xx-nowhere"):
        engine().synthesise("a", "xx-nowhere")
