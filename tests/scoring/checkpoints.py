"""Tiny random reward models of the real classes under the real weight names, with a real tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModel, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config

from scoring.verdicts import STANDARD, URGENT, fence, question

HIDDEN, VOCABULARY = 32, 600
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
# As Qwen's: without a system message it would put words of its own there.
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>"
    "{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}<|endoftext|>"
)
CONFIGS = {"qwen2": Qwen2Config, "qwen3": Qwen3Config, "llama": LlamaConfig}


def make(
    folder: Path,
    kind: str = "qwen2",
    head: str = "mlp",
    seed: int = 0,
    shards: int = 1,
    hidden: int = HIDDEN,
    read_with: PreTrainedTokenizerFast | None = None,
) -> Path:
    """A checkpoint. head: "mlp" as WorldPM's, "linear" as a sequence classifier's, or "none"."""
    torch.manual_seed(seed)
    reader = read_with or tokenizer()
    config = CONFIGS[kind](
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=hidden // 4,
        vocab_size=max(VOCABULARY, len(reader)),
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )
    body = AutoModel.from_config(config, dtype=torch.float32)
    for parameter in body.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    body.save_pretrained(folder)
    tensors = {f"model.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    (folder / "model.safetensors").unlink()
    _save(folder, tensors | _head(head, hidden), shards)
    reader.save_pretrained(folder)
    return folder


def tokenizer(texts: Sequence[str] = (), vocabulary: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Byte-level BPE, normalised as Qwen's, trained on the frame of every ticket and on `texts`."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([URGENT, STANDARD, *question("harm now", fence(""))] * 3 + list(texts), trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<|endoftext|>", eos_token="<|im_end|>")
    made.chat_template = TEMPLATE
    return made


def _head(kind: str, hidden: int) -> dict[str, torch.Tensor]:
    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape) * 0.3

    heads: dict[str, dict[str, torch.Tensor]] = {
        "mlp": {
            "score.0.weight": drawn(hidden, hidden),
            "score.0.bias": drawn(hidden),
            "score.2.weight": drawn(1, hidden),
            "score.2.bias": drawn(1),
        },
        "linear": {"score.weight": drawn(1, hidden)},
        "none": {},
    }
    return heads[kind]


def _save(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    names = sorted(tensors)
    parts: list[dict[str, Any]] = [{name: tensors[name] for name in names[n::shards]} for n in range(shards)]
    if shards == 1:
        save_file(parts[0], folder / "model.safetensors", {"format": "pt"})
        return
    places = {}
    for number, part in enumerate(parts, start=1):
        file = f"model-{number:05}-of-{shards:05}.safetensors"
        save_file(part, folder / file, {"format": "pt"})
        places |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
