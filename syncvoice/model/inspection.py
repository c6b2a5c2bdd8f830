"""What a weight file holds: which part is ZipVoice, which is not, and the widths that the shapes imply.

Made for checkpoints whose code is not at hand, such as the authors' `checkpoint-55000.pt`. Nothing that the file
pickles is run; objects of foreign classes are named only.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from syncvoice.model.public_layout import DISTILLED_KEY, FIRST_KEY, read_sizes, zipvoice_prefix
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig
from syncvoice.records.restricted_pickle import Placeholder
from syncvoice.records.weights import is_state, problems_of, read_checkpoint, state_of

_LAYER = (
    r"(bypass|bypass_mid)\.bypass_scale|self_attn_weights\.(in_proj\.(weight|bias)|linear_pos\.weight)"
    r"|(self_attn[12]|feed_forward[123]|nonlin_attention|conv_module[12])\.(in_proj|out_proj)\.(weight|bias)"
    r"|conv_module[12]\.depthwise_conv\.(weight|bias)|norm\.(log_scale|bias)"
)
_STACK = (
    rf"(encoder\.)?(time_emb\.1\.(weight|bias)|layers\.\d+\.({_LAYER}))|downsample\.bias|out_combiner\.bypass_scale"
)
_ENDS = r"(in_proj|out_proj|time_embed\.[02])\.(weight|bias)|guidance_scale_embed\.weight"
_ZIPVOICE = re.compile(rf"embed\.weight|(text_encoder|fm_decoder)\.({_ENDS}|encoders\.\d+\.({_STACK}))")
_LAYER_OF_STACK = re.compile(r"fm_decoder\.encoders\.(\d+)\.(?:encoder\.)?layers\.(\d+)\.")


def report(path: Path | str, key: str | None = None, config: Path | str | None = None) -> str:
    """Describe a weight file for people.

    Args:
        path: safetensors or torch file.
        key: entry that holds the weights; None looks in the usual places.
        config: a public `model.json` to compare the ZipVoice part with.

    Raises:
        UserError: the file cannot be read or holds no weights.
    """
    content = read_checkpoint(path)
    state = state_of(content, path, key)
    prefix = zipvoice_prefix(state)
    own, other = split_keys(state, prefix)
    sections: dict[str, list[str]] = {f"{path}: {_size(state)}": []}
    if isinstance(content, Mapping) and not is_state(content):
        sections["Entries of the file"] = [f"{name}: {_describe(value)}" for name, value in content.items()]
    sections[f"ZipVoice{f' under {prefix!r}' if prefix else ''}: {_size(own)}"] = list(_table(own))
    if own:
        sections["Widths that its shapes imply"] = list(implied(own))
    sections[f"Not ZipVoice: {_size(other)}"] = list(_shapes(other))
    if config is not None:
        sections[f"ZipVoice compared with {config}"] = list(compared(own, config))
    return "\n\n".join("\n  ".join([title, *lines]) for title, lines in sections.items()) + "\n"


def split_keys(state: Mapping[str, Tensor], prefix: str = "") -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return (ZipVoice's entries with the prefix removed, all other entries with their full names)."""
    own, other = {}, {}
    for name, tensor in state.items():
        if name.startswith(prefix) and _ZIPVOICE.fullmatch(name.removeprefix(prefix)):
            own[name.removeprefix(prefix)] = tensor
        else:
            other[name] = tensor
    return own, other


def _size(state: Mapping[str, Tensor]) -> str:
    return f"{len(state)} tensors, {sum(tensor.numel() for tensor in state.values()):,} values"


def _describe(value: Any) -> str:
    """One entry of a checkpoint, in a few words."""
    if is_state(value):
        kinds = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in value.values()})
        return f"{_size(value)} ({', '.join(kinds)})"
    kind = value if isinstance(value, type) else type(value)
    if issubclass(kind, Placeholder):
        return f"object of {'.'.join(kind.origin)}, not rebuilt"
    if isinstance(value, Mapping | list | tuple | set):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _table(state: Mapping[str, Tensor]) -> Iterator[str]:
    """Lines of modules, a stack being one, with their number of tensors and values."""
    groups: dict[str, list[int]] = {}
    for name, tensor in state.items():
        stack = re.match(r"\w+\.encoders\.\d+", name)
        groups.setdefault(stack[0] if stack else name.rpartition(".")[0], []).append(tensor.numel())
    width = max(map(len, groups), default=0)
    for group, sizes in groups.items():
        yield f"{group:<{width}}  {len(sizes):4d} tensors {sum(sizes):12,d} values"


def _shapes(state: Mapping[str, Tensor]) -> Iterator[str]:
    """Lines of names, shapes and the widths they imply; entries whose names differ in numbers only are one line."""
    counts = Counter((re.sub(r"\.\d+(?=\.)", ".*", name), tuple(tensor.shape)) for name, tensor in state.items())
    for (name, shape), count in counts.items():
        widths = _widths(shape) if name.endswith("weight") else ""
        yield f"{name} {shape}" + (f": {widths}" if widths else "") + (f" ({count} times)" if count > 1 else "")


def _widths(shape: tuple[int, ...]) -> str:
    """What a weight of this shape maps if it belongs to a linear layer or a convolution; "" for a vector."""
    if len(shape) < 2:
        return ""
    kernel = f", kernel {' x '.join(map(str, shape[2:]))}" if len(shape) > 2 else ""
    if kernel and shape[1] == 1:
        return f"{shape[0]} out, one channel in each{kernel}"
    return f"{shape[1]} in, {shape[0]} out{kernel}"


def implied(state: Mapping[str, Tensor]) -> Iterator[str]:
    """Lines on the widths of a ZipVoice (names without prefix) that follow from its shapes."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    feat_dim, condition = 0, 0
    if "embed.weight" in shapes:
        yield "text embedding: {} symbols, width {}".format(*shapes["embed.weight"])
    if {"text_encoder.in_proj.weight", "text_encoder.out_proj.weight"} <= set(shapes):
        condition, width = shapes["text_encoder.out_proj.weight"]
        yield f"text encoder: width {width}, gives {condition} channels"
    if "fm_decoder.out_proj.weight" in shapes:
        feat_dim, width = shapes["fm_decoder.out_proj.weight"]
        yield f"estimator: width {width}, gives {feat_dim} feature channels"
    extra = shapes[FIRST_KEY][1] - 2 * feat_dim - condition
    parts = f"{feat_dim} of x_t + {condition} of the text condition + {feat_dim} of the speech condition"
    rest = "" if not extra else f" + {extra} more" if extra > 0 else f"; these would be {-extra} too many"
    yield f"estimator input: {shapes[FIRST_KEY][1]} channels = {parts}{rest}"
    yield "estimator stacks: " + ", ".join(f"{layers} layers at 1/{factor}" for factor, layers in _stacks(state))
    yield f"guidance embedding (distilled): {'yes' if DISTILLED_KEY in shapes else 'no'}"


def _stacks(state: Mapping[str, Tensor]) -> Iterator[tuple[int, int]]:
    """Downsampling factor and number of layers of each stack of the estimator."""
    found = {(int(m[1]), int(m[2])) for m in map(_LAYER_OF_STACK.match, state) if m}
    for stack, layers in sorted(Counter(stack for stack, _ in found).items()):
        weights = state.get(f"fm_decoder.encoders.{stack}.downsample.bias")
        yield (1 if weights is None else weights.numel()), layers


def compared(state: Mapping[str, Tensor], config: Path | str) -> Iterable[str]:
    """Lines on how ZipVoice's entries differ from the model that a `model.json` describes."""
    vocabulary = state["embed.weight"].shape[0] if "embed.weight" in state else 1
    values = read_sizes(config) | {"vocab_size": vocabulary, "guidance_scale_embed": DISTILLED_KEY in state}
    with torch.device("meta"):
        expected = ZipVoice(ZipVoiceConfig.of(values)).state_dict()
    return problems_of(expected, state) or ["every name and shape agrees"]
