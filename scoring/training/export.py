"""The trained encoder as ONNX: linear maps in whole numbers, everything else in float.

A weight is an int8 with one fixed scale a row. What a linear map reads is rounded to 7 bits with one scale a token, so
that no score depends on its batch. With 7 bits times 8 no sum of two products leaves 16 bits, which is where processors
without VNNI add them up: the sums are exact and the same on each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from scoring.reading import PADDING, UNKNOWN
from scoring.training.encoder import EPSILON, HEADS, HIDDEN, Encoder

Array = NDArray[Any]
_OPSET = 20
STEPS, ZERO = 63, np.array(64, np.uint8)
SMALLEST = np.array(1e-8)
CONTRIBUTED = "com.microsoft"


class Graph:
    """Collects nodes and constants; every method returns the name of what it made."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._rounded: dict[str, tuple[str, str]] = {}

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, array: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def floats(self, array: Array) -> str:
        return self.constant(array.astype(np.float32))

    def linear(self, states: str, state: dict[str, Array], name: str, scale: float = 1.0) -> str:
        """(tokens, in) -> (tokens, out)."""
        weight, scales = quantised(state[f"{name}.weight"] * scale)
        whole, steps = self.rounded(states)
        zeros = self.constant(ZERO), self.constant(np.array(0, np.int8))
        read = (whole, self.constant(weight.T), self.floats(np.array(1.0)), self.floats(scales[:, 0]), *zeros)
        mapped = self.node("MatMulIntegerToFloat", *read, domain=CONTRIBUTED)
        return self.node("Add", self.node("Mul", mapped, steps), self.floats(state[f"{name}.bias"] * scale))

    def rounded(self, states: str) -> tuple[str, str]:
        """Whole numbers around ZERO, at most STEPS away, and what one of them is worth in each token: (tokens, 1)."""
        if states not in self._rounded:
            largest = self.node("ReduceMax", self.node("Abs", states), self.integers(-1), keepdims=0)
            steps = self.node("Max", self.node("Div", largest, self.floats(np.array(STEPS))), self.floats(SMALLEST))
            zeros = self.node("Expand", self.constant(ZERO), self.node("Shape", steps))
            whole = self.node("QuantizeLinear", states, steps, zeros, axis=0)
            self._rounded[states] = whole, self.node("Unsqueeze", steps, self.integers(-1))
        return self._rounded[states]

    def normalised(self, states: str, state: dict[str, Array], name: str) -> str:
        weight, bias = (self.floats(state[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.node("LayerNormalization", states, weight, bias, axis=-1, epsilon=EPSILON)


def quantised(weight: Array) -> tuple[Array, Array]:
    """int8 rows and a scale for each, so that rows * scales is the weight to half a step."""
    scales = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-8) / 127
    return np.round(weight / scales).astype(np.int8), scales.astype(np.float32)


def export(encoder: Encoder, file: Path) -> None:
    """Writes the graph: pieces (batch, length) int64 -> shares (batch, length) float32 and the bias, a scalar.

    And states (batch, length, HIDDEN) float32, of which a head of another kind can read; they cost nothing unread.
    """
    state = {name: tensor.detach().cpu().numpy() for name, tensor in encoder.state_dict().items()}
    graph = Graph()
    states, mask = _embedded(graph, state), _mask(graph)
    for index in range(len(encoder.layers)):
        states = _layer(graph, state, f"layers.{index}", states, mask)
    shape = graph.node("Concat", graph.node("Shape", "pieces"), graph.integers(HIDDEN), axis=0)
    _shares(graph, state, graph.node("Reshape", states, shape, output="states"))
    onnx.save(_model(graph), file)


def margins(file: Path, pieces: Sequence[Sequence[int]]) -> list[float]:
    """What the written graph says of token ids, one text at a time."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    found = (session.run(["shares", "bias"], {"pieces": np.array([row], np.int64)}) for row in pieces)
    return [float(bias) + float(shares.sum()) for shares, bias in found]


def _embedded(graph: Graph, state: dict[str, Array]) -> str:
    """(tokens, HIDDEN): those of the whole batch, one text after the other."""
    rows, scales = quantised(state["word.weight"])
    words = graph.node("Cast", graph.node("Gather", graph.constant(rows), "pieces"), to=TensorProto.FLOAT)
    words = graph.node("Mul", words, graph.node("Gather", graph.constant(scales), "pieces"))
    length = graph.node("Gather", graph.node("Shape", "pieces"), graph.integers(1))
    places = graph.node("Slice", graph.floats(state["pos.weight"]), graph.integers(0), length)
    placed = graph.node("Add", words, places)
    return graph.normalised(graph.node("Reshape", placed, graph.integers(-1, HIDDEN)), state, "ln")


def _mask(graph: Graph) -> str:
    """0 where there is text and a number that no attention survives at padding, as (batch, 1, 1, length)."""
    padding = graph.node("Equal", "pieces", graph.constant(np.array(PADDING)))
    wide = graph.node("Unsqueeze", padding, graph.integers(1, 2))
    return graph.node("Mul", graph.node("Cast", wide, to=TensorProto.FLOAT), graph.floats(np.array(-1e9)))


def _layer(graph: Graph, state: dict[str, Array], name: str, states: str, mask: str) -> str:
    split = graph.node("Concat", graph.node("Shape", "pieces"), graph.integers(HEADS, HIDDEN // HEADS), axis=0)

    def heads(part: str, order: list[int], scale: float = 1.0) -> str:
        split_up = graph.node("Reshape", graph.linear(states, state, f"{name}.{part}", scale), split)
        return graph.node("Transpose", split_up, perm=order)

    q = heads("q", [0, 2, 1, 3], (HIDDEN / HEADS) ** -0.5)
    logits = graph.node("Add", graph.node("MatMul", q, heads("k", [0, 2, 3, 1])), mask)
    mixed = graph.node("MatMul", graph.node("Softmax", logits, axis=-1), heads("v", [0, 2, 1, 3]))
    merged = graph.node("Reshape", graph.node("Transpose", mixed, perm=[0, 2, 1, 3]), graph.integers(-1, HIDDEN))
    attended = graph.linear(merged, state, f"{name}.ao")
    states = graph.normalised(graph.node("Add", states, attended), state, f"{name}.aln")
    raised = graph.node("Gelu", graph.linear(states, state, f"{name}.fi"))
    return graph.normalised(graph.node("Add", states, graph.linear(raised, state, f"{name}.fo")), state, f"{name}.oln")


def _shares(graph: Graph, state: dict[str, Array], states: str) -> None:
    readout = graph.node("MatMul", states, graph.floats(state["head.weight"].T))
    is_text = graph.node("GreaterOrEqual", "pieces", graph.constant(np.array(UNKNOWN)))
    text = graph.node("Cast", is_text, to=TensorProto.FLOAT)
    count = graph.node("ReduceSum", text, graph.integers(1), keepdims=1)
    weights = graph.node("Div", text, graph.node("Max", count, graph.floats(np.array(1.0))))
    graph.node("Mul", graph.node("Squeeze", readout, graph.integers(-1)), weights, output="shares")
    graph.node("Identity", graph.floats(state["head.bias"][0]), output="bias")


def _model(graph: Graph) -> onnx.ModelProto:
    outputs = [
        helper.make_tensor_value_info("shares", TensorProto.FLOAT, ["batch", "length"]),
        helper.make_tensor_value_info("bias", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("states", TensorProto.FLOAT, ["batch", "length", HIDDEN]),
    ]
    inputs = [helper.make_tensor_value_info("pieces", TensorProto.INT64, ["batch", "length"])]
    body = helper.make_graph(graph.nodes, "compact", inputs, outputs, graph.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(CONTRIBUTED, 1)], ir_version=10
    )
    onnx.checker.check_model(model)
    return model
