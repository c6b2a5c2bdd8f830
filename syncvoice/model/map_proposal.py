"""A first key map for a foreign checkpoint, from names and shapes; somebody must look at every line of it.

What is looked for: ZipVoice under any prefix; for each condition, known by a word in its names, a norm, the two layers
of a bottleneck, a linear residual and a null vector; a linear fusion; a linear projection of a speaker embedding.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from syncvoice.files import atomic_path
from syncvoice.model.inspection import split_keys
from syncvoice.model.key_map import KeyMap, Rename
from syncvoice.model.public_layout import zipvoice_prefix
from syncvoice.model.speaker import BRANCHES

# Words in names -> condition. Speakers come first: "speaker_face_..." is unlikely, "face" inside other words is not.
HINTS = {"speaker": ("speaker", "spk", "campp", "xvector"), "lip": ("lip", "mouth"), "face": ("face", "facial", "emo")}
NULL = ("null", "mask", "empty", "uncond")
FRONT_ENDS = {512: "lrw_resnet18", 1024: "av_hubert", 256: "emonet", 52: "mediapipe_blendshapes"}
_BACKBONE = r"((?:embed|text_encoder|fm_decoder)\..+)"


class Proposal:
    """A key map in the making.

    Attributes:
        rules: foreign name or pattern -> ours.
        zero: patterns of our names that nothing stands for.
        left: foreign names with shapes that found no place.
        widths: input width of every condition.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rules: dict[str, str] = {}
        self.zero: list[str] = []
        self.left: dict[str, tuple[int, ...]] = {}
        self.widths: dict[str, int] = {}

    def key_map(self) -> KeyMap:
        """Return the map, which loads if nothing is left over and the guesses are right."""
        return KeyMap(rename=[Rename(theirs=theirs, ours=ours) for theirs, ours in self.rules.items()], zero=self.zero)

    def place(self, name: str, ours: str) -> None:
        """Add the rule of one tensor."""
        self.rules[re.escape(name)] = ours


def propose(state: Mapping[str, Tensor]) -> Proposal:
    """Return a proposal for a foreign state dict."""
    found, prefix = Proposal(), zipvoice_prefix(state)
    _, other = split_keys(state, prefix)
    found.rules[re.escape(prefix) + _BACKBONE] = r"backbone.\1"
    text = state.get(f"{prefix}text_encoder.out_proj.weight")
    width = len(text) if text is not None else 0
    groups: dict[str, dict[str, Tensor]] = {}
    for name, tensor in other.items():
        groups.setdefault(_hint(name.removeprefix(prefix)), {})[name] = tensor
    for condition in ("lip", "face"):
        if condition in groups:
            _place_adapter(found, condition, groups.pop(condition), width)
    _place_speaker(found, groups.pop("speaker", {}))
    rest = groups.pop("", {})
    inputs = width * (1 + len(found.widths))
    for name, tensor in list(rest.items()):
        if tensor.shape == (width, inputs) and found.widths and "fusion.linear.weight" not in found.rules.values():
            found.place(name, "fusion.linear.weight")
            del rest[name]
            if (bias := f"{name.removesuffix('weight')}bias") in rest:
                found.place(bias, "fusion.linear.bias")
                del rest[bias]
    if found.widths and "fusion.linear.bias" not in found.rules.values():
        found.zero.append("fusion.linear.bias")
    found.left |= {name: tuple(tensor.shape) for name, tensor in rest.items()}
    return found


def _hint(name: str) -> str:
    """Return the condition that a word in a name points to, "" without."""
    return next((kind for kind, words in HINTS.items() if any(word in name.lower() for word in words)), "")


def _layers(group: Mapping[str, Tensor], inputs: int) -> Iterator[tuple[str, Tensor]]:
    """Yield linear layers of a number of inputs, by the name of their module."""
    for name, tensor in group.items():
        if name.endswith(".weight") and tensor.ndim == 2 and tensor.shape[1] == inputs:
            yield name.removesuffix(".weight"), tensor


def _place_adapter(found: Proposal, condition: str, group: dict[str, Tensor], width: int) -> None:
    """Place norm, bottleneck, residual and null vector of one condition."""
    norm = next((n.removesuffix(".weight") for n, t in group.items() if t.ndim == 1 and n.endswith(".weight")), None)
    ours = f"fusion.adapters.{condition}"
    modules: dict[str, str] = {}
    if norm is not None:
        inputs = found.widths[condition] = len(group[f"{norm}.weight"])
        modules[norm] = "norm"
        pairs = (
            (down, up)
            for down, first in _layers(group, inputs)
            for up, second in _layers(group, len(first))
            if up != down and len(second) == width
        )
        if (pair := next(pairs, None)) is not None:
            modules |= dict(zip(pair, ("down", "up"), strict=True))
        rest = (name for name, layer in _layers(group, inputs) if name not in modules and len(layer) == width)
        if (residual := next(rest, None)) is not None:
            modules[residual] = "residual"
        found.zero += [f"{ours}.residual.*"] if residual is None else []
    placed = set()
    for module, part in modules.items():
        for kind in ("weight", "bias"):
            if f"{module}.{kind}" in group:
                found.place(f"{module}.{kind}", f"{ours}.{part}.{kind}")
                placed.add(f"{module}.{kind}")
            else:
                found.zero.append(f"{ours}.{part}.{kind}")
    nulls = [n for n, t in group.items() if n not in placed and t.numel() == width and t.ndim == 1 and _is_null(n)]
    for name in nulls[:1]:
        found.place(name, f"fusion.null.{condition}")
    if not nulls:
        found.zero.append(f"fusion.null.{condition}")
    found.left |= {n: tuple(t.shape) for n, t in group.items() if n not in placed and n not in nulls[:1]}


def _is_null(name: str) -> bool:
    """Tell whether a name speaks of what stands where nothing is seen."""
    return any(word in name.lower() for word in NULL)


def _place_speaker(found: Proposal, group: dict[str, Tensor]) -> None:
    """Place the projection of a pretrained speaker embedding, if that is all there is of a speaker encoder."""
    matrices = [name for name, tensor in group.items() if tensor.ndim == 2]
    if len(matrices) == 1 and len(group) <= len(BRANCHES):
        for name in list(group):
            found.place(name, f"speaker.projection.{'weight' if name == matrices[0] else 'bias'}")
            del group[name]
    found.left |= {name: tuple(tensor.shape) for name, tensor in group.items()}


def write_proposal(path: Path | str, found: Proposal, source: Path | str) -> None:
    """Write a proposal as a YAML file with what nobody could tell as comments, atomically."""
    import yaml

    content = {
        "rename": [{"theirs": theirs, "ours": ours} for theirs, ours in found.rules.items()],
        "zero": found.zero,
        "fusion_inputs": ["text", *found.widths],
        "text_expansion": found.key_map().text_expansion,
    }
    lines = [
        f"# Proposed by 'syncvoice inspect-checkpoint' for {Path(source).name}, from names and shapes. Look at every",
        "# line; config/foreign/README.md says what the keys mean. Shapes cannot tell the order of fusion_inputs, nor",
        "# how text is spread over frames.",
    ]
    for name, width in found.widths.items():
        guess = f", which is the width of {FRONT_ENDS[width]}" if width in FRONT_ENDS else ""
        lines.append(f"# condition {name}: {width} values per video frame{guess}")
    lines += [f"# not placed: {name} {shape}" for name, shape in found.left.items()]
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n" + text, encoding="utf-8")
