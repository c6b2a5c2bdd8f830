"""The peer of the training benchmark computes what our model and our optimiser compute."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import Tensor

from benchmarks.plain import plain_operations
from benchmarks.public import StackedScaledAdam, public_operations
from syncvoice.model import zipformer
from syncvoice.model.zipformer import padding_mask
from syncvoice.training import scaled_adam
from syncvoice.training.scaled_adam import ScaledAdam
from tests.unit.test_precision import FRAMES, lively_model

Operations = Callable[[], AbstractContextManager[None]]


def gradients_of(operations: Operations, autocast: bool, padded: bool) -> dict[str, Tensor]:
    """Gradients of a fixed loss by parameter, with the operations of a peer or with ours."""
    model = lively_model().train()
    draw = torch.Generator().manual_seed(5)
    x, weights = (torch.randn(2, FRAMES, c, generator=draw) for c in (300, 100))
    padding = padding_mask(torch.tensor([FRAMES, 30]), FRAMES) if padded else None
    with operations():
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            out = model.fm_decoder(x, model.fm_decoder.embed_time(torch.tensor([0.2, 0.9])), padding)
        (out.float() * weights).sum().backward()
    return {name: p.grad for name, p in model.fm_decoder.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("operations", [public_operations, plain_operations])
def test_gradients_are_those_of_the_peer(operations: Operations, padded: bool) -> None:
    ours, peer = gradients_of(nullcontext, False, padded), gradients_of(operations, False, padded)
    assert ours.keys() == peer.keys() and len(ours) > 100
    largest = max(g.norm() for g in peer.values())
    for name, expected in peer.items():
        # A key's bias cancels in the softmax: its exact gradient is zero, what remains is rounding.
        assert (ours[name] - expected).norm() <= 1e-4 * expected.norm() + 1e-7 * largest, name


@pytest.mark.parametrize("operations", [public_operations, plain_operations])
def test_gradients_in_bfloat16_point_where_the_peers_do(operations: Operations) -> None:
    ours, peer = (gradients_of(o, True, True) for o in (nullcontext, operations))
    joined = [torch.cat([g[name].flatten() for name in sorted(g)]) for g in (ours, peer)]
    assert torch.cosine_similarity(*joined, dim=0) > 0.999


def test_public_operations_are_taken_back() -> None:
    before = zipformer.BiasNorm.forward, zipformer.F.glu, zipformer.swoosh_l
    with public_operations():
        assert zipformer.BiasNorm.forward is not before[0]
    assert (zipformer.BiasNorm.forward, zipformer.F.glu, zipformer.swoosh_l) == before


def trained(kind: type[ScaledAdam], steps: int = 11) -> list[Tensor]:
    """Parameters after some steps, past the first threshold of the clipping, some without a gradient."""
    torch.manual_seed(7)
    shapes = ((6, 5), (6, 5), (7,), (), ())
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    optimiser = kind(parameters)
    for step in range(steps):
        for index, p in enumerate(parameters):
            p.grad = None if index == 1 and step == 3 else torch.randn(p.shape) * (20 if step == 10 else 1)
        optimiser.step()
    return [p.detach() for p in parameters]


@pytest.mark.parametrize("piece", [4, 2**17])
@pytest.mark.parametrize("in_pieces", [True, False])
def test_scaled_adam_in_place_is_the_stacked_one(monkeypatch: pytest.MonkeyPatch, piece: int, in_pieces: bool) -> None:
    monkeypatch.setattr(scaled_adam, "PIECE", piece)
    monkeypatch.setattr(scaled_adam, "has_cache", lambda tensor: in_pieces)  # False: whole stacks, as on a GPU
    expected = trained(StackedScaledAdam)
    torch.testing.assert_close(trained(ScaledAdam), expected, atol=1e-6, rtol=1e-6)
