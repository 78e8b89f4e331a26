"""WorldPM and other reward models with a one-logit head, on GPUs or, slowly, on a CPU. Needs requirements-worker.txt.

For each ticket the model says how good the verdict "urgent" is and how good "standard" is; the difference is the
margin. What stands before the ticket is the same for all tickets under one rubric: its keys and values are kept.
Both verdicts share the ticket too, so both are read in one sequence: ticket, then the two endings side by side.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.batches import batches
from scoring.calibration import UNCALIBRATED, Calibration, shipped
from scoring.checkpoint import CheckpointRefused, checkpoint, name_of, weight_files, weights_digest
from scoring.conversation import Pair, answer_ids, pairs
from scoring.types import Model, Request, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KINDS = ("qwen2", "qwen3", "llama")
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int4")
MOST_TICKET_TOKENS = 2_048
BATCH_TOKENS = {"cuda": 16_384, "cpu": 2_048}  # of one run, with its padding
MOST_PREFIXES = 4  # rubrics and fences whose keys and values are kept
_SHARED, _PADDING = 0, 3  # parts of a row; 1 and 2 are the two endings
_REFERENCE_ANSWERS = (
    "Three key tips for better sleep:\n1. Set a consistent bedtime and wake-up schedule\n"
    "2. Avoid screens 1 hour before bed\n3. Keep your bedroom cool and dark\n\n"
    "Start with these habits and you should notice improvement within a week.",
    "just try sleeping earlier or take some pills if u cant sleep lol. maybe watch tv until u get tired idk",
)
_MLP = {"score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"}
_HEADS = (_MLP, {"score.weight"}, {"score.weight", "score.bias"})


class WorldPM:
    """One model a process. WORLDPM_MODEL: a folder, or a name in the hub's cache; WORLDPM_PRECISION: see PRECISIONS."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        folder = checkpoint()
        return Model(id=name_of(folder), digest=weights_digest(folder))

    @classmethod
    def calibration(cls) -> Calibration:
        """Beside the weights, or none."""
        return calibration_beside(cls.identity().digest)

    def __init__(self) -> None:
        from transformers import AutoTokenizer

        folder = checkpoint()
        self.model = self.identity()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.reward = load(folder, os.environ.get("WORLDPM_PRECISION", ""))
        self.score([Request("Warm up\n\nThe first run of a model is slow.")])

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`. Raises ValueError where the model gives no finite number."""
        asked = pairs(self.tokenizer, requests, MOST_TICKET_TOKENS)
        scores: dict[int, Score] = {}
        for batch in alike(asked, BATCH_TOKENS[self.reward.device.type]):
            rewards = self.reward.of_pairs([asked[index] for index in batch])
            scores |= {index: score_of(asked[index], *both) for index, both in zip(batch, rewards, strict=True)}
        return [scores[index] for index in range(len(requests))]


@dataclass(frozen=True)
class Reward:
    """A body that gives hidden states and the head that reads one reward off them."""

    body: Any
    head: Any
    device: torch.device
    _prefixes: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = field(default_factory=dict, compare=False)

    def of_pairs(self, pairs: Sequence[Pair], *, left: bool = False) -> list[tuple[float, float]]:
        """Rewards of "urgent" and of "standard" for each pair; all have one prefix. left: padding first, for tests."""
        import torch

        try:
            states = self._states(pack(pairs, self.device, left=left), pairs[0].frame.prefix)
        except torch.OutOfMemoryError:
            if len(pairs) == 1:
                raise
            torch.cuda.empty_cache()
            half = len(pairs) // 2
            return self.of_pairs(pairs[:half], left=left) + self.of_pairs(pairs[half:], left=left)
        rewards = self.head(states.float()).squeeze(-1)
        return [(float(urgent), float(standard)) for urgent, standard in rewards.tolist()]

    def of(self, ids: Sequence[int]) -> float:
        """The reward of one conversation in one pass, as the model card does it."""
        import torch

        with torch.inference_mode():
            whole = torch.tensor([list(ids)], device=self.device)
            state = self.body(input_ids=whole, use_cache=False).last_hidden_state[0, -1]
            return float(self.head(state.to(self.head_device).float()))

    def _states(self, packed: Packed, prefix: tuple[int, ...]) -> Tensor:
        """The states at the two pooled positions of each pair: (pairs, 2, hidden)."""
        import torch

        with torch.inference_mode():
            before = torch.ones((*packed.ids.shape, len(prefix)), dtype=torch.bool, device=self.device)
            hidden = torch.cat([before, packed.seen], dim=-1).logical_not()
            mask = torch.zeros(hidden.shape, dtype=self.body.dtype, device=self.device)
            mask.masked_fill_(hidden, torch.finfo(self.body.dtype).min)
            output = self.body(
                input_ids=packed.ids,
                attention_mask=mask[:, None],
                position_ids=packed.positions + len(prefix),
                past_key_values=self._read_before(prefix, len(packed.ids)),
                use_cache=True,
            )
            states = output.last_hidden_state
            rows = torch.arange(len(states), device=states.device)[:, None]
            return states[rows, packed.pooled.to(states.device)].to(self.head_device)

    def _read_before(self, prefix: tuple[int, ...], rows: int) -> Any:
        """Keys and values of the prefix, which is read once for all tickets under one rubric, for each row."""
        import torch
        from transformers import DynamicCache

        if prefix not in self._prefixes:
            if len(self._prefixes) == MOST_PREFIXES:
                self._prefixes.clear()
            output = self.body(input_ids=torch.tensor([prefix], device=self.device), use_cache=True)
            self._prefixes[prefix] = [(layer.keys, layer.values) for layer in output.past_key_values.layers]
        layers = self._prefixes[prefix]
        return DynamicCache(
            [(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)) for keys, values in layers]
        )

    @property
    def head_device(self) -> torch.device:
        device: torch.device = next(self.head.parameters()).device
        return device


@dataclass(frozen=True)
class Packed:
    """ids, positions: (pairs, width); seen: (pairs, width, width), which token sees which; pooled: (pairs, 2)."""

    ids: Tensor
    positions: Tensor
    seen: Tensor
    pooled: Tensor


def pack(pairs: Sequence[Pair], device: torch.device, *, left: bool = False) -> Packed:
    """Each pair, without the prefix, in one row: ticket and suffix, then both endings.

    The endings do not see each other and stand at the same positions. All pairs have one frame.
    """
    import torch

    frame = pairs[0].frame
    ending, first = (*frame.suffix, *frame.urgent, *frame.standard), len(frame.urgent)
    width = max(one.length for one in pairs)
    paddings = [width - one.length for one in pairs]
    lengths = torch.tensor([one.length for one in pairs], device=device)[:, None]
    starts = torch.tensor(paddings if left else [0] * len(pairs), device=device)[:, None]
    filled = [([0] * padding, [*one.ticket, *ending]) for one, padding in zip(pairs, paddings, strict=True)]
    ids = torch.tensor([filler + row if left else row + filler for filler, row in filled], device=device)

    place = torch.arange(width, device=device) - starts
    begin = lengths - first - len(frame.standard)
    in_second = place >= begin + first
    parts = (place >= begin).long() + in_second
    parts[(place < 0) | (place >= lengths)] = _PADDING
    # Padding sees padding, so that nothing is NaN, and nobody sees padding.
    seen = (parts[:, None, :] == _SHARED) | (parts[:, :, None] == parts[:, None, :])
    seen &= torch.ones((width, width), dtype=torch.bool, device=device).tril()
    end = starts + begin + first - 1
    return Packed(ids, (place - first * in_second).clamp(min=0), seen, torch.cat([end, end + len(frame.standard)], 1))


def alike(pairs: Sequence[Pair], budget: int) -> Iterator[list[int]]:
    """Indices of pairs with one prefix, in batches of like lengths."""
    same: dict[tuple[int, ...], list[int]] = {}
    for index, one in enumerate(pairs):
        same.setdefault(one.frame.prefix, []).append(index)
    for indices in same.values():
        for batch in batches([pairs[index].length for index in indices], budget):
            yield [indices[place] for place in batch]


def load(folder: Path, precision: str = "") -> Reward:
    """Body and head from safetensors alone, without remote code. Raises CheckpointRefused."""
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder)
    if config.model_type not in KINDS:
        raise CheckpointRefused(f"{folder} is of type {config.model_type}; this engine reads {', '.join(KINDS)}.")
    head = _head(folder, config.hidden_size)
    cuda = torch.cuda.is_available()
    body, told = AutoModel.from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        output_loading_info=True,
        attn_implementation="sdpa",
        device_map="auto" if cuda else None,
        **_precision(precision or ("bfloat16" if cuda else "float32")),
    )
    if told["missing_keys"] or told["mismatched_keys"]:
        raise CheckpointRefused(f"{folder} lacks weights: {', '.join(sorted(map(str, told['missing_keys']))[:5])} ...")
    body.eval()
    return Reward(body, head.to(body.device), body.device)


def _head(folder: Path, hidden: int) -> Any:
    """In float32: it is small, and the difference of two rewards is what counts."""
    import torch
    from torch import nn

    found = _head_weights(folder)
    if set(found) not in _HEADS:
        raise CheckpointRefused(
            f"{folder} has no reward head that is whole: found {', '.join(sorted(found)) or 'no score.* weights'}. "
            "A language model without one cannot be used."
        )
    head: nn.Module
    if set(found) == _MLP:
        head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    else:
        head = nn.Linear(hidden, 1, bias="score.bias" in found)
    weights = {name.removeprefix("score."): tensor.to(torch.float32) for name, tensor in found.items()}
    try:
        head.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointRefused(f"The reward head of {folder} has another shape: {error}") from error
    return head.eval().requires_grad_(False)  # noqa: FBT003  (torch's own signature)


def _head_weights(folder: Path) -> dict[str, Tensor]:
    from safetensors import safe_open

    found: dict[str, Tensor] = {}
    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            found |= {name: tensors.get_tensor(name) for name in tensors.keys() if name.startswith("score.")}  # noqa: SIM118
    return found


def _precision(precision: str) -> dict[str, Any]:
    """Arguments of from_pretrained. Raises CheckpointRefused where a library is missing."""
    import importlib.util

    import torch

    if precision not in PRECISIONS:
        raise CheckpointRefused(f"WORLDPM_PRECISION is {precision!r}; it is one of {', '.join(PRECISIONS)}.")
    if not precision.startswith("int"):
        return {"dtype": getattr(torch, precision)}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise CheckpointRefused(f"{precision} needs the library bitsandbytes; install it on the GPU worker.")
    from transformers import BitsAndBytesConfig

    bits = {"load_in_8bit": True} if precision == "int8" else {"load_in_4bit": True}
    return {
        "quantization_config": BitsAndBytesConfig(**bits),  # type: ignore[no-untyped-call]
        "dtype": torch.bfloat16,
    }


def reference_rewards(folder: Path) -> tuple[float, float]:
    """Rewards of the two answers to "Tips for better sleep?" in WorldPM's model card."""
    from transformers import AutoTokenizer

    reward, tokenizer = load(folder, os.environ.get("WORLDPM_PRECISION", "")), AutoTokenizer.from_pretrained(folder)
    better, worse = (answer_ids(tokenizer, "Tips for better sleep?", answer) for answer in _REFERENCE_ANSWERS)
    return reward.of(better), reward.of(worse)


def calibration_beside(digest: str) -> Calibration:
    """`calibration.json` in the checkpoint's folder, for the weights of this digest; or none: then a score is no
    probability yet, and says so.
    """
    file = checkpoint() / "calibration.json"
    return shipped(json.loads(file.read_text(encoding="utf-8")), digest) if file.exists() else UNCALIBRATED


def score_of(one: Pair, urgent: float, standard: float) -> Score:
    """From the two rewards, wherever they were computed. Raises ValueError where they are no finite numbers."""
    margin = urgent - standard
    if margin - margin != 0.0:
        raise ValueError("the model gave a reward that is not a finite number")
    return Score(
        margin, tokens=len(one.ticket), tokens_cut=one.tokens_cut, reward_urgent=urgent, reward_standard=standard
    )
