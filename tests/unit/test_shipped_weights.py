"""The files in weights/: complete provenance, small, and never trained on what must stay unseen."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.dubbing.model import load_dubbing_model
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.minidub import natural_voices
from syncvoice.minidub.voices import UNSEEN_VOICES
from syncvoice.model.vocoder import Vocoder
from syncvoice.networks.camplus import CAMPPlus, fbank
from syncvoice.networks.recogniser import CtcRecogniser
from syncvoice.networks.syncnet import SyncNet
from syncvoice.records import weights

WEIGHTS = Path(__file__).parents[2] / "weights"
NAMES = ("backbone", "dubbing_start", "vocoder", "speaker_encoder", "recogniser")


@pytest.mark.parametrize("name", NAMES)
def test_provenance_belongs_to_the_file_and_names_its_data(name: str) -> None:
    path = WEIGHTS / f"{name}.safetensors"
    metadata = weights.read_metadata(path)
    assert metadata["weights_sha256"] == sha256_of(path)
    assert metadata["chain"] and metadata["figures"]
    assert "train" in metadata["sentence_split"] and "test" in metadata["sentence_split"]
    assert '"/' not in json.dumps(metadata)  # no path of the machine that trained
    assert (WEIGHTS / metadata["curve"]).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_no_unseen_voice_was_heard(name: str) -> None:
    metadata = weights.read_metadata(WEIGHTS / f"{name}.safetensors")
    unseen = {voice.name for voice in UNSEEN_VOICES}
    assert len(metadata["voices"]) >= (24 if name in ("backbone", "dubbing_start") else 60)
    heard = set(metadata["voices"])
    for pool in metadata.get("pools", ()):
        if pool.get("engine") == "kokoro":  # a blend is heard with all its parts
            unseen |= {voice.name for voice in natural_voices.VALIDATION_VOICES + natural_voices.UNSEEN_VOICES}
            heard |= {part for parts in pool["blends"].values() for part in parts}
    assert unseen == set(metadata["unseen_voices"]) and not unseen & heard


def test_the_scorer_of_lip_sync_saw_no_unseen_voice_and_passed_its_check() -> None:
    metadata = weights.read_metadata(WEIGHTS / "syncnet.safetensors")
    assert metadata["weights_sha256"] == sha256_of(WEIGHTS / "syncnet.safetensors")
    assert not {voice.name for voice in UNSEEN_VOICES} & set(metadata["voices"])
    assert metadata["figures"]["passed"] is True


def test_lip_timing_learned_from_no_clip_that_is_tested_on_and_names_its_sources() -> None:
    metadata = weights.read_metadata(WEIGHTS / "lip_timing.safetensors")
    assert metadata["weights_sha256"] == sha256_of(WEIGHTS / "lip_timing.safetensors")
    assert not {voice.name for voice in UNSEEN_VOICES} & set(metadata["data"]["minidub"]["speakers"])
    for source in metadata["data"].values():
        assert source["attribution"] and not set(source["train_clip_ids"]) & set(source["held_out"])
    assert metadata["data"]["grid"]["speakers"] == ["s1"] and "CC BY 4.0" in metadata["data"]["grid"]["attribution"]
    assert metadata["figures"]["grid"]["median_ms"] <= 40


def test_all_weights_together_are_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 60e6  # design: in all


def test_networks_load_and_run() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    encoder = CAMPPlus.load(WEIGHTS / "speaker_encoder.safetensors")
    assert encoder(fbank(noise)[None]).shape == (1, encoder.embedding_size)
    recogniser = CtcRecogniser.load(WEIGHTS / "recogniser.safetensors")
    assert recogniser.phone_log_probs(noise)[0].shape == (100, len(recogniser.phones))
    vocoder = Vocoder.load(WEIGHTS / "vocoder.safetensors")
    sound = vocoder.decode(0.1 * np.log(1e-3) * torch.ones(40, 100), 9600)
    assert sound.shape == (9600,) and sound.abs().max() < 0.2


def test_the_model_to_dub_with_fits_the_start_weights_beside_it() -> None:
    path = WEIGHTS / "dubbing.safetensors"
    assert weights.read_metadata(path)["base_sha256"] == sha256_of(WEIGHTS / "dubbing_start.safetensors")
    assert all(name.startswith("fusion.") for name in weights.read_state_dict(path))
    assert set(load_dubbing_model(path).model.config.visual_dims) == {"lip", "face"}


@pytest.mark.parametrize(
    ("name", "network"),
    [("vocoder", Vocoder), ("speaker_encoder", CAMPPlus), ("recogniser", CtcRecogniser), ("syncnet", SyncNet)],
)
def test_damaged_weights_are_refused(name: str, network: type, tmp_path: Path) -> None:
    for suffix in (".safetensors", ".json"):
        shutil.copy(WEIGHTS / f"{name}{suffix}", tmp_path)
    path = tmp_path / f"{name}.safetensors"
    with open(path, "r+b") as file:
        file.seek(-1000, 2)
        byte = file.read(1)[0]
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(UserError, match="damaged or was replaced; restore it"):
        network.load(path)
