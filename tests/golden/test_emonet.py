"""EmoNet against the public code (facts in emonet.json)."""

import json
from pathlib import Path

import pytest
import torch

from syncvoice.networks.emonet import EmoNet
from tests.golden.det import check_summary, det, fill

GOLDEN = json.loads(Path(__file__).with_name("emonet.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    """The two pictures of the golden file."""
    return 0.5 + 0.5 * det((2, 3, 256, 256), "emonet_input")


@pytest.mark.parametrize("expressions", [8, 5])
def test_every_stage_matches(expressions: int, pictures: torch.Tensor) -> None:
    golden = GOLDEN[f"emonet_{expressions}"]
    network = EmoNet(expressions).eval()
    assert len(network.state_dict()) == golden["keys"]
    assert sum(p.numel() for p in network.parameters()) == golden["parameters"]
    network.load_state_dict(fill(network.state_dict(), GOLDEN["gain"]))
    with torch.inference_mode():
        stem = network.stem(pictures)
        check_summary(stem, golden["conv4"])
        check_summary(network.m0(stem), golden["hourglass0"])
        check_summary(network.maps(stem)[1], golden["heatmap"])
        feature = network(pictures)
        check_summary(feature, golden["feature256"], 1e-3)  # values up to 90
        for name, found in zip(("expression", "valence", "arousal"), network.judged(feature), strict=True):
            check_summary(found, golden[name])


def test_keys_begin_and_end_as_in_the_public_file() -> None:
    keys = list(EmoNet().state_dict())
    first, last = GOLDEN["keys_first_last"]
    assert keys[: len(first)] == first and keys[-len(last) :] == last
