"""WorldPM and other reward models with a one-logit head, on GPUs or, slowly, on a CPU. Needs requirements-worker.txt.

For each ticket the model says how good the verdict "urgent" is and how good "standard" is; the difference is the
margin. Both verdicts share everything before them, so both are read in one sequence: the shared part once, then the two
endings, which do not see each other and stand at the same positions.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.batches import batches
from scoring.calibration import UNCALIBRATED, Calibration
from scoring.conversation import Pair, answer_ids, pair
from scoring.types import Model, Request, Score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KINDS = ("qwen2", "qwen3", "llama")
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "int4")
MOST_TICKET_TOKENS = 2_048
BATCH_TOKENS = {"cuda": 16_384, "cpu": 2_048}  # of one run, with its padding
_REFERENCE_ANSWERS = (
    "Three key tips for better sleep:\n1. Set a consistent bedtime and wake-up schedule\n"
    "2. Avoid screens 1 hour before bed\n3. Keep your bedroom cool and dark\n\n"
    "Start with these habits and you should notice improvement within a week.",
    "just try sleeping earlier or take some pills if u cant sleep lol. maybe watch tv until u get tired idk",
)
_MLP = {"score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"}
_HEADS = (_MLP, {"score.weight"}, {"score.weight", "score.bias"})


class CheckpointRefused(ValueError):
    """The folder holds no reward model that could be loaded whole; says what is wrong with it."""


class WorldPM:
    """One model a process. WORLDPM_MODEL: a folder, or a name in the hub's cache; WORLDPM_PRECISION: see PRECISIONS."""

    model: Model

    @classmethod
    def identity(cls) -> Model:
        folder = checkpoint()
        return Model(id=_name(folder), digest=weights_digest(folder))

    @classmethod
    def calibration(cls) -> Calibration:
        """`calibration.json` beside the weights, or none: then a score is no probability yet, and says so."""
        file = checkpoint() / "calibration.json"
        if not file.exists():
            return UNCALIBRATED
        fitted = json.loads(file.read_text(encoding="utf-8"))
        return Calibration(fitted["version"], fitted["a"], fitted["b"])

    def __init__(self) -> None:
        from transformers import AutoTokenizer

        folder = checkpoint()
        self.model = self.identity()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.reward = load(folder, os.environ.get("WORLDPM_PRECISION", ""))
        self.score([Request("Warm up\n\nThe first run of a model is slow.")])

    def score(self, requests: Sequence[Request]) -> list[Score]:
        """Scores in the order of `requests`. Raises ValueError where the model gives no finite number."""
        pairs = [pair(self.tokenizer, request.rubric, request.text, MOST_TICKET_TOKENS) for request in requests]
        scores: dict[int, Score] = {}
        for batch in batches([one.length for one in pairs], BATCH_TOKENS[self.reward.device.type]):
            rewards = self.reward.of_pairs([pairs[index] for index in batch])
            scores |= {index: _score(pairs[index], *both) for index, both in zip(batch, rewards, strict=True)}
        return [scores[index] for index in range(len(requests))]


@dataclass(frozen=True)
class Reward:
    """A body that gives hidden states and the head that reads one reward off them."""

    body: Any
    head: Any
    device: torch.device

    def of_pairs(self, pairs: Sequence[Pair], *, left: bool = False) -> list[tuple[float, float]]:
        """Rewards of "urgent" and of "standard" for each pair. left: padding stands before the text, for tests."""
        import torch

        try:
            states = self._states(pack(pairs, self.device, left=left))
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
        alone = Pair(tuple(ids), (), (), (), 0, 0, 0)
        return self.of_pairs([alone])[0][0]

    def _states(self, packed: Packed) -> Tensor:
        """The states at the two pooled positions of each pair: (pairs, 2, hidden)."""
        import torch

        with torch.inference_mode():
            mask = torch.zeros(packed.seen.shape, dtype=self.body.dtype, device=self.device)
            mask.masked_fill_(~packed.seen, torch.finfo(self.body.dtype).min)
            output = self.body(
                input_ids=packed.ids, attention_mask=mask[:, None], position_ids=packed.positions, use_cache=False
            )
            states = output.last_hidden_state
            rows = torch.arange(len(states), device=states.device)[:, None]
            return states[rows, packed.pooled.to(states.device)].to(self.head_device)

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
    """Each pair as shared + urgent + standard in one row; positions start again for the second ending."""
    import torch

    width, rows = max(one.length for one in pairs), len(pairs)
    ids = torch.zeros((rows, width), dtype=torch.long)
    positions = torch.zeros((rows, width), dtype=torch.long)
    seen = torch.eye(width, dtype=torch.bool).repeat(rows, 1, 1)  # padding sees itself, so that nothing is NaN
    pooled = torch.zeros((rows, 2), dtype=torch.long)
    for row, one in enumerate(pairs):
        shared, first, length = len(one.shared), len(one.shared) + len(one.urgent), one.length
        start = width - length if left else 0
        ids[row, start : start + length] = torch.tensor([*one.shared, *one.urgent, *one.standard])
        positions[row, start : start + first] = torch.arange(first)
        positions[row, start + first : start + length] = torch.arange(shared, shared + len(one.standard))
        block = torch.ones((length, length), dtype=torch.bool).tril()
        block[first:, shared:first] = False
        seen[row, start : start + length, start : start + length] = block
        pooled[row] = torch.tensor([start + first - 1, start + length - 1])
    return Packed(ids.to(device), positions.to(device), seen.to(device), pooled)


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
    for file in _weight_files(folder):
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


def checkpoint() -> Path:
    """The folder that WORLDPM_MODEL names, itself or in the hub's cache; nothing is downloaded."""
    name = os.environ.get("WORLDPM_MODEL", "")
    if not name:
        raise CheckpointRefused("Set WORLDPM_MODEL to a checkpoint's folder, or its name in the hub's cache.")
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise CheckpointRefused(f"{name} is no folder, and not in the hub's cache: download it first.") from error


@cache
def weights_digest(folder: Path) -> str:
    """SHA-256 in hex over names and SHA-256 of the weight files, the configuration and the tokenizer."""
    whole = hashlib.sha256()
    files = [*_weight_files(folder), *(folder / name for name in ("config.json", "tokenizer.json"))]
    for file in sorted(file for file in files if file.exists()):
        whole.update(f"{file.name} {_file_digest(file)}\n".encode())
    return whole.hexdigest()


def _file_digest(file: Path) -> str:
    """The hub's cache names a large file by its SHA-256 already: 146 GB need not be read twice."""
    name = file.resolve().name
    if len(name) == hashlib.sha256().digest_size * 2 and set(name) <= set("0123456789abcdef"):
        return name
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointRefused(f"{folder} holds no .safetensors files; other formats can run code and are not read.")
    return files


def _name(folder: Path) -> str:
    """As the hub names it ("Qwen/WorldPM-72B"), or the folder's own name."""
    given = os.environ.get("WORLDPM_MODEL", "")
    return folder.name if Path(given).is_dir() else given


def _score(one: Pair, urgent: float, standard: float) -> Score:
    margin = urgent - standard
    if margin - margin != 0.0:
        raise ValueError("the model gave a reward that is not a finite number")
    return Score(margin, tokens=one.tokens, tokens_cut=one.tokens_cut, reward_urgent=urgent, reward_standard=standard)
