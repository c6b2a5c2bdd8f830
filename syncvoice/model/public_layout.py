"""The layout of public ZipVoice weights: a folder with `model.json`, `tokens.txt`, `model.pt` or `model.safetensors`.

`model.json` holds the sizes, `tokens.txt` the vocabulary (its length and its pad id are in neither of the others). A
torch file keeps the weights under `model`, training files their running mean under `model_avg` too, names perhaps with
the prefix `module.`, beside optimiser and sampler objects that are never rebuilt. Distilled weights (ZipVoice-Distill)
are known by the key of their guidance embedding. Facts: reference implementation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import atomic_path, read_json, write_json
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.records.weights import Weights, open_weights, read_checkpoint, save_weights, state_of
from syncvoice.text.base import Tokenizer
from syncvoice.text.clauses import Reading
from syncvoice.text.tokenizer import EmiliaTokenizer
from syncvoice.text.vocabulary import PAD, read_vocabulary, write_vocabulary

CONFIG_FILE, TOKENS_FILE = "model.json", "tokens.txt"
WEIGHT_FILES = ("model.safetensors", "model.pt")
FIRST_KEY = "fm_decoder.in_proj.weight"
DISTILLED_KEY = "fm_decoder.guidance_scale_embed.weight"
FEATURE = {"sampling_rate": SAMPLE_RATE, "type": "vocos"}  # the only kind that `features.mel` makes
ELSEWHERE = (
    "vocab_size",
    "pad_id",
    "guidance_scale_embed",
    "data_scale",
    "padding_mode",
)  # fields that model.json does not hold
AVERAGE_PERIOD = 200  # batches between two updates of the public running mean


@dataclass(frozen=True)
class Release:
    """Weights and tokenizer that belong together."""

    model: ZipVoice
    tokenizer: Tokenizer


def load_release(
    path: Path | str, tokenizer: str = "emilia", weights: str = "model", padding_mode: str = "invariant",
    reading: Reading = "own",
) -> Release:  # fmt: skip
    """Read a ZipVoice with its tokenizer; nothing that the files pickle is run.

    Args:
        path: a folder of public weights, or a weight file inside it (a training checkpoint, say); or start weights or a
            trained recipe of this project, whose backbone is taken.
        tokenizer: "emilia" or "libritts", the kind of text that the vocabulary is made for; the files do not tell.
        weights: entry of a torch file, "model" or "model_avg" (the running mean of a training file).
        padding_mode: see `model.zipformer`; without effect on a single clip.
        reading: of public weights by the Emilia tokenizer, "own" or "public" (see `text.tokenizer`).

    Returns:
        the model in eval mode on the CPU, float32.

    Raises:
        UserError: a file is missing, sizes are missing or unknown, or weights do not fit: missing, unexpected and
            mis-shaped keys are listed.

    >>> import tempfile
    >>> from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
    >>> config = ZipVoiceConfig(
    ...     fm_decoder_downsampling_factor=(1,), fm_decoder_num_layers=(1,), fm_decoder_cnn_module_kernel=(5,),
    ...     fm_decoder_dim=32, fm_decoder_num_heads=2, text_encoder_num_layers=1, text_encoder_dim=24,
    ...     text_encoder_num_heads=2, vocab_size=3,
    ... )
    >>> folder = tempfile.mkdtemp()
    >>> _ = save_release(folder, ZipVoice(config), ["_", "a", "b"])
    >>> release = load_release(folder)
    >>> release.model.embed.num_embeddings, release.model.training
    (3, False)
    """
    file, config, tokens = layout_files(path)
    opened = open_weights(file, weights if weights != "model" else None)
    if "config" in opened.metadata:
        return _own_release(opened, padding_mode)
    vocabulary = read_vocabulary(tokens)
    state = opened.state
    sizes = read_sizes(config)
    model = ZipVoice(
        ZipVoiceConfig.of(
            sizes
            | {"vocab_size": len(vocabulary), "pad_id": vocabulary[PAD], "padding_mode": padding_mode}
            | {"guidance_scale_embed": DISTILLED_KEY in state}
        )
    )
    return Release(opened.into(model), tokenizer_of(tokenizer, vocabulary, reading))


def _own_release(weights: Weights, padding_mode: str) -> Release:
    """The backbone in start weights or in a trained recipe of this project.

    Raises:
        UserError: the file holds none.
    """
    prefix = zipvoice_prefix(weights.state)
    if not prefix or "backbone" not in weights.config:
        raise UserError(
            f"{weights.path} holds no whole ZipVoice; give public weights, weights/backbone.safetensors, or the folder "
            "of a trained recipe"
        )
    state = {k.removeprefix(prefix): v for k, v in weights.state.items() if k.startswith(prefix)}
    model = ZipVoice(ZipVoiceConfig.of({**weights.config["backbone"], "padding_mode": padding_mode}))
    return Release(replace(weights, state=state).into(model), EmiliaTokenizer())


def zipvoice_prefix(state: Mapping[str, Tensor]) -> str:
    """What stands before the names of a ZipVoice inside a larger model, e.g. "model.backbone."; "" if nothing does."""
    return next((name.removesuffix(FIRST_KEY) for name in state if name.endswith(FIRST_KEY)), "")


def layout_files(path: Path | str) -> tuple[Path, Path, Path]:
    """Weights, `model.json` and `tokens.txt` of a folder or of a weight file.

    Raises:
        UserError: a folder without weights, or with two weight files.
    """
    path = Path(path)
    if not path.is_dir():
        return path, path.with_name(CONFIG_FILE), path.with_name(TOKENS_FILE)
    found = [path / name for name in WEIGHT_FILES if (path / name).is_file()]
    if len(found) != 1:
        what = "both" if found else "neither"
        raise UserError(f"folder {path} holds {what} of {' and '.join(WEIGHT_FILES)}; name the weight file itself")
    return found[0], path / CONFIG_FILE, path / TOKENS_FILE


def read_sizes(path: Path | str) -> dict[str, Any]:
    """Sizes in a public `model.json`, named as the fields of `ZipVoiceConfig`.

    Raises:
        UserError: another layout, a missing or unknown size, or features of another kind.
    """
    content = read_json(path)
    values = content.get("model") if isinstance(content, Mapping) else None
    if not isinstance(values, Mapping):
        raise UserError(f"{path} has no section 'model' with sizes; expected the model.json of public ZipVoice weights")
    known = [field.name for field in fields(ZipVoiceConfig) if field.name not in ELSEWHERE]
    missing, unknown = [k for k in known if k not in values], [k for k in values if k not in known]
    if missing or unknown:
        found = [f"{w} {', '.join(names)}" for w, names in (("lacks", missing), ("has unknown", unknown)) if names]
        raise UserError(f"{path}: section 'model' {' and '.join(found)}; expected {', '.join(known)}")
    stacks = {len(values[k]) for k in known if isinstance(values[k], list)}
    if len(stacks) != 1:
        raise UserError(f"{path}: the lists of section 'model' have {sorted(stacks)} entries; expected one per stack")
    feature = content.get("feature", FEATURE)
    if feature != FEATURE:
        raise UserError(f"{path}: features are {feature}, expected {FEATURE}; weights for others cannot be used here")
    return dict(values)


def tokenizer_of(kind: str, vocabulary: Mapping[str, int], reading: Reading = "own") -> Tokenizer:
    """A tokenizer of a kind, "emilia" or "libritts", with the vocabulary of trained weights.

    Args:
        kind: of the tokenizer.
        vocabulary: symbol -> id.
        reading: of English by the Emilia tokenizer (see `text.tokenizer`); that of LibriTTS has one only.

    Raises:
        UserError: another kind.
    """
    from syncvoice.text.characters import LibriTTSTokenizer

    if kind == "libritts":
        return LibriTTSTokenizer(vocabulary)
    if kind != "emilia":
        raise UserError(f"no tokenizer {kind!r}; expected emilia or libritts")
    return EmiliaTokenizer(vocabulary, reading)


def save_release(folder: Path | str, model: ZipVoice, symbols: Sequence[str], safetensors: bool = True) -> Path:
    """Write a model in the public layout, float32; a distilled one too.

    Args:
        folder: made if absent; gets three files.
        model: the weights.
        symbols: the vocabulary; the position is the id.
        safetensors: write `model.safetensors`, else `model.pt` with the weights under `model`.

    Returns:
        path of the weight file.

    Raises:
        UserError: the vocabulary does not have the model's size.
    """
    folder = Path(folder)
    if len(symbols) != model.config.vocab_size:
        raise UserError(f"{len(symbols)} symbols do not fit a model of {model.config.vocab_size}; give its tokens.txt")
    sizes = {k: v for k, v in model.config.as_dict().items() if k not in ELSEWHERE}
    write_json(folder / CONFIG_FILE, {"model": sizes, "feature": FEATURE})
    write_vocabulary(folder / TOKENS_FILE, symbols)
    weights = folder / WEIGHT_FILES[0 if safetensors else 1]
    write_state(weights, model.state_dict())
    return weights


def write_state(path: Path | str, state: Mapping[str, Tensor]) -> None:
    """Write float32 weights, flat if `path` ends in .safetensors, else as a torch file under `model`; atomically."""
    if Path(path).suffix == ".safetensors":
        save_weights(path, state, half=False)
        return
    with atomic_path(path) as temporary:
        torch.save({"model": {k: v.detach().cpu() for k, v in state.items()}}, temporary)


def average_between(start: Path | str, end: Path | str) -> dict[str, Tensor]:
    """Mean of the weights over the training steps between two training files, as the reference makes it.

    Both hold `model_avg`, the running mean since step 0. With s and e their batch indices, rounded down to the period
    of that mean, the result is w avg_e + (1 - w) avg_s with w = e / (e - s), computed in float64.

    Args:
        start: the earlier training file; the mean begins after it.
        end: the later one.

    Returns:
        names to float32 tensors; entries that are no floating-point numbers come from `end`.

    Raises:
        UserError: no training files, not in order, or not of one model.
    """
    (s, before), (e, after) = _running_mean(start), _running_mean(end)
    if s >= e:
        raise UserError(f"{start} (batch {s}) is not earlier than {end} (batch {e}); give the earlier one as the start")
    odd = [k for k in before | after if k not in before or k not in after or before[k].shape != after[k].shape]
    if odd:
        raise UserError(f"{start} and {end} hold different models: {len(odd)} entries differ, {odd[0]} first")
    w = e / (e - s)
    mean = {k: v.double() * w + before[k].double() * (1 - w) for k, v in after.items() if v.is_floating_point()}
    return {k: mean[k].float() if k in mean else v for k, v in after.items()}


def _running_mean(path: Path | str) -> tuple[int, dict[str, Tensor]]:
    """Batch index, rounded down to the period, and running mean of a training file."""
    content = read_checkpoint(path)
    if not isinstance(content, Mapping) or "batch_idx_train" not in content or "model_avg" not in content:
        raise UserError(f"{path} is no training file with a running mean; expected the keys model_avg, batch_idx_train")
    period = int(content.get("average_period", AVERAGE_PERIOD))
    return int(content["batch_idx_train"]) // period * period, state_of(content, path, "model_avg")
