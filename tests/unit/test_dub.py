"""`syncvoice dub` from file to file with a tiny random model: lengths, picture, marks, repeatability, cues, errors."""

import doctest
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

import syncvoice
from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.dubbing import Dubbed, Sound
from syncvoice.dubbing.model import load_dubbing_model, save_difference
from syncvoice.errors import UserError
from syncvoice.features.base import key_of, make_extractor
from syncvoice.features.conditions import Seen
from syncvoice.files import read_json, write_json
from syncvoice.model.start import save_model
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.model.vocoder import Vocoder
from syncvoice.provenance import reachable
from syncvoice.video.decode import read_sound
from tests.unit.clip_files import blank_frames, clicks, face_frames, write_video
from tests.unit.test_generation import VOCODER
from tests.unit.test_model import TINY
from tests.unit.test_mux import packets
from tests.unit.training_study import start_weights

N = 40  # frames of the clip
BLIND = {"face": 0.0, "lip": 0.0}
EXTRACTORS = {"lip": "mesh_lip", "face": "mesh_face"}
CONDITIONS = {
    name: Seen.of_key(name, key_of(make_extractor(extractor))).model_dump() for name, extractor in EXTRACTORS.items()
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip, a voice and a model whose fusion is random."""
    folder = tmp_path_factory.mktemp("dub")
    write_video(folder / "clip.mp4", face_frames(N), clicks(N * 960), sound_codec="aac")
    draw = np.random.default_rng(0)
    write_wav(folder / "ref.wav", draw.normal(0, 0.05, 36_000).astype(np.float32), 24_000)
    start_weights(folder)
    torch.manual_seed(1)
    from syncvoice.records.weights import save_weights, write_metadata

    save_weights(folder / "vocoder.safetensors", Vocoder(VOCODER).state_dict())
    write_metadata(folder / "vocoder.safetensors", {"config": VOCODER})
    model = SyncVoice(SyncVoiceConfig(TINY, {"lip": 30, "face": 20}, 8, ("pretrained", "learnable"), 12, 16))
    assert model.fusion is not None and model.speaker is not None
    for layer in (model.fusion.linear, model.speaker.projection, model.speaker.learnable.linear):
        torch.nn.init.normal_(layer.weight, std=0.3)
    recipe = {"recipe": "full", "vocoder": str(folder / "vocoder.safetensors")}
    recipe["speaker_encoder"] = str(folder / "speaker_encoder.safetensors")
    save_model(folder / "model", model, {"recipe": recipe, "conditions": CONDITIONS})
    return folder


def dub(place: Path, out: str, text: str | None = "bin blue at f two now", **options: Any) -> Dubbed:
    """Dub the clip with two steps."""
    sound = options.pop("sound", Sound(steps=2))
    video = options.pop("video", place / "clip.mp4")
    files = {"voice": place / "ref.wav", "model": place / "model", "out": place / out}
    return syncvoice.dub(video, text, sound=sound, **{**files, **options})


def sound_of(path: Path) -> np.ndarray:
    return read_sound(path, 0.0)


def subtitles(place: Path, name: str, *cues: tuple[float, float, str]) -> Path:
    """Write a SubRip file of (start, end, text)."""
    blocks = []
    for number, (start, end, text) in enumerate(cues, start=1):
        times = " --> ".join(f"00:00:{int(t):02d},{round(t % 1 * 1000):03d}" for t in (start, end))
        blocks.append(f"{number}\n{times}\n{text}\n")
    (place / name).write_text("\n".join(blocks), encoding="utf-8")
    return place / name


@pytest.fixture(scope="module")
def dubbed(place: Path) -> Dubbed:
    return dub(place, "dubbed.mp4")


def test_the_example_in_the_docstring_holds(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    (example,) = doctest.DocTestFinder(recurse=False).find(syncvoice.dub, "dub")
    assert example.examples and doctest.DocTestRunner().run(example).failed == 0


def test_a_model_from_before_says_how_to_name_its_extractors(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "model", tmp_path / "old")
    metadata = read_json(tmp_path / "old/metadata.json")
    write_json(tmp_path / "old/metadata.json", {k: v for k, v in metadata.items() if k != "conditions"})
    with pytest.raises(UserError, match="says not which extractor its face features came from"):
        load_dubbing_model(tmp_path / "old")
    assert main(["describe-model", str(tmp_path / "old"), "--condition", "lip=mesh_face"]) == 2, "of another width"
    named = ["--condition", "lip=mesh_lip", "--condition", "face=mesh_face"]
    assert main(["describe-model", str(tmp_path / "old"), *named]) == 0
    assert read_json(tmp_path / "old/metadata.json") == metadata


def test_command_line(place: Path, dubbed: Dubbed, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"--voice": "ref.wav", "--out": "cli.mp4", "--model": "model"}
    arguments = [part for name, value in names.items() for part in (name, str(place / value))]
    arguments += ["--text", "bin blue at f two now", "--steps", "2"]
    assert main(["dub", str(place / "clip.mp4"), *arguments]) == 0
    shown = capsys.readouterr()
    assert "by model full (model.safetensors, sha256 " in shown.out and "guided by text + face + lip" in shown.out
    assert "speak: 100%" in shown.err and "follow the face: 100%" in shown.err
    assert (place / "cli.mp4").read_bytes() == dubbed.out.read_bytes(), "same input and seed, same bytes"


def test_help_reminds_of_consent(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dub", "--help"])
    assert "consent" in capsys.readouterr().out


def test_picture_is_copied_and_sound_is_exactly_as_long(place: Path, dubbed: Dubbed) -> None:
    assert packets(dubbed.out) == packets(place / "clip.mp4")
    assert dubbed.seconds == N / 25
    with av.open(str(dubbed.out)) as file:
        for stream in file.streams:
            assert float(stream.duration * stream.time_base) == pytest.approx(N / 25, abs=1e-4)
    assert np.abs(sound_of(dubbed.out)).max() > 0


def test_sound_ends_with_a_picture_of_another_rate(place: Path) -> None:
    video = write_video(place / "ntsc.mp4", blank_frames(50), None, fps=Fraction(30_000, 1001))
    result = dub(place, "ntsc_dubbed.mp4", video=video, sound=Sound(steps=1, scales=BLIND))
    with av.open(str(result.out)) as file:
        lengths = [float(stream.duration * stream.time_base) for stream in file.streams]
    assert lengths == pytest.approx([50 * 1001 / 30_000] * 2, abs=1e-3), "edit lists count milliseconds"


def test_file_says_that_the_speech_is_synthetic_and_which_model_spoke(dubbed: Dubbed) -> None:
    with av.open(str(dubbed.out)) as file:
        comment = file.metadata["comment"]
    assert "synthetic speech" in comment and dubbed.model in comment and "seed 1" in comment
    assert str(dubbed.out.parent) not in comment, "no path of this machine"


def test_every_condition_changes_the_sound(place: Path, dubbed: Dubbed) -> None:
    whole = sound_of(dubbed.out)
    others = {
        "seed": {"sound": Sound(steps=2, seed=2)},
        "face": {"sound": Sound(steps=2, scales={"face": 0.0})},
        "lip": {"sound": Sound(steps=2, scales={"lip": 4.0})},
        "context": {"voice_text": "something is said"},
        "language": {"language": "zh", "text": "今天天气很好"},
    }
    for name, options in others.items():
        other = dub(place, f"{name}.mp4", **options)
        assert not np.array_equal(sound_of(other.out), whole), name
    assert other.lines[0].guided_by() == ("text", "face"), "lips are off for Mandarin"
    assert other.lines[0].syllables_per_s == 6 / 1.6


def test_without_visual_guidance_no_face_is_needed(place: Path) -> None:
    video = write_video(place / "blank.mp4", blank_frames(N), None)
    with pytest.raises(UserError, match="no face.*scale 0"):
        dub(place, "x.mp4", video=video)
    result = dub(place, "blind.mp4", video=video, sound=Sound(steps=2, scales=BLIND))
    assert result.lines[0].guided_by() == ("text",) and "follow the face" in result.timings


def test_text_that_does_not_fit_is_a_warning(place: Path) -> None:
    result = dub(place, "fast.mp4", "one two three four five six seven eight nine ten " * 2)
    (warning,) = result.warnings
    assert "22 syllables for 1.60 s, 13.8 per second" in warning and "about 11 syllables" in warning
    assert "drawn out" in dub(place, "slow.mp4", "go").warnings[0]


def test_cues_are_spoken_in_their_own_time(place: Path) -> None:
    path = subtitles(place, "a.srt", (0.12, 0.6, "<i>bin blue</i>"), (0.6, 1.0, "♪"), (1.0, 2.0, "at f two"))
    result = dub(place, "cues.mp4", None, subtitles=path)
    assert [line.cue.text for line in result.lines] == ["bin blue", "♪", "at f two"]
    assert [line.guided_by() for line in result.lines] == [("text", "face", "lip"), (), ("text", "face", "lip")]
    assert ["cue 3" in result.warnings[0], "cut at 1.60 s" in result.warnings[0]] == [True, True]
    assert any("cue 2" in warning and "silent" in warning for warning in result.warnings)
    sound = np.abs(sound_of(result.out))
    heard = [
        sound[round(a * 24_000) : round(b * 24_000)].max() for a, b in ((0, 0.08), (0.2, 0.5), (0.66, 0.94), (1.1, 1.5))
    ]
    assert heard[1] > 10 * heard[0] and heard[1] > 10 * heard[2] and heard[3] > 10 * heard[2]


def test_cue_without_a_face_is_spoken_from_its_text(place: Path) -> None:
    size = face_frames(1)[0].shape[0]
    video = write_video(place / "half.mp4", face_frames(20) + blank_frames(20, size), None)
    path = subtitles(place, "half.srt", (0.0, 0.8, "bin blue"), (0.8, 1.6, "at f two"))
    result = dub(place, "halves.mp4", None, video=video, subtitles=path)
    assert [line.guided_by() for line in result.lines] == [("text", "face", "lip"), ("text",)]
    assert "cue 2 (0.80 to 1.60 s) is spoken from its text alone: no face" in result.warnings[0]


@pytest.mark.parametrize(
    ("faces", "told"),
    [("1" * 25 + "0" * 15, "1.00 to 1.60 s"), ("0" * 15 + "1" * 25, "0.00 to 0.60 s"),
     ("1" * 12 + "0" * 12 + "1" * 16, "0.48 to 0.96 s"), ("1" * 18 + "0" * 4 + "1" * 18, None)],
)  # fmt: skip
def test_a_stretch_without_a_face_is_led_by_the_text_alone(place: Path, faces: str, told: str | None) -> None:
    size = face_frames(1)[0].shape[0]
    pictures = [face if seen == "1" else blank for face, blank, seen in zip(
        face_frames(N), blank_frames(N, size), faces, strict=True)]  # fmt: skip
    video = write_video(place / "stretch.mp4", pictures, None)
    result = dub(place, "stretched.mp4", video=video)
    assert result.lines[0].guided_by() == ("text", "face", "lip"), "guided again from the first frame with a face"
    assert not result.warnings if told is None else told in result.warnings[0]
    seen = result.lines[0].seen  # type: ignore[attr-defined]
    assert seen is None if told is None else "".join(str(int(one)) for one in seen) == faces
    assert np.abs(result.speech[-24_000 // 4 :]).max() > 0, "it speaks on"


@pytest.mark.parametrize(
    ("cues", "message"),
    [
        ([(0.0, 1.0, "a"), (3.0, 4.0, "b")], "starts after the video's end"),
        ([(0.0, 0.2, "♪")], "not one syllable"),
        ([(0.0, 1.0, "♪")], "not one syllable"),
        ([], "holds no cue"),
    ],
)
def test_impossible_subtitles_are_sentences(place: Path, cues: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        dub(place, "x.mp4", None, subtitles=subtitles(place, "bad.srt", *cues))


def test_unreadable_subtitles_are_sentences(place: Path) -> None:
    path = subtitles(place, "garbage.srt")
    for content, message in ((b"hello\nthere\n", "no SubRip"), (b"1\n\xff\xfe", "UTF-8")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            dub(place, "x.mp4", None, subtitles=path)


def test_long_clip_needs_subtitles(place: Path) -> None:
    video = write_video(place / "long.mp4", blank_frames(31 * 25, 32), None)
    with pytest.raises(UserError, match=r"31\.0 s .* --subtitles"):
        dub(place, "x.mp4", video=video)
    path = subtitles(place, "long.srt", (30.0, 30.8, "bin blue"))
    result = dub(place, "late.mp4", None, video=video, subtitles=path, sound=Sound(steps=1, scales=BLIND))
    sound = np.abs(sound_of(result.out))
    assert result.seconds == 31 and sound[: 29 * 24_000].max() < 1e-4 < 1e-3 < sound[30 * 24_000 :].max()


def test_background_is_kept(place: Path, dubbed: Dubbed) -> None:
    import soundfile

    time = np.arange(44_100) / 44_100  # one second: shorter than the clip, another rate, two channels
    stereo = np.stack([0.5 * np.sin(440 * np.pi * time), np.zeros(44_100)], axis=1)
    soundfile.write(place / "music.wav", stereo, 44_100)
    result = dub(place, "mixed.mp4", keep_background=place / "music.wav")
    assert "lasts 1.00 of 1.60 s" in result.warnings[0]
    with av.open(str(result.out)) as file:
        both = np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)
    speech = sound_of(dubbed.out)
    assert both.shape[0] == 2
    part = slice(9_600, 38_400)  # 0.2 to 0.8 s at 48 kHz
    expected = 0.5 * np.sin(440 * np.pi * np.arange(part.start, part.stop) / 48_000)
    assert np.sqrt(np.mean((both[0, part] - both[1, part] - expected) ** 2)) < 0.05
    right = np.sqrt(np.mean(both[1, 48_000:76_000] ** 2))
    assert right == pytest.approx(np.sqrt(np.mean(speech[24_000:38_000] ** 2)), rel=0.3)


def test_difference_from_start_weights_is_the_same_model(place: Path) -> None:
    from syncvoice.model.start import model_from_start

    base = place / "backbone.safetensors"
    model = model_from_start(base, {"lip": 30, "face": 20}, 8, ("pretrained",))
    assert model.fusion is not None
    torch.nn.init.normal_(model.fusion.linear.weight)
    save_model(place / "tuned", model, {"recipe": {"recipe": "tuned"}, "conditions": CONDITIONS})
    save_difference(place / "tuned", base, place / "shipped" / "dubbing.safetensors")
    whole, small = load_dubbing_model(place / "tuned"), load_dubbing_model(place / "shipped" / "dubbing.safetensors")
    assert small.name.startswith("tuned (dubbing.safetensors, sha256 ")
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(small.model.state_dict()[name], tensor), name
    sizes = [path.stat().st_size for path in (place / "tuned/model.safetensors", place / "shipped/dubbing.safetensors")]
    assert sizes[1] < 0.5 * sizes[0]
    save_model(place, model, {})
    (place / "backbone.safetensors").rename(place / "kept")
    try:
        with pytest.raises(UserError, match="which does not exist"):
            load_dubbing_model(place / "shipped" / "dubbing.safetensors")
        (place / "model.safetensors").rename(base)
        with pytest.raises(UserError, match="other weights"):
            load_dubbing_model(place / "shipped" / "dubbing.safetensors")
    finally:
        (place / "kept").rename(base)


def test_models_that_cannot_speak_are_sentences(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="holds start weights"):
        load_dubbing_model(place / "backbone.safetensors")
    alone = place / "alone" / "model.safetensors"
    alone.parent.mkdir()
    alone.write_bytes((place / "model" / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"neither model\.json nor metadata\.json"):
        load_dubbing_model(alone)
    monkeypatch.setattr("syncvoice.dubbing.model.KNOWN_PLACES", ("results/none/model.safetensors",))
    with pytest.raises(UserError, match="make results"):
        load_dubbing_model()


def test_markup_is_no_text(place: Path) -> None:
    from syncvoice.dubbing.subtitles import read_subtitles

    path = subtitles(place, "m.srt", (0, 1, '{\\an8}<font color="red">Tom</font> &amp;\n<i>Ann</i> <zhong1>'))
    assert [cue.text for cue in read_subtitles(path, 25)[0]] == ["Tom & Ann <zhong1>"]


def voice(place: Path, name: str, samples: np.ndarray, rate: int = 24_000) -> Path:
    """Write a recording as float WAV."""
    import soundfile

    soundfile.write(place / name, samples, rate, subtype="FLOAT")
    return place / name


def test_unusable_voices_are_sentences(place: Path) -> None:
    from syncvoice.dubbing.voice import read_reference

    noise = np.random.default_rng(1).normal(0, 0.05, 12 * 24_000)
    broken = noise.copy()
    broken[5] = np.nan
    cases = {
        "at least 1 s": np.concatenate([np.zeros(48_000), noise[:12_000], np.zeros(48_000)]),
        "is silent": noise * 1e-4,
        "not finite": broken,
    }
    for message, samples in cases.items():
        with pytest.raises(UserError, match=message):
            read_reference(voice(place, "bad.wav", samples), cut=True)
    with pytest.raises(UserError, match="--voice-text"):
        read_reference(voice(place, "long.wav", noise), cut=False)
    with pytest.raises(UserError, match="recording of one person"):
        read_reference(write_video(place / "mute.mp4", blank_frames(12), None), cut=True)
    assert len(read_reference(place / "long.wav", cut=True)) == 240_000


def test_quiet_stereo_voice_is_levelled_and_trimmed(place: Path) -> None:
    from syncvoice.dubbing.voice import LEVEL_RMS, read_reference

    noise = np.random.default_rng(2).normal(0, 0.02, (44_100 * 2, 2))
    noise[: 44_100 // 2] = 0
    audio = read_reference(voice(place, "stereo.wav", noise, 44_100), cut=True)
    assert len(audio) / 24_000 == pytest.approx(1.6, abs=0.03), "1.5 s of sound and 0.1 s before it"
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(LEVEL_RMS, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"out": "dubbed.avi"}, "end with .mp4"),
        ({"out": "clip.mp4"}, "is the video itself"),
        ({"text": None}, "either a text"),
        ({"text": "?!"}, "not one syllable"),
        ({"language": "fr"}, "speaks en, zh, not fr"),
        ({"voice": Path("none.wav")}, "voice none.wav does not exist"),
        ({"sound": Sound(scales={"lip": -1.0})}, "scale of lip is -1.0"),
        ({"sound": Sound(scales={"text": 0.0})}, "nobody would hear"),
        ({"sound": Sound(steps=0)}, "steps is 0"),
        ({"voice_text": "…"}, "of the voice"),
    ],
)
def test_mistakes_are_sentences(place: Path, options: dict, message: str) -> None:
    before = sorted(place.iterdir())
    with pytest.raises(UserError, match=message):
        dub(place, **{"out": "x.mp4", **options})
    assert sorted(place.iterdir()) == before, "nothing is left behind"


def test_sound_that_is_not_finite_leaves_no_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "syncvoice.generation.speech.decode", lambda vocoder, mel, n: np.full(960 * n, np.nan, np.float32)
    )
    with pytest.raises(UserError, match="not finite"):
        dub(place, "nan.mp4")
    assert not (place / "nan.mp4").exists()


def test_import_stays_light_and_other_jobs_do_not_depend_on_dubbing() -> None:
    assert "dub" not in vars(syncvoice), "found on demand"
    with pytest.raises(AttributeError):
        syncvoice.nothing  # noqa: B018
    for command in ("generate", "mux", "train"):
        assert "syncvoice.dubbing" not in reachable(f"syncvoice.commands.{command}")
