"""Kokoro with its decoder in bfloat16: the same voice, faster on processors with bfloat16 products.

The published export holds int8 matrices, and its convolutions, most of the time, run no faster than float32 ones. Here
the matrices become float32 again, exactly, and the network that speaks is cut once more, where pitch, loudness, text
and the harmonics of the source enter the decoder. In front of the cut onnxruntime computes in float32, because
phases bear no rounding; behind it OpenVINO computes in bfloat16. The sound is nearer to that of the float32 network
than the sound of the int8 one is (tested). Durations are those of the int8 network.

For making pools of speech (`syncvoice speak-pool --arithmetic bf16`); needs the packages of requirements-pool.lock.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.networks.kokoro import DURATIONS, STATES, Kokoro, session_of
from syncvoice.networks.onnx_parts import cut_between

if TYPE_CHECKING:
    from onnx import GraphProto

ARITHMETIC = "bf16"
# Tensors of the published graph that enter the decoder, and their axes.
_ENTERING: dict[str, tuple[int | str, ...]] = {
    "/decoder/decoder/generator/Concat_3_output_0": (1, 22, "hops"),  # magnitudes and phases of the source
    "/encoder/MatMul_1_output_0": (1, 512, "frames"),  # text
    "/decoder/decoder/F0_conv/Conv_output_0": (1, 1, "half_frames"),  # pitch
    "/decoder/decoder/N_conv/Conv_output_0": (1, 1, "half_frames"),  # loudness
}


class KokoroBf16(Kokoro):
    """The network in three parts, on one thread."""

    def _open_second(self, path: Path) -> None:
        """Open what speaks.

        Raises:
            UserError: the packages are not installed.
            ValueError: the file is not the published export.
        """
        try:
            import openvino
        except ImportError as e:
            needed = "pip install -r requirements-pool.lock"
            raise UserError(f"--arithmetic bf16 needs OpenVINO and onnx; install them with '{needed}'") from e
        network = in_float(path.read_bytes())
        begins = {"tokens": None, "style": None, DURATIONS: (1, "symbols"), STATES: None}
        self._front = session_of(cut_between(network, begins, list(_ENTERING)))
        decoder = openvino.Core().read_model(cut_between(network, _ENTERING | {"style": (1, 256)}, ["audio"]))
        options = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": ARITHMETIC}
        self._decoder = openvino.Core().compile_model(decoder, "CPU", options)

    def _speak(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run both parts."""
        names = {tensor.name for tensor in self._front.get_inputs()}
        entering = self._front.run(list(_ENTERING), {name: value for name, value in inputs.items() if name in names})
        found = self._decoder(dict(zip(_ENTERING, entering, strict=True)) | {"style": inputs["style"]})
        return np.array(found[0])


def in_float(network: bytes) -> bytes:
    """Return an ONNX network whose dynamically quantised products are float32 ones.

    Every such product is (x / s_x) * w + b / (s_x s_w), times s_x s_w; x / s_x, w and b / (s_x s_w) are rounded to
    integers. Here s_x is 1 and nothing is rounded but the stored w.

    Args:
        network: an ONNX file's content.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_from_string(network)
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    one = numpy_helper.from_array(np.array(1.0, np.float32), "scale_of_one")
    graph.initializer.append(one)
    kept, unrounded, renamed = [], {}, {}
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            unrounded[node.output[0]], renamed[node.output[1]] = node.input[0], one.name
            continue
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
        if node.op_type in ("ConvInteger", "MatMulInteger"):
            kind = node.op_type.removesuffix("Integer")
            product = helper.make_node(kind, [unrounded[node.input[0]], _matrix(graph, stored, node)], node.output)
            product.attribute.extend(node.attribute)
            node = product
        kept.append(node)
    _keep_fractions(kept)
    del graph.node[:]
    graph.node.extend(kept)
    written: bytes = model.SerializeToString()
    return written


def _matrix(graph: "GraphProto", stored: dict[str, Any], node: Any) -> str:
    """Name of a product's matrix as float32, added to the network on first use."""
    from onnx import numpy_helper

    name = f"{node.input[1]}_float"
    if name not in stored:
        values = numpy_helper.to_array(stored[node.input[1]]).astype(np.float32)
        zero = numpy_helper.to_array(stored[node.input[3]]).astype(np.float32) if len(node.input) > 3 else 0
        stored[name] = numpy_helper.from_array(np.asarray(values - zero, np.float32), name)
        graph.initializer.append(stored[name])
    return name


def _keep_fractions(nodes: list[Any]) -> None:
    """Undo the rounding of biases to int32: they are added to products that are float32 now."""
    from onnx import TensorProto

    floors = {node.output[0]: node for node in nodes if node.op_type == "Floor"}
    for node in nodes:
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.INT32 and node.input[0] in floors:
            node.attribute[0].i = TensorProto.FLOAT
            floors[node.input[0]].op_type = "Identity"
