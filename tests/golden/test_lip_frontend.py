"""The lip front-end against the public LRW code (facts in lipfront.json)."""

import json
from pathlib import Path

import pytest
import torch

from syncvoice.networks.lip_frontend import ACTIVATIONS, LipFrontEnd
from tests.golden.det import check_summary, det, fill

GOLDEN = json.loads(Path(__file__).with_name("lipfront.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_features_match(activation: str) -> None:
    golden = GOLDEN[activation]
    front_end = LipFrontEnd(activation).eval()
    assert len(front_end.state_dict()) == golden["n_keys"]
    assert sum(p.numel() for p in front_end.parameters()) == golden["n_params"]
    front_end.load_state_dict(fill(front_end.state_dict(), 1.0))
    with torch.inference_mode():
        check_summary(front_end(det((1, 1, 7, 88, 88), "lip", 2)), golden["out"])


def test_keys_are_those_of_the_public_weights() -> None:
    shapes = {key: list(value.shape) for key, value in LipFrontEnd("prelu").state_dict().items()}
    expected = dict(GOLDEN["prelu_keys"])  # the golden file lists the first convolution and one activation
    assert {key: shapes[key] for key in expected} == expected
    assert {key for key in shapes if key.startswith("frontend3D.")} <= set(expected)
    parts = {key.split(".", 3)[3] for key in shapes if key.startswith("trunk.layer2.0.")}
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    assert parts == {
        *(f"{conv}.weight" for conv in ("conv1", "conv2", "downsample.0", "relu1", "relu2")),
        *(f"{bn}.{name}" for bn in ("bn1", "bn2", "downsample.1") for name in norm),
    }
    assert not any("downsample" in key for key in shapes if key.startswith(("trunk.layer1.", "trunk.layer2.1.")))
