"""Public ZipVoice weights: read, sampled, written again; what does not fit is listed."""

import json
from pathlib import Path

import pytest
import torch

from syncvoice.cli import main
from syncvoice.errors import UserError
from syncvoice.generation.zero_shot import Prompt, Steps, sample
from syncvoice.model.public_layout import (
    DISTILLED_KEY,
    average_between,
    layout_files,
    load_release,
    save_release,
    write_state,
)
from syncvoice.model.zipvoice import ZipVoice
from syncvoice.records import weights
from syncvoice.records.restricted_pickle import Placeholder
from syncvoice.text.characters import LibriTTSTokenizer
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.text.vocabulary import emilia_symbols, write_vocabulary
from tests.unit.public_weights import tiny, write_training_folder


def spoken(model: ZipVoice) -> torch.Tensor:
    """A short sample, always of the same noise."""
    prompt = Prompt(torch.linspace(-1, 0, 1200).reshape(12, 100), [20, 30, 40], 0.1)
    return sample(model, prompt, [50, 60], frames=9, steps=Steps(num_steps=2))


def same(found: ZipVoice, expected: ZipVoice) -> bool:
    """Whether two models have the same entries and values."""
    a, b = found.state_dict(), expected.state_dict()
    return list(a) == list(b) and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("safetensors", [False, True])
def test_round_trip(tmp_path: Path, safetensors: bool, distilled: bool) -> None:
    model = tiny(distilled)
    file = save_release(tmp_path / "a", model, emilia_symbols(), safetensors)
    assert file.suffix == (".safetensors" if safetensors else ".pt")
    release = load_release(tmp_path / "a")
    assert same(release.model, model) and not release.model.training
    assert release.model.config == model.config and release.model.config.guidance_scale_embed is distilled
    assert isinstance(release.tokenizer, EmiliaTokenizer) and release.tokenizer.vocab_size == 360
    assert torch.equal(spoken(release.model), spoken(model)) and spoken(model).shape == (9, 100)
    save_release(tmp_path / "b", release.model, list(release.tokenizer.vocabulary), safetensors)
    for name in ("model.json", "tokens.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert same(ZipVoice.load(tmp_path / "b" / file.name), model)


def test_training_file_with_foreign_objects_loads_samples_and_round_trips(tmp_path: Path) -> None:
    model = tiny()
    file = write_training_folder(tmp_path / "a", model)
    assert b"DynamicBucketingSampler" in file.read_bytes()
    loaded = load_release(file).model
    assert same(loaded, model) and torch.isfinite(spoken(loaded)).all()
    average = load_release(tmp_path / "a", weights="model_avg").model
    assert torch.equal(average.embed.weight, model.embed.weight * 0.5)
    save_release(tmp_path / "b", loaded, emilia_symbols())
    assert torch.equal(spoken(ZipVoice.load(tmp_path / "b")), spoken(model))


def test_json_of_the_public_layout_has_its_names_and_lists(tmp_path: Path) -> None:
    save_release(tmp_path, tiny(), emilia_symbols())
    content = json.loads((tmp_path / "model.json").read_text())
    assert content["feature"] == {"sampling_rate": 24000, "type": "vocos"}
    assert content["model"]["fm_decoder_downsampling_factor"] == [1, 2] and content["model"]["feat_dim"] == 100
    assert not {"vocab_size", "pad_id", "padding_mode", "guidance_scale_embed"} & set(content["model"])


def test_vocabulary_and_pad_come_from_the_tokens_file(tmp_path: Path) -> None:
    symbols = [*emilia_symbols()[1:], "_"]
    save_release(tmp_path, tiny(), symbols)
    release = load_release(tmp_path, tokenizer="libritts")
    assert release.model.config.pad_id == 359 and isinstance(release.tokenizer, LibriTTSTokenizer)
    with pytest.raises(UserError, match="no tokenizer 'bpe'; expected emilia or libritts"):
        load_release(tmp_path, tokenizer="bpe")
    with pytest.raises(UserError, match="2 symbols do not fit a model of 360"):
        save_release(tmp_path, tiny(), ["_", "a"])


def test_weights_that_do_not_fit_are_listed_in_groups(tmp_path: Path) -> None:
    model = tiny()
    file = save_release(tmp_path, model, emilia_symbols())
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("fm_decoder.encoders.1.encoder.layers.1.")}
    state |= {"text_encoder.out_proj.bias": torch.zeros(80), "lip.weight": torch.zeros(4, 2)}
    write_state(file, state)
    with pytest.raises(UserError) as error:
        load_release(tmp_path)
    message = str(error.value)
    assert "43 missing: fm_decoder.encoders.1.encoder.layers.1.* (43);" in message
    assert "1 unexpected: lip.weight" in message
    assert "1 mis-shaped: text_encoder.out_proj.bias is (80,), expected (100,)" in message
    write_vocabulary(tmp_path / "tokens.txt", emilia_symbols()[:100])
    write_state(file, model.state_dict())
    with pytest.raises(UserError, match=r"embed.weight is \(360, 16\), expected \(100, 16\)"):
        load_release(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("model"), "no section 'model'"),
        (lambda c: c["model"].pop("pos_dim"), "lacks pos_dim"),
        (lambda c: c["model"].update(lips=3), "has unknown lips"),
        (lambda c: c["model"].update(fm_decoder_num_layers=[1]), r"lists .* have \[1, 2\] entries"),
        (lambda c: c["feature"].update(sampling_rate=16000), "features are .*16000"),
    ],
)
def test_wrong_sizes_are_explained(tmp_path: Path, change: object, message: str) -> None:
    save_release(tmp_path, tiny(), emilia_symbols())
    content = json.loads((tmp_path / "model.json").read_text())
    change(content)  # type: ignore[operator]
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=message):
        load_release(tmp_path)


def test_files_that_are_missing_or_double_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither of model\.safetensors and model\.pt"):
        layout_files(tmp_path)
    save_release(tmp_path, tiny(), emilia_symbols())
    assert [p.name for p in layout_files(tmp_path)] == ["model.safetensors", "model.json", "tokens.txt"]
    save_release(tmp_path, tiny(), emilia_symbols(), safetensors=False)
    with pytest.raises(UserError, match=r"both of .*name the weight file"):
        load_release(tmp_path)
    assert same(load_release(tmp_path / "model.pt").model, tiny())
    (tmp_path / "tokens.txt").unlink()
    with pytest.raises(UserError, match=r"tokens\.txt does not exist"):
        load_release(tmp_path / "model.pt")


def test_mean_between_two_training_files(tmp_path: Path) -> None:
    """Two running means of known weights: mean since 0 at batch 400 is 1, at batch 1000 is 4; between them it is 6."""
    model = tiny()
    means = {400: 1.0, 1000: 4.0}
    files = {
        batch: write_training_folder(
            tmp_path / str(batch),
            model,
            batch + 150,
            {k: torch.full_like(v, mean) for k, v in model.state_dict().items()},
        )
        for batch, mean in means.items()
    }
    mean = average_between(files[400], files[1000])  # w = 1000 / 600; 4 w + 1 (1 - w) = 6; 150 is rounded away
    assert set(mean) == set(model.state_dict())
    assert all(v.dtype == torch.float32 and torch.allclose(v, torch.tensor(6.0)) for v in mean.values())
    out = tmp_path / "1000" / "mean.safetensors"
    assert main(["average-checkpoints", "--start", str(files[400]), "--end", str(files[1000]), "--out", str(out)]) == 0
    torch.testing.assert_close(load_release(out).model.embed.weight, torch.full((360, 16), 6.0))
    with pytest.raises(UserError, match="is not earlier than"):
        average_between(files[1000], files[400])
    with pytest.raises(UserError, match="is no training file"):
        average_between(out, files[1000])
    other = write_training_folder(tmp_path / "other", tiny(distilled=True), 5000)
    with pytest.raises(UserError, match=f"different models: 1 entries differ, {DISTILLED_KEY} first"):
        average_between(files[400], other)


def test_hostile_weights_run_nothing(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.mkdir, (str(tmp_path / "made"),)

    model = tiny()
    file = save_release(tmp_path, model, emilia_symbols(), safetensors=False)
    torch.save({"model": model.state_dict(), "sampler": Hostile()}, file)
    assert same(load_release(file).model, model)
    torch.save({"model": {**model.state_dict(), "embed.weight": Hostile()}}, file)
    with pytest.raises(UserError, match="holds no state dict"):
        load_release(file)
    assert not (tmp_path / "made").exists()
    assert isinstance(weights.read_checkpoint(file)["model"]["embed.weight"], Placeholder)
