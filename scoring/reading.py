"""A text as the compact model reads it: pieces of its head and its tail, and where each stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    if len(text) > HEAD_CHARACTERS + TAIL_CHARACTERS:
        head = list(_pieces(tokenizer, text[:HEAD_CHARACTERS], 0))
        tail = list(_pieces(tokenizer, text[-TAIL_CHARACTERS:], len(text) - TAIL_CHARACTERS))
        total = round((len(head) + len(tail)) * len(text) / (HEAD_CHARACTERS + TAIL_CHARACTERS))
        return _reading([head[:HEAD_TOKENS], tail[-TAIL_TOKENS:]], total)
    found = list(_pieces(tokenizer, text, 0))
    is_whole = len(found) <= HEAD_TOKENS + TAIL_TOKENS
    return _reading([found] if is_whole else [found[:HEAD_TOKENS], found[-TAIL_TOKENS:]], len(found))


def _reading(stretches: Sequence[Sequence[Piece]], total: int) -> Reading:
    """total: of how many pieces these are the ones that are kept. A mark stands after each stretch."""
    mark: Piece = (END, None, None)
    rows = [(START, None, None), *(piece for stretch in stretches for piece in (*stretch, mark))]
    pieces, spans, words = zip(*rows, strict=True)
    return Reading(pieces, spans, words, total - sum(map(len, stretches)))


def _pieces(tokenizer: Tokenizer, text: str, offset: int) -> Iterator[Piece]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    for piece, (start, end), word in zip(encoding.ids, encoding.offsets, encoding.word_ids, strict=True):
        # A text that spells a mark, such as "<pad>", must not become one.
        yield max(piece, UNKNOWN), (start + offset, end + offset), (word or 0) + offset
