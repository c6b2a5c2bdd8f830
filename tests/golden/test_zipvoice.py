"""The backbone computes what the public ZipVoice implementation computes (golden vectors, deterministic weights)."""

import json
from pathlib import Path

import pytest
import torch

from syncvoice.fast.packed import PackedEstimator
from syncvoice.model.guidance import Scales
from syncvoice.model.solver import Conditions, euler, time_grid
from syncvoice.model.zipformer import BiasNorm, padding_mask, relative_positions, swoosh_l, swoosh_r, time_sinusoid
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig, expand_text, token_index_average
from tests.golden.det import check_summary, det, fill

GOLDEN = json.loads((Path(__file__).parent / "zipvoice.json").read_text())
LENGTHS = [37, 30]


@pytest.fixture(scope="module")
def model() -> ZipVoice:
    """The base configuration with deterministic weights and the public padding."""
    model = ZipVoice(ZipVoiceConfig(padding_mode="reference")).eval()
    model.load_state_dict(fill(model.state_dict(), gain=0.5))
    return model


def test_size_of_the_base_configuration() -> None:
    with torch.device("meta"):
        model = ZipVoice(ZipVoiceConfig())
    assert sum(p.numel() for p in model.parameters()) == 122_664_804
    assert len(model.state_dict()) == 889


def test_elementary_functions() -> None:
    torch.testing.assert_close(
        swoosh_l(torch.tensor(GOLDEN["swooshL"]["x"])), torch.tensor(GOLDEN["swooshL"]["y"]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        swoosh_r(torch.tensor(GOLDEN["swooshR"]["x"])), torch.tensor(GOLDEN["swooshR"]["y"]), atol=1e-6, rtol=0
    )
    norm = BiasNorm(4)
    norm.load_state_dict(
        {"bias": torch.tensor(GOLDEN["biasnorm"]["bias"]), "log_scale": torch.tensor(GOLDEN["biasnorm"]["log_scale"])}
    )
    torch.testing.assert_close(
        norm(torch.tensor(GOLDEN["biasnorm"]["x"]))[0], torch.tensor(GOLDEN["biasnorm"]["y"]), atol=1e-5, rtol=0
    )


def test_position_and_time_tables() -> None:
    table = relative_positions(5, 48)
    found = torch.cat([table[:, :4], table[:, -2:]], dim=1)
    torch.testing.assert_close(found, torch.tensor(GOLDEN["pos_enc_T5"]["rows"]), atol=1e-5, rtol=0)
    sinusoid = time_sinusoid(torch.tensor([0.3]), 192)[0]
    torch.testing.assert_close(sinusoid[:4], torch.tensor(GOLDEN["time_sinusoid_t0.3"]["first"]), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        sinusoid[96:100], torch.tensor(GOLDEN["time_sinusoid_t0.3"]["idx96to99"]), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(time_grid(16, 0.5), torch.tensor(GOLDEN["time_steps_16_shift0.5"]), atol=1e-5, rtol=0)


@torch.no_grad()
def encoded_text(model: ZipVoice) -> torch.Tensor:
    """Text condition of the golden utterances at frame rate."""
    tokens = GOLDEN["text_encoder"]["tokens"]
    index = token_index_average([len(t) for t in tokens], LENGTHS)
    assert index.tolist() == GOLDEN["token_index"]
    return expand_text(model.encode_text(tokens), index)


@torch.no_grad()
def test_text_encoder(model: ZipVoice) -> None:
    out = model.encode_text(GOLDEN["text_encoder"]["tokens"])
    check_summary(out[0], GOLDEN["text_encoder"]["out_b0"])
    check_summary(out[1, :3], GOLDEN["text_encoder"]["out_b1_valid"])
    check_summary(out[1, 3], GOLDEN["text_encoder"]["out_b1_appended_pad"])


@torch.no_grad()
def test_vector_field_estimator(model: ZipVoice) -> None:
    speech = det((2, 37, 100), "speech")
    speech[:, 10:] = 0
    keep: list[torch.Tensor] = []
    v = model.velocity(
        det((2, 37, 100), "xt"), encoded_text(model), speech, model.fm_decoder.embed_time(torch.full((2,), 0.3)),
        padding_mask(torch.tensor(LENGTHS), 37), keep,
    )  # fmt: skip
    golden = GOLDEN["fm_decoder"]
    for found, expected in zip(keep, golden["stacks_out_b0"], strict=True):
        check_summary(found[0], expected)
    check_summary(v[0], golden["v_b0"])
    check_summary(v[1, :30], golden["v_b1_valid"])


@torch.no_grad()
def test_packed_estimator(model: ZipVoice) -> None:
    speech = det((2, 37, 100), "speech")
    speech[:, 10:] = 0
    time_emb = model.fm_decoder.embed_time(torch.full((2,), 0.3))
    inputs = torch.cat([det((2, 37, 100), "xt"), encoded_text(model), speech], dim=-1)
    packed = PackedEstimator(model.fm_decoder, torch.float32)
    v = packed(inputs, time_emb, padding_mask(torch.tensor(LENGTHS), 37))
    check_summary(v[0], GOLDEN["fm_decoder"]["v_b0"])
    check_summary(v[1, :30], GOLDEN["fm_decoder"]["v_b1_valid"])


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "steps", "g", "shift"), [("euler_n2_g0.0_shift1.0", 2, 0.0, 1.0), ("euler_n4_g1.0_shift0.5", 4, 1.0, 0.5)]
)
def test_sampling_reproduces_zipvoice_on_both_sides_of_half_time(
    model: ZipVoice, name: str, steps: int, g: float, shift: float
) -> None:
    speech = det((2, 37, 100), "speech")
    speech[:, 10:] = 0
    text = encoded_text(model)
    fused = {(): torch.zeros_like(text), ("text",): text, ("text", "face"): text, ("text", "face", "lip"): text}
    conditions = Conditions(fused, speech, padding=padding_mask(torch.tensor(LENGTHS), 37))
    for scales in (Scales(1 + g), Scales(1 + g, face=1 + g, lip=1 + g)):  # equal scales reproduce ZipVoice's g
        x_1 = euler(model, det((2, 37, 100), "x0"), conditions, scales, steps, shift)
        check_summary(x_1[0], GOLDEN[name]["b0"])
        check_summary(x_1[1, :30], GOLDEN[name]["b1_valid"])
