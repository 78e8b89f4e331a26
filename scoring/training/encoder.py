"""The encoder in torch, for training only; scoring/training/export.py writes the same computation as ONNX."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from scoring.reading import PADDING, UNKNOWN

HIDDEN, HEADS, POSITIONS = 384, 12, 264
EPSILON = 1e-12


class Layer(nn.Module):
    """Attention and two linear maps, each added to what came in and normalised, as in BERT."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.q, self.k, self.v, self.ao = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.fi, self.fo = nn.Linear(HIDDEN, 4 * HIDDEN), nn.Linear(4 * HIDDEN, HIDDEN)
        self.aln, self.oln = nn.LayerNorm(HIDDEN, EPSILON), nn.LayerNorm(HIDDEN, EPSILON)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = states.shape
        q, k, v = (linear(states).view(batch, length, HEADS, -1).transpose(1, 2) for linear in (self.q, self.k, self.v))
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        states = self.aln(states + self.dropout(self.ao(attended.transpose(1, 2).reshape(batch, length, HIDDEN))))
        raised: Tensor = self.oln(states + self.dropout(self.fo(functional.gelu(self.fi(states)))))
        return raised


class Encoder(nn.Module):
    """Token ids -> one share of the margin a token; margin = bias + their sum."""

    def __init__(self, vocabulary: int, layers: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.word = nn.Embedding(vocabulary, HIDDEN)
        self.pos = nn.Embedding(POSITIONS, HIDDEN)
        self.ln = nn.LayerNorm(HIDDEN, EPSILON)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(HIDDEN, 1)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def states(self, pieces: Tensor) -> Tensor:
        mask = (pieces != PADDING)[:, None, None, :]
        places = torch.arange(pieces.shape[1], device=pieces.device)
        states: Tensor = self.dropout(self.ln(self.word(pieces) + self.pos(places)))
        for layer in self.layers:
            states = layer(states, mask)
        return states

    def pooled(self, pieces: Tensor) -> Tensor:
        """The mean state of each text. Marks such as start and end are read but have no part in it."""
        text = (pieces >= UNKNOWN).unsqueeze(-1).float()
        return (self.states(pieces) * text).sum(1) / text.sum(1).clamp(min=1)

    def judged(self, pooled: Tensor) -> Tensor:
        """Margins of mean states."""
        margins: Tensor = self.head(self.dropout(pooled)).squeeze(-1)
        return margins

    def forward(self, pieces: Tensor) -> Tensor:
        """Margins of a batch of padded token ids."""
        return self.judged(self.pooled(pieces))


def from_base(tensors: dict[str, NDArray[Any]], dropout: float = 0.1) -> Encoder:
    """An encoder with the weights of scoring.training.base and a fresh head."""
    layers = 1 + max(int(name[1 : name.index(".")]) for name in tensors if name[0] == "l")
    encoder = Encoder(len(tensors["emb.word"]), layers, dropout)
    state = encoder.state_dict()
    for name, tensor in tensors.items():
        state[_own_name(name)] = torch.from_numpy(tensor) if name != "emb.pos" else _positions(tensors)
    encoder.load_state_dict({name: tensor for name, tensor in state.items() if name != "type"})
    return encoder


def _positions(tensors: dict[str, NDArray[Any]]) -> Tensor:
    """Every token is of type 0, so that one row joins the positions for good."""
    return torch.from_numpy(tensors["emb.pos"][:POSITIONS] + tensors["emb.type"][0])


def _own_name(name: str) -> str:
    owner, field = name.split(".", 1)
    field = field.removesuffix(".w") + ".weight" if field.endswith(".w") else field
    field = field.removesuffix(".b") + ".bias" if field.endswith(".b") else field
    if owner == "emb":
        return field + ".weight" if field in {"word", "pos"} else field
    return f"layers.{owner[1:]}.{field}"
