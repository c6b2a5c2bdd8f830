"""The speaker head of SIM-o against the reference implementation (facts in ecapa_head.json)."""

import json
from pathlib import Path

import torch

from syncvoice.networks.ecapa import EcapaHead
from tests.golden.det import check_summary, det, fill

GOLDEN = json.loads((Path(__file__).parent / "ecapa_head.json").read_text())


def test_head_matches_mixture_and_embedding() -> None:
    head = EcapaHead().eval()
    assert len(head.state_dict()) == GOLDEN["n_keys"]
    assert sum(parameter.numel() for parameter in head.parameters()) == GOLDEN["n_params"]
    head.load_state_dict(fill(head.state_dict(), 1.0))
    states = [det((1, 50, 1024), f"hs{number}") for number in range(25)]
    with torch.inference_mode():
        check_summary(head.mix(states), GOLDEN["feat"])
        check_summary(head(states), GOLDEN["emb"])
