"""Multi-condition classifier-free guidance.

Paper: separate scales s_t, s_f, s_l for text, face and lips combine passes over condition subsets. Our form, for the
conditions c_1 .. c_m restricted to scales other than zero:

    v = v(∅) + Σ_k s_{c_k} [v(c_1 .. c_k) − v(c_1 .. c_{k−1})]

Order of the chain (our choice): text first, then the other conditions by name, which for the paper's three gives text,
face, lip. ∅ means that z_tv is zero everywhere. ZipVoice's scale g is s = 1 + g for all conditions, and its time rule
carries over: at t <= 0.5 a scale s >= 1 becomes 2 s − 1 and ∅ keeps the reference voice; at t > 0.5 ∅ drops it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


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

    def __init__(self, text: float = 2.0, **others: float) -> None:
        """Keep the scales that are not zero."""
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
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        """Name and value of every scale that is not zero."""
        return f"Scales({', '.join(f'{name}={value:g}' for name, value in self._values.items())})"

    def changed(self, **scales: float) -> "Scales":
        """Return these scales with others in the place of some.

        >>> Scales(2.0, face=1.0).changed(face=0.0, lip=3.0)
        Scales(text=2, lip=3)
        """
        return Scales(**{"text": self["text"], **self._values, **scales})

    def active(self) -> tuple[str, ...]:
        """Conditions whose scale is not zero, in guidance order."""
        return tuple(self._values)

    def subsets(self) -> list[tuple[str, ...]]:
        """Condition subsets whose velocity is needed, from ∅ to all active ones.

        When every active scale is 1 the sum telescopes, and the last subset alone is computed.
        """
        active = self.active()
        if active and all(value == 1 for value in self._values.values()):
            return [active]
        return [active[:k] for k in range(len(active) + 1)]

    def at(self, t: float) -> Mapping[str, float]:
        """Scales at flow time t (ZipVoice's time rule)."""
        doubled = t <= 0.5
        return {name: 2 * s - 1 if doubled and s >= 1 else s for name, s in self._values.items()}


def drops_voice(t: float) -> bool:
    """Whether ∅ also drops the reference voice at flow time t."""
    return t > 0.5


def combine(velocities: "list[Tensor]", scales: Scales, t: float) -> "Tensor":
    """Combine the velocities of `scales.subsets()` at flow time t; same shapes in and out."""
    if len(velocities) == 1:
        return velocities[0]
    at_t = scales.at(t)
    v = velocities[0]
    for k, condition in enumerate(scales.active(), start=1):
        v = v + at_t[condition] * (velocities[k] - velocities[k - 1])
    return v
