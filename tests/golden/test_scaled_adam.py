"""ScaledAdam and Eden follow the trajectory that the public implementation gave (golden values)."""

import copy
import json
from pathlib import Path

import pytest
import torch

from syncvoice.training import scaled_adam
from syncvoice.training.scaled_adam import CLIP_WINDOW, ScaledAdam, eden
from tests.golden.det import det

GOLDEN = json.loads((Path(__file__).parent / "scaled_adam.json").read_text())
STARTS = {"w": ((3, 4), "w0", 0.5), "w2": ((3, 4), "w1", 0.2), "b": ((5,), "b0", 0.1)}
TOLERANCE = 5e-7  # stored with seven decimals; the rest is the order of float32 sums


def parameters() -> dict[str, torch.nn.Parameter]:
    start = {name: det(*rule) for name, rule in STARTS.items()} | {"s": torch.tensor(0.7)}
    return {name: torch.nn.Parameter(value) for name, value in start.items()}


def follow(values: dict[str, torch.nn.Parameter], optimiser: ScaledAdam, first: int, last: int) -> None:
    for k in range(first, last):
        for name, value in values.items():
            shape = tuple(value.shape) or (1,)
            value.grad = det(shape, f"{name}_g{k}", 0.3 * (1 + 9 * (k == 12))).reshape(value.shape)
        optimiser.step()


@pytest.mark.parametrize("after", GOLDEN["after"], ids=lambda k: f"after {k} steps")
def test_trajectory(after: str) -> None:
    values, expected = parameters(), GOLDEN["after"][after]
    follow(values, ScaledAdam(values.values(), lr=0.02, clipping_scale=2.0), 0, int(after))
    for name, key in (("w", "w_first4"), ("w2", "w2_first2"), ("b", "b"), ("s", "s")):
        stored = torch.tensor(expected[key]).flatten()
        torch.testing.assert_close(values[name].detach().flatten()[: len(stored)], stored, atol=TOLERANCE, rtol=0)


def test_the_large_gradient_is_clipped() -> None:
    expected, free = GOLDEN["after"]["30"]["b"], parameters()
    follow(free, ScaledAdam(free.values(), lr=0.02, clipping_scale=None), 0, 30)
    assert (free["b"].detach()[: len(expected)] - torch.tensor(expected)).abs().max() > 100 * TOLERANCE


def test_state_resumes_to_the_same_bits() -> None:
    whole, broken = parameters(), parameters()
    follow(whole, ScaledAdam(whole.values()), 0, 30)
    first = ScaledAdam(broken.values())
    follow(broken, first, 0, 13)
    second = ScaledAdam(broken.values())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    follow(broken, second, 13, 30)
    for name in whole:
        assert torch.equal(whole[name], broken[name]), name


def test_median_that_is_not_finite_stops() -> None:
    values = {"w": torch.nn.Parameter(torch.ones(2, 2))}
    optimiser = ScaledAdam(values.values())
    with pytest.raises(FloatingPointError, match="not finite"):
        for _ in range(CLIP_WINDOW + 1):
            values["w"].grad = torch.full((2, 2), float("nan"))
            optimiser.step()


def test_a_card_is_waited_for_only_when_the_median_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a card the factor of clipping stays there; the trajectory is that of a CPU but for rounding."""
    on_cpu, on_card, read = parameters(), parameters(), []
    follow(on_cpu, ScaledAdam(on_cpu.values()), 0, 30)
    monkeypatch.setattr(scaled_adam, "has_cache", lambda tensor: False)
    plain = torch.Tensor.__float__
    monkeypatch.setattr(torch.Tensor, "__float__", lambda tensor: read.append(1) or plain(tensor))
    follow(on_card, ScaledAdam(on_card.values()), 0, 30)
    assert len(read) == 2, "at steps 10 and 20"
    for name, value in on_cpu.items():
        torch.testing.assert_close(on_card[name], value, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("on_card", [False, True])
@pytest.mark.parametrize("wrong", [float("inf"), float("-inf"), float("nan")])
def test_a_gradient_that_is_not_finite_counts_as_zero(
    wrong: float, on_card: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the public code: once a threshold is known, the step drops all gradients and goes on by its momentum."""
    monkeypatch.setattr(scaled_adam, "has_cache", lambda tensor: not on_card)
    found, expected = parameters(), parameters()
    for values, broken in ((found, True), (expected, False)):
        optimiser = ScaledAdam(values.values())
        follow(values, optimiser, 0, 15)
        for name, value in values.items():
            value.grad = torch.zeros_like(value)
            if broken:
                value.grad.flatten()[0] = wrong if name == "w" else 1.0
        optimiser.step()
        follow(values, optimiser, 16, 19)
    for name, value in found.items():
        assert torch.isfinite(value).all() and torch.equal(value, expected[name]), name


def test_eden() -> None:
    for batch, hours, rate in GOLDEN["eden_7500_30000_base0.02"]:
        assert 0.02 * eden(batch, hours, 7500, 30000) == pytest.approx(rate, abs=1e-9)
