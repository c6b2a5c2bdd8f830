"""SyncNet against numbers computed with the public code on deterministic weights (tests/golden/syncnet.json)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.metrics.lip_sync.distances import distance_curve, lip_sync_of
from syncvoice.networks.syncnet import V2, SyncNet, mfcc
from tests.golden.det import check_summary, det, fill, values

GOLDEN = json.loads(Path(__file__).with_name("syncnet.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def network() -> SyncNet:
    """The public layout with the deterministic weights of the golden file."""
    network = SyncNet(V2).eval()
    network.load_state_dict(fill(network.state_dict(), GOLDEN["syncnet"]["gain"]))
    return network


def test_number_of_parameters(network: SyncNet) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 13_631_616


def test_keys_are_those_of_the_public_file(network: SyncNet) -> None:
    layers = {"netcnnaud": [0, 1, 4, 5, 8, 9, 11, 12, 14, 15, 18, 19], "netfcaud": [0, 1, 3]}
    layers |= {"netcnnlip": layers["netcnnaud"], "netfclip": layers["netfcaud"]}
    found = {key.rsplit(".", 1)[0] for key in network.state_dict()}
    assert found == {f"{branch}.{layer}" for branch, indices in layers.items() for layer in indices}


def test_mfcc() -> None:
    n = np.arange(16_000)
    tones = 8000 * np.sin(2 * np.pi * 440 * n / 16_000) + 4000 * np.sin(2 * np.pi * 1234.5 * n / 16_000)
    signal = np.round(tones + 500 * values("noise", 16_000)).astype(np.int16)
    coefficients = mfcc(signal)
    golden = GOLDEN["mfcc"]
    assert list(coefficients.shape) == golden["shape"]
    for row, name in ((0, "frame0"), (50, "frame50"), (-1, "frame_last")):
        np.testing.assert_allclose(coefficients[row], golden[name], atol=1e-4)


@torch.inference_mode()
def test_embeddings(network: SyncNet) -> None:
    images = (det((2, 3, 5, 224, 224), "img") + 1) * 127.5
    sounds = det((2, 1, 13, 20), "mfcc", 10)
    lips = network.embed_lips(images)
    audio = network.embed_audio(sounds)
    check_summary(audio[0], GOLDEN["syncnet"]["aud"])
    # The lip branch reaches values of some hundreds, so its tolerance follows its spread.
    check_summary(lips[0], GOLDEN["syncnet"]["lip"], tolerance=3e-3)
    check_summary(network.lip_features(images)[0].flatten(), GOLDEN["syncnet"]["lipfeat"], tolerance=3e-3)
    distances = torch.nn.functional.pairwise_distance(lips, audio)
    np.testing.assert_allclose(distances, GOLDEN["syncnet"]["pairwise_dist"], rtol=1e-4)


def test_distance_curve() -> None:
    golden = GOLDEN["pdist"]
    curve = distance_curve(det((9, 8), "f1").numpy(), det((9, 8), "f2").numpy(), vshift=3)
    np.testing.assert_allclose(curve, golden["mean_dist"], atol=1e-5)
    result = lip_sync_of(curve)
    assert result.lse_d == pytest.approx(golden["lse_d"], abs=1e-5)
    assert result.lse_c == pytest.approx(golden["lse_c"], abs=1e-5)
    assert result.offset == golden["offset"]
