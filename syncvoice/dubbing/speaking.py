"""Say a text in a voice, without a video: zero-shot speech from public ZipVoice weights or the shipped small ones.

The shipped weights are small and show that everything works; their speech is no measure of ZipVoice. Public weights
(a folder with `model.json`, `tokens.txt` and `model.pt` or `model.safetensors`) speak as published.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.outputs import check_output
from syncvoice.places import SHIPPED, find_path, find_weights
from syncvoice.text.language import check_language

if TYPE_CHECKING:
    from syncvoice.model.public_layout import Release

BACKBONE, VOCODER = SHIPPED / "backbone.safetensors", SHIPPED / "vocoder.safetensors"
PUBLIC_VOCODER = "vocos_mel_24khz"  # asset
MIN_SECONDS, MAX_SECONDS = 0.5, 20.0  # of the recording; with the text the model hears at most 25 s


@dataclass(frozen=True)
class Spoken:
    """What was made.

    Attributes:
        out: the sound file.
        seconds: its length.
        model, vocoder: weight files that spoke.
        took: seconds of work, loading included.
    """

    out: Path
    seconds: float
    model: Path
    vocoder: Path
    took: float


def speak(
    text: str,
    voice: Path | str,
    voice_text: str,
    out: Path | str,
    language: str = "en",
    voice_language: str | None = None,
    model: Path | str | None = None,
    vocoder: Path | str | None = None,
    tokenizer: str = "emilia",
    speed: float = 1.0,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 1,
    precision: str = "auto",
    reading: Literal["own", "public"] = "own",
) -> Spoken:
    """Write a text as speech in the voice of a recording.

    Args:
        text: what is said, of any length; long texts are spoken in pieces.
        voice: recording of the voice, 0.5 to 20 s, any file with sound that FFmpeg reads.
        voice_text: what the recording says, word for word.
        out: WAV file to write, mono 24 kHz.
        language: of the text, "en" or "zh".
        voice_language: of the recording; None means the same.
        model: folder or weight file of public ZipVoice, or start weights of this project; None takes the shipped ones.
        vocoder: weight file; None takes the public Vocos where it is there and a model is named, else the shipped one.
        tokenizer: of public weights, "emilia" or "libritts".
        speed: of speaking, 1 as the recording.
        steps: of sampling; None takes what the public recipe of the weights takes (`zero_shot.Steps.default`).
        guidance: ZipVoice's scale g; None takes 1, distilled weights 3.
        seed: of the noise; another one is another reading.
        precision: "fp32", "bf16" or "auto" (see `syncvoice.device`).
        reading: of English by public weights, "own" or "public", as they learned it (see `text.tokenizer`).

    Returns:
        what was made; the same arguments and machine make the same file.

    Raises:
        UserError: an argument or a file cannot be used; says which and what to do.

    Example:
        >>> from syncvoice.dubbing import speak
        >>> made = speak("we will rest today", voice="voice.wav", voice_text="bin blue at f two now", out="rest.wav")
        >>> made.out.name, made.model.name, 0.5 < made.seconds < 5
        ('rest.wav', 'backbone.safetensors', True)
    """
    from syncvoice.device import resolve_device
    from syncvoice.fast.precision import prepare_for_sampling
    from syncvoice.generation import zero_shot
    from syncvoice.model.vocoder import Vocoder

    began = time.perf_counter()
    voice, out = Path(voice), Path(out)
    _check(text, voice, voice_text, out, speed, steps)
    check_language(text, language)
    check_language(voice_text, voice_language or language)
    recording = _recording(voice)
    release, weights = _release(model, tokenizer, reading)
    vocoder = _vocoder(model) if vocoder is None else Path(vocoder)
    device = resolve_device()
    prepare_for_sampling(release.model.to(device), precision)
    prompt = zero_shot.make_prompt(release, recording, voice_text, voice_language or language)
    usual = zero_shot.Steps.default(release.model, release.tokenizer)
    sampling = replace(
        usual, num_steps=steps or usual.num_steps, seed=seed,
        guidance_scale=usual.guidance_scale if guidance is None else guidance,
    )  # fmt: skip
    sound = zero_shot.speak(release, Vocoder.load(vocoder).to(device), prompt, text, language, speed, sampling)
    _write(out, sound, weights)
    return Spoken(out, len(sound) / SAMPLE_RATE, weights, vocoder, time.perf_counter() - began)


def _check(text: str, voice: Path, voice_text: str, out: Path, speed: float, steps: int | None) -> None:
    """Refuse what cannot work before anything is loaded."""
    for name, value in (("--text", text), ("--voice-text", voice_text)):
        if not any(letter.isalnum() for letter in value):
            raise UserError(f"{name} {value!r} holds no word; give the words that are said")
    if not 0.25 <= speed <= 4:
        raise UserError(f"--speed is {speed:g}; choose a number from 0.25 to 4")
    if steps is not None and steps < 1:
        raise UserError(f"--steps is {steps}; at least one is needed")
    check_output(out, {"recording of the voice": voice})
    if out.suffix.lower() != ".wav":
        raise UserError(f"--out is {out}; give the name of a .wav file")
    if not voice.is_file():
        raise UserError(f"voice {voice} does not exist; give a recording of one person speaking")


def _recording(path: Path) -> np.ndarray:
    """Read the recording: (samples,) float32 at 24 kHz."""
    from syncvoice.video.decode import ClipProblem, read_sound

    try:
        audio = read_sound(path, None)
    except ClipProblem as problem:
        raise UserError(f"voice {path}: {problem.message}; give a recording of one person speaking") from problem
    seconds = len(audio) / SAMPLE_RATE
    if not np.isfinite(audio).all() or not np.abs(audio).max(initial=0) > 1e-3:
        raise UserError(f"voice {path} is silent or damaged; give a recording of one person speaking")
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UserError(
            f"voice {path} lasts {seconds:.1f} s, expected {MIN_SECONDS:g} to {MAX_SECONDS:g} s; cut it with its text"
        )
    return audio


def _release(model: Path | str | None, tokenizer: str, reading: Literal["own", "public"]) -> tuple["Release", Path]:
    """The model to speak with and its weight file."""
    from syncvoice.model.public_layout import layout_files, load_release

    path = find_path(BACKBONE) if model is None else Path(model)
    if not path.exists():
        hint = "give the folder of public ZipVoice weights" if model else "give the folder of weights with --model"
        raise UserError(f"model {path} does not exist; {hint}")
    return load_release(path, tokenizer, reading=reading), layout_files(path)[0]


def _vocoder(model: Path | str | None) -> Path:
    """The vocoder that belongs to a model."""
    public = find_weights(PUBLIC_VOCODER) if model is not None else None
    return public or find_path(VOCODER)


def _write(out: Path, sound: np.ndarray, weights: Path) -> None:
    """Write the sound.

    Raises:
        UserError: it is not finite, or the file cannot be written.
    """
    from syncvoice.audio import write_wav

    if not np.isfinite(sound).all():
        raise UserError(f"{weights} gave sound that is not finite; try --precision fp32")
    try:
        write_wav(out, sound, SAMPLE_RATE)
    except (OSError, RuntimeError) as error:
        raise UserError(f"{out} cannot be written ({error}); choose another place") from error
