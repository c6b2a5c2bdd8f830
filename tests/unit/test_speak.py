"""`syncvoice speak`: from text and recording to a sound file, with public and with shipped weights."""

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.audio import read_wav, write_wav
from syncvoice.cli import main
from syncvoice.dubbing import speak, speaking
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.generation import zero_shot
from syncvoice.model.public_layout import load_release, save_release
from syncvoice.model.vocoder import Vocoder
from syncvoice.records.weights import save_weights, write_metadata
from syncvoice.text.vocabulary import emilia_symbols
from tests.unit.public_weights import tiny
from tests.unit.spoken import speech

REPOSITORY = Path(__file__).resolve().parents[2]
VOICE_TEXT = "bin blue at f two now"
VOCODER = {"dim": 16, "intermediate": 16, "layers": 1, "refine": 0}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside the checkout with a recording and tiny weights in the public layout."""
    monkeypatch.chdir(tmp_path)
    write_wav("voice.wav", speech("klatt4").audio, 24_000)
    torch.manual_seed(0)
    save_weights("tiny.safetensors", Vocoder(VOCODER).state_dict())
    write_metadata("tiny.safetensors", {"config": VOCODER})
    for kind in ("plain", "distilled"):
        save_release(kind, tiny(distilled=kind == "distilled"), emilia_symbols(), safetensors=kind == "plain")
    return tmp_path


def say(out: str = "out.wav", text: str = "we rest", **options: object) -> speaking.Spoken:
    chosen = {"model": "plain", "vocoder": "tiny.safetensors", "steps": 2, "precision": "fp32", **options}
    return speak(text, "voice.wav", VOICE_TEXT, out, **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["plain", "distilled", "plain/model.safetensors"])
def test_public_weights_speak_as_the_plain_estimator(place: Path, model: str) -> None:
    made = say(model=model, steps=3)
    release = load_release(model)
    prompt = zero_shot.make_prompt(release, read_wav("voice.wav")[0], VOICE_TEXT, "en")
    steps = zero_shot.Steps(3, zero_shot.Steps.default(release.model).guidance_scale, seed=1)
    expected = zero_shot.speak(release, Vocoder.load("tiny.safetensors"), prompt, "we rest", "en", steps=steps)
    found, rate = read_wav(made.out)
    assert rate == 24_000 and len(found) == len(expected) == round(made.seconds * rate)
    assert np.abs(found - np.clip(expected, -1, 1)).max() < 1e-3
    assert made.model == (Path(model) if "/" in model else next(Path(model).glob("model.[sp]*")))


def test_same_arguments_same_bytes(place: Path) -> None:
    digests = [sha256_of(say(f"{k}.wav", seed=seed).out) for k, seed in enumerate((1, 1, 2))]
    assert digests[0] == digests[1] != digests[2]
    assert say("slow.wav", speed=0.5).seconds > 1.5 * say("fast.wav", speed=2).seconds


def test_command_with_shipped_weights_from_any_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["speak", "--text", "we will rest today", "--voice", "voice.wav", "--voice-text", VOICE_TEXT]
    assert main([*arguments, "--out", "rest.wav", "--steps", "4"]) == 0
    shown = capsys.readouterr().out
    assert "synthetic speech" in shown and str(REPOSITORY / "weights" / "backbone.safetensors") in shown
    sound = read_wav("rest.wav")[0]
    assert 0.5 < len(sound) / 24_000 < 5 and np.sqrt(np.mean(sound**2)) > 0.005
    assert main([*arguments, "--out", "voice.wav"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_example_of_the_docstring(place: Path) -> None:
    (example,) = doctest.DocTestFinder().find(speak, "speak", globs={})
    result = doctest.DocTestRunner().run(example)
    assert result.attempted == 3 and not result.failed


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"text": " "}, "--text ' ' holds no word"),
        ({"text": "☃ ..."}, "--text '☃ ...' holds no word"),
        ({"out": "out.mp3"}, "give the name of a .wav file"),
        ({"out": "plain/../voice.wav"}, "is the recording of the voice itself"),
        ({"out": "voice.wav/out.wav"}, "cannot be written"),
        ({"speed": 0.0}, "--speed is 0"),
        ({"steps": 0}, "--steps is 0"),
        ({"model": "nowhere"}, "model nowhere does not exist"),
        ({"model": "tiny.safetensors"}, "holds no whole ZipVoice"),
        ({"model": REPOSITORY / "weights" / "dubbing.safetensors"}, "holds no whole ZipVoice"),
        ({"vocoder": "nowhere.pt"}, "weights nowhere.pt do not exist"),
        ({"tokenizer": "bpe"}, "no tokenizer 'bpe'"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(place: Path, options: dict, sentence: str) -> None:
    before = sha256_of(place / "voice.wav")
    with pytest.raises(UserError, match=sentence):
        say(**options)
    assert sha256_of(place / "voice.wav") == before and not (place / "out.wav").exists()


def test_recordings_that_cannot_be_used_are_sentences(place: Path) -> None:
    sound = speech("klatt4").audio
    cases = {"short": sound[:8000], "silent": np.zeros(48_000, np.float32), "long": np.tile(sound, 20)}
    for name, audio in cases.items():
        write_wav(f"{name}.wav", audio, 24_000)
        with pytest.raises(UserError, match="expected 0.5 to 20 s|silent or damaged"):
            speak("we rest", f"{name}.wav", VOICE_TEXT, "out.wav", model="plain", vocoder="tiny.safetensors")
    with pytest.raises(UserError, match="voice none.wav does not exist"):
        speak("we rest", "none.wav", VOICE_TEXT, "out.wav")
    (place / "text.wav").write_text("no sound")
    with pytest.raises(UserError, match="voice text.wav: "):
        speak("we rest", "text.wav", VOICE_TEXT, "out.wav")
