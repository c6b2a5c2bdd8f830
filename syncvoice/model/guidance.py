"""Multi-condition classifier-free guidance.

Paper: separate scales s_t, s_f, s_l for text, face and lips combine passes over condition subsets. Our form, for the
conditions c_1 .. c_m restricted to scales other than zero:

    v = v(∅) + Σ_k s_{c_k} [v(c_1 .. c_k) − v(c_1 .. c_{k−1})]

Order of the chain (our choice): text first, then the other conditions by name, which for the paper's three gives text,
face, lip. ∅ means that z_tv is zero everywhere. ZipVoice's scale g is s = 1 + g for all conditions, and its time rule
carries over: at t <= 0.5 a scale s >= 1 becomes 2 s − 1 and ∅ keeps the reference voice; at t > 0.5 ∅ drops it.

Beside its scale a condition may have a rule (our choice): when in flow time and in which frames it acts, until when it
is amplified, and whether its step may touch the direction in which the text pulls.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from torch import Tensor

Schedule = Literal["constant", "early", "late", "rising", "falling"]


@dataclass(frozen=True)
class Rule:
    """How a condition acts beside its scale.

    Attributes:
        schedule: factor of the scale over flow time t: 1; 1 up to t = 1/2 and then 0; the reverse; t; 1 − t. The last
            four have the same mean over t, half of a constant's, before ZipVoice's time rule doubles the early half.
        where: "all" frames, or only those around a "shut" mouth: the condition then tells of silence, closure and
            onset, and nothing of the shape in between.
        off_text: take away what of the condition's step lies along the text's, frame by frame; only what the text does
            not speak of is left to it.
        until: last flow time at which the scale may exceed 1; later the condition takes part as the model learned it
            (guidance in a limited interval, which Kynkäänniemi et al. 2024 found better for pictures).
    """

    schedule: Schedule = "constant"
    where: Literal["all", "shut"] = "all"
    off_text: bool = False
    until: float = 1.0

    def scale(self, s: float, t: float) -> float:
        """Return the scale at flow time t of a condition whose scale is `s` (ZipVoice's time rule, then this one)."""
        if t > self.until:
            s = min(s, 1.0)
        elif t <= 0.5 and s >= 1:
            s = 2 * s - 1
        return s * self.factor(t)

    def factor(self, t: float) -> float:
        """Return the factor of the scale at flow time t."""
        return {
            "constant": 1.0,
            "early": float(t <= 0.5),
            "late": float(t > 0.5),
            "rising": t,
            "falling": 1 - t,
        }[self.schedule]


SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
_NO_RULE = Rule()


def in_guidance_order(conditions: Iterable[str]) -> list[str]:
    """Return conditions in the order of the chain: text first, then by name."""
    return sorted(conditions, key=lambda name: (name != "text", name))


class Scales(Mapping[str, float]):
    """Guidance scales by condition, fixed once made; a condition that is not named has scale 0.

    >>> scales = Scales(2.0, lip=1.5, face=0.0)
    >>> scales.active()
    ('text', 'lip')
    >>> scales["head_pose"]
    0.0
    """

    def __init__(self, text: float = 2.0, rules: Mapping[str, Rule] | None = None, **others: float) -> None:
        """Keep the scales that are not zero, and the rules that say anything."""
        self.rules = {name: rule for name, rule in sorted((rules or {}).items()) if rule != _NO_RULE}
        values = {"text": text, **others}
        self._values = {name: float(values[name]) for name in in_guidance_order(values) if values[name] != 0}

    def __getitem__(self, condition: str) -> float:
        """Return a scale."""
        return self._values.get(condition, 0.0)

    def __contains__(self, condition: object) -> bool:
        """Whether a scale is not zero."""
        return condition in self._values

    def __iter__(self) -> Iterator[str]:
        """Yield the conditions whose scale is not zero, in guidance order."""
        return iter(self._values)

    def __len__(self) -> int:
        """Number of conditions whose scale is not zero."""
        return len(self._values)

    def __hash__(self) -> int:
        """Equal scales have equal hashes."""
        return hash((tuple(self._values.items()), tuple(self.rules.items())))

    def __eq__(self, other: object) -> bool:
        """Equal scales and equal rules."""
        if not isinstance(other, Scales):
            return NotImplemented
        return self._values == other._values and self.rules == other.rules

    def __repr__(self) -> str:
        """Name and value of every scale that is not zero."""
        rules = [f"rules={self.rules}"] if self.rules else []
        return f"Scales({', '.join([f'{name}={value:g}' for name, value in self._values.items()] + rules)})"

    def changed(self, **scales: float) -> "Scales":
        """Return these scales with others in the place of some.

        >>> Scales(2.0, face=1.0).changed(face=0.0, lip=3.0)
        Scales(text=2, lip=3)
        """
        return Scales(rules=self.rules, **{"text": self["text"], **self._values, **scales})

    def active(self) -> tuple[str, ...]:
        """Conditions whose scale is not zero, in guidance order."""
        return tuple(self._values)

    def subsets(self, t: float | None = None) -> list[tuple[str, ...]]:
        """Condition subsets whose velocity is needed, from ∅ to all active ones: at flow time t, or (None) at any.

        Where every active scale is 1 and no rule says where or how, the sum telescopes, and the last subset is enough.
        """
        active = self.active()
        if active and self._telescopes(t):
            return [active]
        return [active[:k] for k in range(len(active) + 1)]

    def _telescopes(self, t: float | None) -> bool:
        if t is None:
            return not self.rules and all(value == 1 for value in self._values.values())
        plain = all(rule.where == "all" and not rule.off_text for rule in self.rules.values())
        return plain and all(value == 1 for value in self.at(t).values())

    def at(self, t: float) -> Mapping[str, float]:
        """Scales at flow time t (ZipVoice's time rule, then each condition's own)."""
        return {name: self.rules.get(name, _NO_RULE).scale(s, t) for name, s in self._values.items()}


def drops_voice(t: float) -> bool:
    """Whether ∅ also drops the reference voice at flow time t."""
    return t > 0.5


def combine(velocities: "list[Tensor]", scales: Scales, t: float,
            frame_weights: "Mapping[str, Tensor] | None" = None) -> "Tensor":  # fmt: skip
    """Combine the velocities of `scales.subsets()` at flow time t; same shapes in and out.

    Args:
        velocities: (B, T, C) each.
        scales: with their rules.
        t: flow time.
        frame_weights: per condition a weight of every frame (B, T), on top of its scale; not named: 1.
    """
    if len(velocities) == 1:
        return velocities[0]
    at_t = scales.at(t)
    v = velocities[0]
    for k, condition in enumerate(scales.active(), start=1):
        step = velocities[k] - velocities[k - 1]
        if condition != "text" and scales.rules.get(condition, _NO_RULE).off_text:
            step = without_direction(step, velocities[1] - velocities[0])
        if frame_weights and condition in frame_weights:
            step = step * frame_weights[condition][..., None]
        v = v + at_t[condition] * step
    return v


def without_direction(step: "Tensor", direction: "Tensor") -> "Tensor":
    """Take away from every frame of `step` (B, T, C) its projection on the same frame of `direction` (B, T, C)."""
    share = (step * direction).sum(-1, keepdim=True) / direction.square().sum(-1, keepdim=True).clamp(min=1e-12)
    return step - share * direction
