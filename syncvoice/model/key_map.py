"""Weights of a SyncVoice that another program trained: a key map turns their names into ours, and nothing is guessed.

A key map is a YAML file (config/foreign/README.md says its keys). Every name of the foreign file must be renamed or
ignored, every name of ours filled or said to be zero; else the loading stops and lists what is left.
"""

import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from syncvoice.errors import UserError
from syncvoice.model.fusion import in_fusion_order
from syncvoice.model.public_layout import CONFIG_FILE, DISTILLED_KEY, TOKENS_FILE, read_sizes
from syncvoice.model.speaker import BRANCHES
from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig
from syncvoice.records.weights import load_strict
from syncvoice.section import Section, validated
from syncvoice.text.vocabulary import PAD, read_vocabulary

FUSION = "fusion.linear.weight"
_ADAPTER = re.compile(r"fusion\.adapters\.([^.]+)\.norm\.weight")
LISTED = 12  # names in an error message


class Rename(Section):
    """One rule: foreign names that match a regular expression as a whole, and ours, with \\1 for its groups."""

    theirs: str
    ours: str


class KeyMap(Section):
    """How a foreign state dict becomes ours.

    Attributes:
        entry: entry of the file that holds the weights; None looks in the usual places.
        rename: rules, the first that fits counts.
        ignored: shell-style patterns of foreign names that are left out.
        zero: shell-style patterns of our names that the file lacks and that count as zero.
        fusion_inputs: order of the inputs of their fusion layer, e.g. [text, face, lip]; [] is ours (text, lip, face,
            others by name).
        text_expansion: how their model spreads tokens over frames, see `SyncVoiceConfig`.
    """

    entry: str | None = None
    rename: list[Rename]
    ignored: list[str] = []
    zero: list[str] = []
    fusion_inputs: list[str] = []
    text_expansion: Literal["segments", "average"] = "average"


def read_key_map(path: Path | str) -> KeyMap:
    """Read a key map.

    Raises:
        UserError: the file is missing, no YAML, or has a wrong key.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"key map {path} does not exist; 'syncvoice inspect-checkpoint FILE --propose {path}' begins one"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    return validated(KeyMap, content if isinstance(content, dict) else {}, str(path))


def renamed(state: Mapping[str, Tensor], key_map: KeyMap, source: Path | str) -> dict[str, Tensor]:
    """Return a foreign state dict under our names.

    Raises:
        UserError: a name fits no rule, or two become one; lists them.
    """
    rules = [(re.compile(rule.theirs), rule.ours) for rule in key_map.rename]
    found: dict[str, Tensor] = {}
    left = []
    for name, tensor in state.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in key_map.ignored):
            continue
        match = next(((fit, ours) for rule, ours in rules if (fit := rule.fullmatch(name))), None)
        if match is None:
            left.append(f"{name} {tuple(tensor.shape)}")
            continue
        ours = match[0].expand(match[1])
        if ours in found:
            raise UserError(f"{source}: more than one tensor becomes {ours} ({name} among them); correct the key map")
        found[ours] = tensor
    if left:
        more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
        raise UserError(
            f"{source}: the key map says nothing of {', '.join(left[:LISTED])}{more}; add rules under 'rename', or "
            "patterns under 'ignored' if the model can do without them"
        )
    return found


def model_of(state: Mapping[str, Tensor], key_map: KeyMap, source: Path) -> SyncVoice:
    """Return the model that a foreign state dict is, in evaluation mode; sizes follow from the shapes.

    Args:
        state: foreign names to tensors.
        key_map: what they are.
        source: the weight file; `model.json` and `tokens.txt` of public ZipVoice lie beside it.

    Raises:
        UserError: names are left over or missing, or shapes do not fit.
    """
    ours = renamed(state, key_map, source)
    config = config_of(ours, key_map, source)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in SyncVoice(config).state_dict().items()}
    lacking = [name for name in shapes if name not in ours]
    ours |= {
        name: torch.zeros(shapes[name])
        for name in lacking
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in key_map.zero)
    }
    if key_map.fusion_inputs and FUSION in ours:
        ours[FUSION] = _in_our_order(ours[FUSION], key_map.fusion_inputs, list(config.visual_dims), source)
    model = SyncVoice(config)
    load_strict(model, ours, source)
    return model.eval()


def config_of(ours: Mapping[str, Tensor], key_map: KeyMap, source: Path) -> SyncVoiceConfig:
    """Return the sizes that a state dict under our names has.

    Raises:
        UserError: the files beside it are missing, or a part that tells a size is.
    """
    vocabulary = read_vocabulary(source.with_name(TOKENS_FILE))
    backbone = read_sizes(source.with_name(CONFIG_FILE)) | {
        "vocab_size": len(vocabulary), "pad_id": vocabulary[PAD],
        "guidance_scale_embed": f"backbone.{DISTILLED_KEY}" in ours,
    }  # fmt: skip
    dims = {match[1]: len(ours[match[0]]) for match in map(_ADAPTER.fullmatch, ours) if match}
    values: dict[str, Any] = {
        "backbone": backbone, "text_expansion": key_map.text_expansion,
        "visual_dims": {name: dims[name] for name in in_fusion_order(dims)},
    }  # fmt: skip
    for name in dims:
        values["adapter_dim"] = _rows(ours, f"fusion.adapters.{name}.down.weight", source)
    parts = dict(zip(BRANCHES, ("speaker.projection.weight", "speaker.learnable.conv.weight"), strict=True))
    branches = [branch for branch, name in parts.items() if name in ours]
    values["speaker_branches"] = branches
    if "pretrained" in branches:
        values["pretrained_speaker_dim"] = ours[parts["pretrained"]].shape[1]
    if "learnable" in branches:
        values["speaker_dim"] = len(ours[parts["learnable"]])
    return SyncVoiceConfig.of(values)


def _rows(ours: Mapping[str, Tensor], name: str, source: Path) -> int:
    """Return the number of rows of a matrix.

    Raises:
        UserError: it is not there.
    """
    if name not in ours:
        raise UserError(f"{source}: no tensor becomes {name}, which tells a width of the model; add a rule for it")
    return len(ours[name])


def _in_our_order(weight: Tensor, theirs: list[str], conditions: list[str], source: Path) -> Tensor:
    """Return a fusion matrix whose blocks of columns stand in our order.

    Raises:
        UserError: the order names other inputs than the model has.
    """
    ours = ["text", *conditions]
    if sorted(theirs) != sorted(ours) or weight.shape[1] % len(ours):
        raise UserError(f"{source}: fusion_inputs names {', '.join(theirs)}, the model's inputs are {', '.join(ours)}")
    blocks = dict(zip(theirs, weight.chunk(len(theirs), dim=1), strict=True))
    return torch.cat([blocks[name] for name in ours], dim=1)
