"""What `inspect-checkpoint` says of public weights, of a larger model, and of files without ZipVoice."""

import os
from pathlib import Path

import pytest
import torch

from syncvoice.cli import main
from syncvoice.model.inspection import report, split_keys
from syncvoice.model.public_layout import save_release, write_state, zipvoice_prefix
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.records.weights import save_weights
from syncvoice.text.vocabulary import emilia_symbols
from tests.unit.public_weights import tiny, write_training_folder


def test_every_key_of_the_base_configuration_is_known() -> None:
    with torch.device("meta"):
        state = ZipVoice(ZipVoiceConfig(guidance_scale_embed=True)).state_dict()
    own, other = split_keys(state)
    assert len(own) == 890 and not other
    odd = {name + "_lora": tensor for name, tensor in state.items()} | {"fm_decoder.lip_proj.weight": torch.zeros(2, 3)}
    assert not split_keys(odd)[0]


def test_training_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tiny()
    file = write_training_folder(tmp_path, model)
    assert main(["inspect-checkpoint", str(file), "--config", str(tmp_path / "model.json")]) == 0
    text = capsys.readouterr().out
    values = sum(v.numel() for v in model.state_dict().values())
    assert f"ZipVoice: {len(model.state_dict())} tensors, {values:,} values" in text
    assert "Not ZipVoice: 0 tensors" in text
    assert "sampler: object of tests.unit.public_weights.DynamicBucketingSampler, not rebuilt" in text
    assert "batch_idx_train: 4321" in text and "world: list of 2" in text and "optimizer: dict of 2" in text
    assert "text embedding: 360 symbols, width 16" in text
    assert "estimator input: 300 channels = 100 of x_t + 100 of the text condition + 100 of the speech" in text
    assert "estimator stacks: 1 layers at 1/1, 2 layers at 1/2" in text
    assert "guidance embedding (distilled): no" in text
    assert "every name and shape agrees" in text


def test_larger_model_with_other_parts_and_a_wider_estimator(tmp_path: Path) -> None:
    """Like weights whose code is not at hand: the widths of what was added can be read off."""
    state = {f"net.tts.{k}": v for k, v in tiny(distilled=True).state_dict().items()}
    state["net.tts.fm_decoder.in_proj.weight"] = torch.zeros(32, 364)
    state["net.tts.fm_decoder.speaker_proj.weight"] = torch.zeros(16, 192)
    for layer in range(3):
        state[f"net.lips.layers.{layer}.weight"] = torch.zeros(64, 1024)
    state["net.face.conv.weight"] = torch.zeros(8, 4, 5, 3, 3)
    state["net.face.depthwise.weight"] = torch.zeros(8, 1, 5)
    state["net.face.conv.bias"] = torch.zeros(8)
    assert zipvoice_prefix(state) == "net.tts."
    save_release(tmp_path / "base", tiny(distilled=True), emilia_symbols())
    write_state(tmp_path / "all.pt", state)
    text = report(tmp_path / "all.pt", config=tmp_path / "base" / "model.json")
    assert "ZipVoice under 'net.tts.'" in text and "guidance embedding (distilled): yes" in text
    assert "364 channels = 100 of x_t + 100 of the text condition + 100 of the speech condition + 64 more" in text
    assert "net.tts.fm_decoder.speaker_proj.weight (16, 192): 192 in, 16 out\n" in text
    assert "net.lips.layers.*.weight (64, 1024): 1024 in, 64 out (3 times)\n" in text
    assert "net.face.conv.weight (8, 4, 5, 3, 3): 4 in, 8 out, kernel 5 x 3 x 3\n" in text
    assert "net.face.depthwise.weight (8, 1, 5): 8 out, one channel in each, kernel 5\n" in text
    assert "net.face.conv.bias (8,)\n" in text
    assert "1 mis-shaped: fm_decoder.in_proj.weight is (32, 364), expected (32, 300)" in text


def test_our_own_weights_and_files_without_zipvoice(tmp_path: Path) -> None:
    ours = tmp_path / "ours.safetensors"
    save_weights(ours, {f"model.backbone.{k}": v for k, v in tiny().state_dict().items()})
    assert "ZipVoice under 'model.backbone.'" in report(ours)
    other = tmp_path / "other.safetensors"
    save_weights(other, {"layers.0.weight": torch.zeros(3, 2)})
    text = report(other)
    assert "ZipVoice: 0 tensors, 0 values" in text and "layers.*.weight (3, 2): 2 in, 3 out" in text
    assert "imply" not in text


def test_nothing_in_the_file_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"model": tiny().state_dict(), "hook": Hostile()}, tmp_path / "x.pt")
    assert main(["inspect-checkpoint", str(tmp_path / "x.pt")]) == 0
    assert f"hook: object of {os.name}.mkdir, not rebuilt" in capsys.readouterr().out
    assert not (tmp_path / "made").exists()
    assert main(["inspect-checkpoint", str(tmp_path / "none.pt")]) == 2
    assert main(["inspect-checkpoint", str(tmp_path / "x.pt"), "--key", "model_avg"]) == 2
    assert "holds no state dict under model_avg" in capsys.readouterr().err
