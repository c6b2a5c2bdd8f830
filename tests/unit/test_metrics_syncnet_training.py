"""Training of the small SyncNet: batches, loss, and a run that learns a toy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.files import read_json, sha256_of
from syncvoice.metrics.lip_sync.check import SyncClip
from syncvoice.networks.syncnet import SyncNet, audio_windows
from syncvoice.pretraining import syncnet as training
from syncvoice.pretraining.syncnet import Batches, augment_lips, contrastive_loss, load_pool, save_pool

CONFIG = {"layout": "mini", "image_size": 48, "image_channels": 1, "embedding": 16, "width": 4, "radius": 8.0}
SETTINGS = {
    "seed": 1,
    "threads": 1,
    "steps": 40,
    "learning_rate": 3e-3,
    "weight_decay": 0.0,
    "batch_clips": 4,
    "batch_windows": 8,
    "bf16": False,
    "manifests": {"train": ["a"], "check": ["b"]},
    "config": CONFIG,
}


def toy_clips(count: int, frames: int = 40, seed: int = 0) -> list[SyncClip]:
    """Clips whose mouth is the brighter the louder the sound is."""
    clips = []
    for number in range(count):
        random = np.random.default_rng([seed, number])
        level = np.convolve(random.random(frames + 4), np.ones(3) / 3, "same")[:frames]
        images = np.zeros((frames, 48, 48), np.uint8)
        images[:, 16:32, 12:36] = (250 * level).astype(np.uint8)[:, None, None]
        sound = random.standard_normal(frames * 640) * np.repeat(level**2, 640) * 0.2
        clips.append(SyncClip(f"clip{number}", images, sound.astype(np.float32)))
    return clips


def test_sound_of_a_batch_belongs_to_its_lips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without augmentation, row i of the sound is the window that starts with frame i of the lips."""
    clips = toy_clips(2)
    for clip in clips:  # every frame shows its own number
        clip.frames[:] = np.arange(40, dtype=np.uint8)[:, None, None]
    monkeypatch.setattr(training, "NOISE_DB", (300,))
    monkeypatch.setattr(training, "augment_lips", lambda frames, random: frames.astype(np.float32))
    batches = Batches(clips[:1] + clips[:1], 1, 8, seed=3)
    lips, sounds = batches[0]
    first = int(lips[0, 0, 0, 0, 0])
    assert lips.shape == (1, 1, 12, 48, 48) and sounds.shape == (8, 1, 13, 20)
    assert lips[0, 0, :, 5, 5].tolist() == list(range(first, first + 12))
    expected = audio_windows(clips[0].audio, 35)[first : first + 8]
    filtered = sounds.numpy() - expected
    np.testing.assert_allclose(filtered, np.broadcast_to(filtered[:1, :, :, :1], filtered.shape), atol=0.02)


def test_batches_depend_on_seed_and_step_only() -> None:
    clips = toy_clips(3)
    first, again, other = Batches(clips, 2, 8, 1), Batches(clips, 2, 8, 1), Batches(clips, 2, 8, 2)
    _ = first[0]
    torch.testing.assert_close(first[5][0], again[5][0], rtol=0, atol=0)
    torch.testing.assert_close(first[5][1], again[5][1], rtol=0, atol=0)
    assert not torch.equal(first[5][1], other[5][1])


def test_short_clips_are_refused() -> None:
    with pytest.raises(UserError, match="at least two clips of 29 frames, found 0"):
        Batches(toy_clips(3, frames=20), 2, 24, 1)


def test_augmentation_keeps_shape_and_range() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 48, 48), dtype=np.uint8)
    changed = augment_lips(frames, np.random.default_rng(1))
    assert changed.shape == frames.shape and changed.dtype == np.float32
    assert 0 <= changed.min() and changed.max() <= 255


def test_loss_is_small_for_matching_and_large_for_shuffled_rows() -> None:
    embeddings = 8 * torch.nn.functional.normalize(
        torch.randn(32, 16, generator=torch.Generator().manual_seed(0)), dim=1
    )
    temperature = torch.tensor(5.0)
    good, top1 = contrastive_loss(embeddings, embeddings, temperature)
    bad, chance = contrastive_loss(embeddings, embeddings.roll(1, 0), temperature)
    assert good < 0.1 < 3 < bad
    assert (top1.item(), chance.item()) == (1.0, 0.0)


def test_pool_comes_back(tmp_path: Path) -> None:
    clips = toy_clips(2)
    save_pool(tmp_path / "pool.npz", clips)
    for before, after in zip(clips, load_pool(tmp_path / "pool.npz"), strict=True):
        assert before.name == after.name
        np.testing.assert_array_equal(before.frames, after.frames)
        np.testing.assert_allclose(before.audio, after.audio, atol=1 / 32767)


def test_run_learns_and_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "load_manifests", lambda paths, size: toy_clips(8, seed=len(str(paths[0]))))
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).touch()  # the manifests, whose digests are kept
    for name in ("a", "b"):
        training.run(SETTINGS, tmp_path / f"{name}.safetensors", None, None)
    metadata = read_json(tmp_path / "a.json")
    assert sha256_of(tmp_path / "a.safetensors") == sha256_of(tmp_path / "b.safetensors")
    assert metadata["weights_sha256"] == sha256_of(tmp_path / "a.safetensors")
    assert metadata["figures"]["lse_d"] < metadata["figures"]["lse_d_other"]
    assert metadata["train_clips"] == metadata["check_clips"] == 8
    assert SyncNet.load(tmp_path / "a.safetensors").config.width == 4
