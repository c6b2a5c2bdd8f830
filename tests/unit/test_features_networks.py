"""Features of public networks and of other programs: files in the public layout with random weights, tiny clips."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.features.base import FeatureJob, extractor_names, key_of, make_extractor
from syncvoice.features.cache import FeatureStore, extract_shard
from syncvoice.features.extractors.mediapipe_blendshapes import COUNT, UPPER
from syncvoice.networks.lip_frontend import LipFrontEnd
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.video.crop import encode_jpeg
from syncvoice.video.store import TrackWriter
from syncvoice.video.track import Track
from tests.unit.clip_files import portrait, real_data

FRAMES = {"a": 9, "b": 6}
TASK_MODEL = real_data("face/face_landmarker.task")


def make_clip(name: str, track: Path | None) -> Clip:
    common = {"split": "s", "dataset": "d", "speaker": "p", "sex": "", "voice_seen": "", "language": "en", "source": ""}
    return Clip(id=name, **common, text="t", video=None, audio=Path("a.wav"), n_frames=FRAMES[name], track=track)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Two clips with mouth and face crops; clip b repeats the first frames of a, and shows no face at the end."""
    path = tmp_path_factory.mktemp("tracks") / "tracks.h5"
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 255, (max(FRAMES.values()), 12, 12), np.uint8)
    mouths = [encode_jpeg(cv2.resize(image, (96, 96), interpolation=cv2.INTER_CUBIC)) for image in coarse]
    face = cv2.resize(portrait(), (112, 112), interpolation=cv2.INTER_AREA)
    faces = [encode_jpeg(np.roll(face, k % 3, axis=1)) for k in range(9)]
    with TrackWriter(path) as writer:
        for name, n in FRAMES.items():
            track = Track(np.zeros((n, 478, 3), np.float32), np.ones(n, bool), np.zeros((n, 4), np.float32))
            writer.add(name, track, mouths[:n], faces[:n])
    return [make_clip(name, path) for name in FRAMES]


@pytest.fixture(scope="module")
def lrw_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights as the public training writes them: wrapped, with the temporal network and other entries."""
    torch.manual_seed(1)
    state = {f"module.{key}": value for key, value in LipFrontEnd("swish").state_dict().items()}
    state["module.tcn.tcn_output.weight"] = torch.zeros(500, 8)
    path = tmp_path_factory.mktemp("lrw") / "lrw_resnet18"
    torch.save({"epoch_idx": 80, "model_state_dict": state, "optimizer_state_dict": {"step": 3}}, path)
    return path


def test_lrw_feature_reaches_a_shard_by_a_config_entry(clips: list[Clip], lrw_file: Path, tmp_path: Path) -> None:
    from syncvoice import cli
    from syncvoice.files import write_json

    entry = FeatureJob(feature="lip", extractor="lrw_resnet18", settings={"weights": str(lrw_file)})
    write_manifest(tmp_path / "m.cuts.jsonl.gz", [*clips, replace(clips[0], id="sound_only", track=None)])
    write_json(tmp_path / "lip.json", entry.model_dump())
    arguments = ["features", "--manifest", tmp_path / "m.cuts.jsonl.gz"]
    arguments += ["--settings", tmp_path / "lip.json", "--out", tmp_path / "shard-0.h5"]
    assert cli.main([str(argument) for argument in arguments]) in (None, 0)
    extractor = make_extractor("lrw_resnet18", entry.settings)
    with FeatureStore([tmp_path / "shard-0.h5"], key_of(extractor)) as store:
        assert set(store) == {"a", "b"} and store.dim == 512
        assert store["a"].shape == (9, 512) and store["a"].dtype == np.float32 and np.isfinite(store["a"]).all()
        assert store["a"].std() > 0
        np.testing.assert_array_equal(store["a"], extractor.extract(clips[0]))  # determinism, and no clip sees another
        assert str(lrw_file) not in str(store.keys_by_path)  # the key names the weights by digest, not by place


def test_lrw_features_depend_on_two_frames_around_only(clips: list[Clip], lrw_file: Path) -> None:
    lip = make_extractor("lrw_resnet18", {"weights": str(lrw_file)})
    long, short = (lip.extract(clip) for clip in clips)  # b shows the first six frames of a
    np.testing.assert_allclose(long[:4], short[:4], atol=1e-5)
    assert np.abs(long[4:6] - short[4:6]).max() > 1e-3


@pytest.mark.parametrize("chunk", [1, 3])
def test_chunks_give_what_the_whole_clip_gives(chunk: int) -> None:
    torch.manual_seed(2)
    front_end = LipFrontEnd("prelu").eval()
    pictures = np.random.default_rng(1).integers(0, 255, (5, 90, 90), np.uint8)
    whole = front_end.features(pictures, 100)
    assert whole.shape == (5, 512)
    torch.testing.assert_close(front_end.features(pictures, chunk), whole, atol=1e-5, rtol=1e-5)


def test_batch_equals_single_clips() -> None:
    torch.manual_seed(2)
    front_end = LipFrontEnd().eval()
    video = torch.randn(2, 1, 4, 88, 88)
    with torch.inference_mode():
        both = front_end(video)
        for row, clip in zip(both, video, strict=True):
            torch.testing.assert_close(front_end(clip[None])[0], row, atol=1e-5, rtol=1e-5)


def test_prelu_weights_are_recognised(tmp_path: Path) -> None:
    torch.save(LipFrontEnd("prelu").state_dict(), tmp_path / "prelu.pt")
    assert len(LipFrontEnd.load(tmp_path / "prelu.pt").state_dict()) == 137


@pytest.mark.parametrize("name", ["lrw_resnet18", "av_hubert", "mediapipe_blendshapes", "emonet"])
def test_absent_weights_are_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    with pytest.raises(UserError, match=r"put the published file at resources/assets/\w+; licence of the weights: \w+"):
        make_extractor(name)


def test_wrong_files_are_refused(tmp_path: Path, lrw_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="activation: .*found 'gelu'"):
        make_extractor("lrw_resnet18", {"activation": "gelu"})
    with monkeypatch.context() as patched, pytest.raises(UserError, match="device 'tpu' is unknown"):
        patched.setenv("SYNCVOICE_DEVICE", "tpu")
        make_extractor("lrw_resnet18", {"weights": str(lrw_file)})
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="120 missing.*1 unexpected: fc.weight"):
        make_extractor("lrw_resnet18", {"weights": str(tmp_path / "other.pt")})
    with pytest.raises(UserError, match="no AV-HuBERT checkpoint"):
        make_extractor("av_hubert", {"weights": str(lrw_file)})
    (tmp_path / "face.task").write_bytes(b"no bundle")
    with pytest.raises(UserError, match="sha256"):
        make_extractor("mediapipe_blendshapes", {"weights": str(tmp_path / "face.task")})
    with pytest.raises(UserError, match="parts"):
        make_extractor("mediapipe_blendshapes", {"parts": "ears"})


def test_clips_without_face_or_with_other_crops_are_named(clips: list[Clip], lrw_file: Path) -> None:
    lip = make_extractor("lrw_resnet18", {"weights": str(lrw_file)})
    with pytest.raises(UserError, match="'a' has no tracked face"):
        lip.extract(make_clip("a", None))
    with pytest.raises(UserError, match="'a' has 9 crops .* says 12"):
        lip.extract(replace(clips[0], n_frames=12))
    path = clips[0].track
    assert path is not None
    small = [encode_jpeg(np.random.default_rng(k).integers(0, 255, (64, 64), np.uint8)) for k in range(6)]
    with TrackWriter(path.with_name("small.h5")) as writer:
        track = Track(np.zeros((6, 478, 3), np.float32), np.ones(6, bool), np.zeros((6, 4), np.float32))
        writer.add("b", track, small, small)
    with pytest.raises(UserError, match="'b' are 64 pixels wide, the network needs 88; set prepare.mouth_size"):
        lip.extract(make_clip("b", path.with_name("small.h5")))


@pytest.mark.skipif(not TASK_MODEL.is_file(), reason="no face_landmarker.task at hand")
def test_blendshapes_follow_the_face(clips: list[Clip], tmp_path: Path) -> None:
    every = make_extractor("mediapipe_blendshapes", {"weights": str(TASK_MODEL)})
    values = every.extract(clips[0])
    assert values.shape == (9, COUNT) and values.dtype == np.float32 and values.min() >= 0 and values.max() <= 1
    assert values.max(axis=0).argmax() in (44, 45), "the portrait smiles"
    upper = make_extractor("mediapipe_blendshapes", {"weights": str(TASK_MODEL), "parts": "upper"})
    np.testing.assert_array_equal(upper.extract(clips[0]), values[:, list(UPPER)])
    assert upper.dim == len(UPPER) and key_of(upper) != key_of(every)
    np.testing.assert_array_equal(every.extract(clips[1]), values[:6])  # a fresh state for every clip


@pytest.mark.skipif(not TASK_MODEL.is_file(), reason="no face_landmarker.task at hand")
def test_blendshapes_name_a_clip_without_any_face(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    noise = [encode_jpeg(draw.integers(0, 255, (112, 112, 3), np.uint8)) for _ in range(6)]
    track = Track(np.zeros((6, 478, 3), np.float32), np.ones(6, bool), np.zeros((6, 4), np.float32))
    with TrackWriter(tmp_path / "t.h5") as writer:
        writer.add("b", track, [], noise)
    with pytest.raises(UserError, match="no face in any of 6 face crops of clip 'b'"):
        make_extractor("mediapipe_blendshapes", {"weights": str(TASK_MODEL)}).extract(make_clip("b", tmp_path / "t.h5"))


def test_blendshape_indices_are_those_of_mediapipe() -> None:
    from mediapipe.tasks.python.vision.face_landmarker import Blendshapes

    names = [Blendshapes(index).name for index in UPPER]
    assert len(Blendshapes) == COUNT
    assert not [name for name in names if name.startswith(("MOUTH", "JAW", "CHEEK_PUFF"))]
    rest = {shape.name for shape in Blendshapes} - set(names)
    assert all(name.startswith(("MOUTH", "JAW", "CHEEK_PUFF", "NEUTRAL")) for name in rest)


WRITERS: dict[str, Callable[[Path, np.ndarray], Any]] = {
    "{clip}.npy": lambda path, values: np.save(path, values),
    "x/{clip}.npz": lambda path, values: np.savez(path, a=values),
    "{clip}.pt": lambda path, values: torch.save(torch.from_numpy(values), path),
    "{speaker}-{clip}.pth": lambda path, values: torch.save({"a": torch.from_numpy(values).half()}, path),
    "{split}.h5": lambda path, values: h5py.File(path, "w").create_dataset("a", data=values).file.close(),
}


@pytest.mark.parametrize("pattern", WRITERS)
def test_precomputed_files_of_every_format(pattern: str, clips: list[Clip], tmp_path: Path) -> None:
    values = np.arange(27.0, dtype=np.float32).reshape(9, 3)
    path = tmp_path / pattern.replace("{clip}", "a").replace("{speaker}", "p").replace("{split}", "s")
    path.parent.mkdir(exist_ok=True)
    WRITERS[pattern](path, values)
    feature = make_extractor("precomputed", {"folder": str(tmp_path), "dim": 3, "origin": "test", "pattern": pattern})
    extract_shard(tmp_path / "out.h5", feature, clips[:1], "lip")
    with FeatureStore([tmp_path / "out.h5"], key_of(feature)) as store:
        assert store["a"].dtype == np.float32 and store.dim == 3
        np.testing.assert_array_equal(store["a"], values)


def precomputed(folder: Path, values: np.ndarray, **settings: Any) -> Any:
    np.save(folder / "a.npy", values)
    return make_extractor("precomputed", {"folder": str(folder), "dim": 2, "origin": "test", **settings})


def test_precomputed_files_that_lack_or_exceed_frames_are_fitted(clips: list[Clip], tmp_path: Path) -> None:
    rows = np.repeat(np.arange(11.0)[:, None], 2, axis=1)
    short = precomputed(tmp_path, rows[:7]).extract(clips[0])
    assert short[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 6, 6]
    assert precomputed(tmp_path, rows).extract(clips[0])[:, 1].tolist() == list(range(9))
    for wrong in (rows[:6], rows[:0], np.repeat(rows, 2, axis=0)):
        with pytest.raises(UserError, match=rf"has {len(wrong)} rows, .* clip 'a' has 9, and the tolerance is 2"):
            precomputed(tmp_path, wrong).extract(clips[0])


@pytest.mark.parametrize("fps", [50.0, 100.0, 30.0, 12.5])
def test_precomputed_rates_are_interpolated_between_centres(fps: float, clips: list[Clip], tmp_path: Path) -> None:
    seconds = (np.arange(round(9 * fps / 25)) + 0.5) / fps
    found = precomputed(tmp_path, np.stack([seconds, -seconds], axis=1), fps=fps).extract(clips[0])[:, 0]
    expected = np.clip((np.arange(9) + 0.5) / 25, seconds[0], seconds[-1])  # ends hold the nearest row
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_wrong_precomputed_files_are_explained(clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'b' has no precomputed feature .*b.npy"):
        precomputed(tmp_path, np.zeros((9, 2))).extract(clips[1])
    for wrong in (np.zeros((9, 3)), np.zeros(9), np.zeros((1, 9, 2))):
        with pytest.raises(UserError, match=r"expected \(frames, 2\)"):
            precomputed(tmp_path, wrong).extract(clips[0])
    with pytest.raises(UserError, match="not finite"):
        precomputed(tmp_path, np.full((9, 2), np.nan)).extract(clips[0])
    with pytest.raises(UserError, match="suffix"):
        precomputed(tmp_path, np.zeros((9, 2)), pattern="{clip}.csv")
    np.save(tmp_path / "a.npy", np.array([{"hostile": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match="no readable .npy"):
        make_extractor("precomputed", {"folder": str(tmp_path), "dim": 2, "origin": "t"}).extract(clips[0])
    np.savez(tmp_path / "a.npz", other=np.zeros((9, 2)))
    with pytest.raises(UserError, match="no entry 'a'"):
        precomputed(tmp_path, np.zeros((9, 2)), pattern="{clip}.npz").extract(clips[0])


def test_every_extractor_name_is_known() -> None:
    for name in extractor_names():
        with pytest.raises(UserError, match=f"settings of extractor .{name}.: unknown key no_such_setting"):
            make_extractor(name, {"no_such_setting": 1})
