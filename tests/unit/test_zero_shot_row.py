"""Rows of start weights: a reading of English is a row's choice; words at given times change what is said when."""

import shutil
from dataclasses import replace
from pathlib import Path

import torch

from syncvoice.generation import work as kinds
from syncvoice.generation.speech import Sampling, sample_mels
from syncvoice.model.guidance import Scales
from syncvoice.model.start import model_from_start
from syncvoice.model.vocoder import Vocoder
from syncvoice.records.tasks import Utterance
from syncvoice.records.weights import save_weights, write_metadata
from tests.unit.test_generation import VOCODER
from tests.unit.test_model import make_request
from tests.unit.training_study import make_study


def test_the_reading_of_a_row_decides_its_speech(tmp_path: Path) -> None:
    study = make_study(tmp_path)
    torch.manual_seed(1)
    save_weights(study / "vocoder.safetensors", Vocoder(VOCODER).state_dict())
    write_metadata(study / "vocoder.safetensors", {"config": VOCODER})
    shutil.copytree(study / "features", tmp_path / "root/train")
    row = dict(dataset="d", language="en", sex="", voice_seen="", source="", reference="clip3", reference_split="train",
               reference_text="set red", reference_language="en", split="train", n_frames=12)  # fmt: skip
    utterances = [
        Utterance(utterance=text, clip="clip1", text=text, speaker="voice1", **row) for text in ("four", "blue")
    ]
    spoken = {}
    for reading in ("own", "public"):
        kind, out = kinds.kind_module("zero_shot"), tmp_path / reading
        settings = kind.Settings(
            experiment="zero_shot_tts", voice="context", scales={"text": 2.0}, steps=2, precision="fp32", t_shift=0.5,
            temperature=1.0, seed=1, vocoder=str(study / "vocoder.safetensors"), speaker_encoder="", reading=reading,
            backbone=str(study / "backbone.safetensors"),
        )  # fmt: skip
        out.mkdir()
        work = kinds.Work(utterances, study / "train.cuts.jsonl.gz", tmp_path / "root", None, out)
        assert [row["status"] for row in kind.speak(settings, work)] == ["ok", "ok"]
        spoken[reading] = {path.name: path.read_bytes() for path in out.iterdir()}
    same = {name: spoken["own"][name] == spoken["public"][name] for name in spoken["own"]}
    assert len(same) == 2 and sorted(same.values()) == [False, True], "only the vowel of 'four' is read otherwise"


def test_words_at_given_times_reach_the_model(tmp_path: Path) -> None:
    model = model_from_start(make_study(tmp_path) / "backbone.safetensors", {}, 8, ()).eval()
    plain = replace(make_request("a", 8), visual={})
    tokens, frames = len(plain.tokens), 30
    timed = replace(plain, parts=((0, 10), (tokens, 5), (0, frames - 15)))
    found = [sample_mels(model, [request], Sampling(Scales(2.0), 2))[0] for request in (plain, timed)]
    assert found[0].shape == found[1].shape == (frames, 100) and not torch.equal(*found)
