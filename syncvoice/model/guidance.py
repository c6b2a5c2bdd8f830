"""Multi-condition classifier-free guidance.

Paper: separate scales s_t, s_f, s_l for text, face and lips combine passes over condition subsets. Our form, for the
conditions c_1 .. c_m in the order (text, face, lip), restricted to scales other than zero:

    v = v(∅) + Σ_k s_{c_k} [v(c_1 .. c_k) − v(c_1 .. c_{k−1})]

∅ means that z_tv is zero everywhere. ZipVoice's scale g is s = 1 + g for all conditions, and its time rule carries
over: at t <= 0.5 a scale s >= 1 becomes 2 s − 1 and ∅ keeps the reference voice; at t > 0.5 ∅ drops it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

CONDITIONS = ("text", "face", "lip")


@dataclass(frozen=True)
class Scales:
    """Guidance scales s_t, s_f, s_l."""

    text: float = 2.0
    face: float = 0.0
    lip: float = 0.0

    def active(self) -> tuple[str, ...]:
        """Conditions whose scale is not zero, in guidance order."""
        return tuple(c for c in CONDITIONS if getattr(self, c) != 0)

    def subsets(self) -> list[tuple[str, ...]]:
        """Condition subsets whose velocity is needed, from ∅ to all active ones.

        When every active scale is 1 the sum telescopes, and the last subset alone is computed.
        """
        active = self.active()
        if active and all(getattr(self, c) == 1 for c in active):
            return [active]
        return [active[:k] for k in range(len(active) + 1)]

    def at(self, t: float) -> Mapping[str, float]:
        """Scales at flow time t (ZipVoice's time rule)."""
        doubled = t <= 0.5
        return {c: 2 * s - 1 if doubled and s >= 1 else s for c in self.active() for s in [getattr(self, c)]}


def drops_voice(t: float) -> bool:
    """Whether ∅ also drops the reference voice at flow time t."""
    return t > 0.5


def combine(velocities: list[Tensor], scales: Scales, t: float) -> Tensor:
    """Combine the velocities of `scales.subsets()` at flow time t; same shapes in and out."""
    if len(velocities) == 1:
        return velocities[0]
    at_t = scales.at(t)
    v = velocities[0]
    for k, condition in enumerate(scales.active(), start=1):
        v = v + at_t[condition] * (velocities[k] - velocities[k - 1])
    return v
