"""A text as the compact model reads it: pieces of its head and its tail, and where each stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

START, PADDING, END, UNKNOWN = range(4)
HEAD_TOKENS, TAIL_TOKENS = 192, 64
HEAD_CHARACTERS, TAIL_CHARACTERS = 4_096, 2_048  # text between them is never tokenised, so no text can make us slow

Span = tuple[int, int]  # characters, start inclusive, end exclusive
Piece = tuple[int, Span | None, int | None]  # token id, where it stands, number of its word; None for marks


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the model reads it.

    pieces, spans, words: the three parts of each piece. cut: tokens left out; estimated from the kept ones where a
    text is so long that its middle was not tokenised.
    """

    pieces: tuple[int, ...]
    spans: tuple[Span | None, ...]
    words: tuple[int | None, ...]
    cut: int


def read(tokenizer: Tokenizer, text: str) -> Reading:
    """Pieces of the head and the tail of `text`, all of it where it is short. Training reads through here too."""
    stretches = [(0, text)]
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        stretches = [(0, text[:HEAD_CHARACTERS]), (len(text) - TAIL_CHARACTERS, text[-TAIL_CHARACTERS:])]
    found: list[Piece] = [piece for offset, stretch in stretches for piece in _pieces(tokenizer, stretch, offset)]
    seen = sum(len(stretch) for _, stretch in stretches)
    total = round(len(found) * len(text) / seen) if seen else 0
    mark: Piece = (END, None, None)
    if len(found) > HEAD_TOKENS + TAIL_TOKENS:
        kept = [*found[:HEAD_TOKENS], mark, *found[-TAIL_TOKENS:]]
        cut = total - HEAD_TOKENS - TAIL_TOKENS
    else:
        kept, cut = found, total - len(found)
    pieces, spans, words = zip((START, None, None), *kept, mark, strict=True)
    return Reading(pieces, spans, words, cut)


def _pieces(tokenizer: Tokenizer, text: str, offset: int) -> Iterator[Piece]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    for piece, (start, end), word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True):
        # A text that spells a mark, such as "<pad>", must not become one.
        yield max(piece, UNKNOWN), (start + offset, end + offset), (word or 0) + offset
