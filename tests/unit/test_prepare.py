"""The commands prepare, merge-manifests, features and tasks on a folder with good and hostile clips."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import read_wav, write_wav
from syncvoice.cli import main
from syncvoice.datasets.minidub import COLUMNS
from syncvoice.features.base import key_of, make_extractor
from syncvoice.features.cache import FeatureStore
from syncvoice.records.clips import clips_of, read_excluded
from syncvoice.records.tasks import read_task
from tests.unit.clip_files import blank_frames, clicks, face_frames, write_video

N = 20
WEIGHTS = Path(__file__).parents[2] / "weights"


def row(clip: str, media: str, **more: str) -> dict[str, str]:
    common = {"split": "test", "dataset": "minidub", "speaker": "f1", "sex": "female", "voice_seen": "no"}
    return {**common, "clip": clip, "media": media, "language": "en", "source": "grid", "text": "bin blue", **more}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MiniDub shard with one good clip, one reference and every kind of trouble."""
    folder = tmp_path_factory.mktemp("study") / "corpus"
    clips = folder / "clips"
    clips.mkdir(parents=True)
    sound = clicks(N * 960, at=(4800,))
    good = write_video(clips / "it's good.mp4", face_frames(N), sound, sound_codec="aac")
    write_video(clips / "blank.mp4", blank_frames(N), sound, sound_codec="aac")
    write_video(clips / "silent.mp4", face_frames(N), None)
    write_video(clips / "long.mkv", face_frames(N), clicks(3 * N * 960))
    (clips / "truncated.mp4").write_bytes(good.read_bytes()[:2000])
    (clips / "text.mp4").write_text("hello")
    rows = [row(path.stem, f"clips/{path.name}") for path in sorted(clips.iterdir())]
    rows += [row("-gone", "clips/-gone.mp4"), row("wordless", "clips/it's good.mp4", text=" ")]
    rows += [row("good2", "clips/it's good.mp4", translation_text="你好", text="bin red")]
    write_wav(clips / "ref.wav", clicks(N * 960 + 100), 24_000)
    rows += [row("ref", "clips/ref.wav", split="reference", text="other words")]
    with open(folder / "clips.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    line = {"clip": "it's good", "phones": [["b", 0.0, 0.4], ["_", 0.4, 0.8]], "words": [["bin", 0.0, 0.4]]}
    (folder / "phones.jsonl").write_text(json.dumps(line) + "\n")
    return folder


def prepare(corpus: Path, out: str, split: str = "test", **settings: object) -> Path:
    """Run the command in the study's folder; returns the folder of its output."""
    (corpus.parent / "prepare.json").write_text(json.dumps({"limits": settings}))
    arguments = "--corpus corpus --dataset minidub --layout minidub --settings prepare.json".split() + [
        "--split",
        split,
    ]
    arguments += ["--out", out, "--manifest", f"{out}/m.cuts.jsonl.gz", "--excluded", f"{out}/excluded.csv"]
    assert main(["prepare-shard", *arguments]) == 0
    return corpus.parent / out


@pytest.fixture(scope="module")
def shard(corpus: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(corpus.parent)
        prepare(corpus, "reference", "reference")
        return prepare(corpus, "shard")


@pytest.fixture(autouse=True)
def in_study(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus.parent)


def test_good_clips_are_in_the_manifest(shard: Path) -> None:
    clips = clips_of(shard / "m.cuts.jsonl.gz")
    assert [clip.id for clip in clips] == ["good2", "it's good"]
    clip = clips[1]
    assert clip.n_frames == N and clip.text == "bin blue" and clip.sex == "female" and clip.phones[0] == ("b", 0, 0.4)
    assert clip.video == Path("corpus/clips/it's good.mp4") and clip.track == Path("shard/tracks.h5")
    audio, rate = read_wav(clip.audio)
    assert rate == 24_000 and len(audio) == N * 960
    assert abs(int(np.argmax(np.abs(audio) > 0.3)) - 4800) < 60
    assert clip.audio_sha256 and clip.track_sha256 == clips[0].track_sha256


def test_every_other_clip_has_a_reason(shard: Path) -> None:
    rows = {entry.clip: entry for entry in read_excluded(shard / "excluded.csv")}
    assert {name: entry.reason for name, entry in rows.items()} == {
        "-gone": "broken_file",
        "blank": "no_face",
        "long": "length_mismatch",
        "silent": "no_audio",
        "text": "broken_file",
        "truncated": "broken_file",
        "wordless": "no_text",
    }
    assert rows["long"].media == "clips/long.mkv"
    assert all(len(entry.message) > 20 and str(shard.parent) not in entry.message for entry in rows.values())


def test_reference_split_is_sound_only(shard: Path) -> None:
    (clip,) = clips_of(shard.parent / "reference" / "m.cuts.jsonl.gz")
    assert clip.video is None and clip.track is None and clip.n_frames == N
    assert len(read_wav(clip.audio)[0]) == N * 960


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_running_again_changes_no_byte_and_drops_stale_sound(corpus: Path, shard: Path) -> None:
    before = digest(shard)
    (shard / "audio" / "old.wav").write_bytes(b"stale")
    prepare(corpus, "shard")
    assert digest(shard) == before


def test_merged_manifests(shard: Path) -> None:
    arguments = ["--inputs", "shard/m.cuts.jsonl.gz", "reference/m.cuts.jsonl.gz"]
    arguments += ["--excluded-inputs", "shard/excluded.csv", "reference/excluded.csv"]
    assert main(["merge-manifests", *arguments, "--out", "all.cuts.jsonl.gz", "--excluded", "all.csv"]) == 0
    assert len(clips_of("all.cuts.jsonl.gz")) == 3 and len(read_excluded("all.csv")) == 7


@pytest.mark.parametrize(
    ("feature", "extractor"),
    [("mel", "zipvoice_mel"), ("lip", "mesh_lip"), ("face", "mesh_face"), ("speaker", "campplus"),
     ("text", "emilia_tokens")],
)  # fmt: skip
def test_features_command(shard: Path, feature: str, extractor: str) -> None:
    inner = {"weights": str(WEIGHTS / "speaker_encoder.safetensors")} if extractor == "campplus" else {}
    settings = {"feature": feature, "extractor": extractor, "settings": inner}
    Path("feature.json").write_text(json.dumps(settings))
    for split, count in (("shard", 2), ("reference", 0 if feature in ("lip", "face") else 1)):
        out = Path(f"features/{split}/{feature}.h5")
        arguments = ["--manifest", f"{split}/m.cuts.jsonl.gz", "--settings", "feature.json"]
        assert main(["features", *arguments, "--out", str(out)]) == 0
        with FeatureStore([out], key_of(make_extractor(extractor, inner))) as store:
            assert len(store) == count
            clips = [clip for clip in clips_of(f"{split}/m.cuts.jsonl.gz") if clip.id in store]
            store.check(clips)
            if feature in ("lip", "face"):
                assert all(store[clip.id].shape == (N, store.dim) for clip in clips)


def test_tasks_command(shard: Path) -> None:
    common = ["--manifest", "shard/m.cuts.jsonl.gz", "--references", "reference/m.cuts.jsonl.gz"]
    own, translation = {"language": "en", "text": "own"}, {"language": "zh", "text": "translation"}
    for name, settings in {"en_en": own, "en_zh": translation}.items():
        Path(f"{name}.json").write_text(json.dumps({**settings, "seed": 0}))
    assert main(["tasks", "--settings", "en_en.json", *common, "--out", "tasks/en_en.csv"]) == 0
    utterances = read_task("tasks/en_en.csv")
    assert [entry.utterance for entry in utterances] == ["good2", "it's good"]
    assert {entry.reference for entry in utterances} == {"ref"} and utterances[0].reference_text == "other words"
    assert main(["tasks", "--settings", "en_zh.json", *common, "--out", "tasks/en_zh.csv"]) == 0
    (utterance,) = read_task("tasks/en_zh.csv")
    assert (utterance.text, utterance.language, utterance.reference_language) == ("你好", "zh", "en")


def test_wrong_settings_are_a_user_error(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.json").write_text(json.dumps({"limits": {"max_gaps": 3}}))
    arguments = "--corpus corpus --dataset minidub --layout minidub --settings bad.json --split test --out o "
    arguments += "--manifest m --excluded e"
    assert main(["prepare-shard", *arguments.split()]) == 2
    assert "max_gaps" in capsys.readouterr().err
