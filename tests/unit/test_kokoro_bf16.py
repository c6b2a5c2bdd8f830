"""Kokoro's decoder in bfloat16: what the rewriting of the network keeps, and how near the sound comes."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from syncvoice.assets import find_weights, local_asset
from syncvoice.errors import UserError
from syncvoice.features.mel import log_mel
from syncvoice.minidub import natural_voices
from syncvoice.networks import kokoro
from syncvoice.networks.kokoro_bf16 import KokoroBf16, in_float
from syncvoice.networks.onnx_parts import cut_between

has_onnx = pytest.mark.skipif(find_spec("onnx") is None, reason="needs requirements-pool.lock")
has_all = pytest.mark.skipif(
    find_weights(kokoro.ASSET) is None or find_spec("openvino") is None or find_spec("onnx") is None,
    reason="needs requirements-pool.lock and the fetched network of the natural voices",
)


@has_onnx
def test_quantised_products_become_float_ones() -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(1)
    w, zero = draw.integers(0, 255, (3, 5), np.uint8), np.array(120, np.uint8)
    bias, scale = draw.normal(size=5).astype(np.float32), np.array(0.01, np.float32)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["x_q", "s", "z"]),
        helper.make_node("MatMulInteger", ["x_q", "w", "z", "zero"], ["y_q"]),
        helper.make_node("Mul", ["s", "scale"], ["both"]),
        helper.make_node("Div", ["bias", "both"], ["b_scaled"]),
        helper.make_node("Floor", ["b_scaled"], ["b_floor"]),
        helper.make_node("Cast", ["b_floor"], ["b_q"], to=TensorProto.INT32),
        helper.make_node("Add", ["y_q", "b_q"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["sum_f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["sum_f", "both"], ["y"]),
    ]
    stored = {"w": w, "zero": zero, "bias": bias, "scale": scale}
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    opset = [helper.make_opsetid("", 13)]
    network = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    x = draw.normal(size=(4, 3)).astype(np.float32)
    expected = x @ ((w.astype(np.float32) - 120) * scale) + bias
    quantised = kokoro.session_of(network).run(["y"], {"x": x})[0]
    found = kokoro.session_of(in_float(network)).run(["y"], {"x": x})[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(quantised - expected).max() > 1e-3  # the rounding that goes
    assert onnx.load_from_string(network).graph.node[1].op_type == "MatMulInteger"  # the original is left alone


@has_all
def test_sound_is_nearer_to_the_float_network_than_the_published_arithmetic() -> None:
    path = local_asset(kokoro.ASSET).path
    style, letters = natural_voices.TRAIN_VOICES[2].style("en"), "plˈAs blˈu æt ˈɛf tˈu nˈW."
    int8, bf16 = kokoro.Kokoro(path), KokoroBf16(path)
    prediction = bf16.predict(letters, style)
    frames = kokoro.whole_frames(prediction.frames)
    begins = {"tokens": None, "style": None, kokoro.DURATIONS: (1, "symbols"), kokoro.STATES: None}
    exact = kokoro.session_of(cut_between(in_float(path.read_bytes()), begins, ["audio"]))
    inputs = {
        "tokens": np.array([kokoro.ids_of(letters)]),
        "style": style[None],
        kokoro.DURATIONS: frames[None].astype(np.float32),
        kokoro.STATES: prediction.states,
    }
    wanted = _mel(exact.run(["audio"], inputs)[0].reshape(-1))
    far, near = (_mel(network.speak(letters, style, prediction, frames.tolist())) for network in (int8, bf16))
    assert near.shape == wanted.shape
    assert np.abs(near - wanted).mean() < np.abs(far - wanted).mean()


def _mel(audio: np.ndarray) -> np.ndarray:
    return log_mel(audio, len(audio) // 960)


def test_missing_packages_are_named() -> None:
    code = (
        "import sys; sys.modules['openvino'] = None\n"
        "from pathlib import Path\n"
        "from syncvoice.networks.kokoro_bf16 import KokoroBf16\n"
        "KokoroBf16._open_second(object.__new__(KokoroBf16), Path('none'))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert UserError.__name__ in found.stderr and "requirements-pool.lock" in found.stderr
