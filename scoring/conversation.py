"""A ticket as the token ids a reward model reads: one shared part, and two endings, one for each verdict.

The checkpoint's own chat template is used, with a system message that is there and empty. The ticket itself is encoded
apart, so that no text in it can become a control token, whatever it spells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scoring.verdicts import CUT, STANDARD, URGENT, question

_PLACE = "\ue000ticket\ue000"  # private use: the normaliser removes these characters from every ticket


@dataclass(frozen=True, slots=True)
class Pair:
    """shared, urgent, standard: token ids. spans: for each ticket token its characters; at: where they begin in shared.

    tokens, tokens_cut: of the ticket, read and left out.
    """

    shared: tuple[int, ...]
    urgent: tuple[int, ...]
    standard: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    at: int
    tokens: int
    tokens_cut: int

    @property
    def length(self) -> int:
        return len(self.shared) + len(self.urgent) + len(self.standard)


def pair(tokenizer: Any, rubric: str, ticket: str, most_tokens: int) -> Pair:
    """tokenizer: of transformers, with a fast back end. most_tokens: of the ticket: three quarters head, the rest tail.

    Raises ValueError where the chat template puts words into the empty system message or changes what it is given.
    """
    before, after = question(rubric, ticket)
    start, to_urgent = _around(tokenizer, before, after, URGENT)
    _, to_standard = _around(tokenizer, before, after, STANDARD)
    same = to_urgent.index(URGENT)
    head = _ids(tokenizer, start)
    ids, spans, cut = _ticket(tokenizer, ticket, most_tokens)
    return Pair(
        shared=(*head, *ids, *_ids(tokenizer, to_urgent[:same])),
        urgent=_until_pooled(tokenizer, to_urgent[same:]),
        standard=_until_pooled(tokenizer, to_standard[same:]),
        spans=spans,
        at=len(head),
        tokens=len(ids),
        tokens_cut=cut,
    )


def answer_ids(tokenizer: Any, user: str, answer: str) -> tuple[int, ...]:
    """A whole conversation up to its pooled token, as the model card renders it."""
    text = tokenizer.apply_chat_template(_messages(user, answer), tokenize=False, add_generation_prompt=False)
    return _until_pooled(tokenizer, text)


def pooled_position(ids: Sequence[int], pad: int | None) -> int:
    """The token whose state is scored: the one before the first pad token, or the last where there is none.

    The model card speaks of the state of <|endoftext|>; the code that is shipped with the weights does this.
    """
    return ids.index(pad) - 1 if pad is not None and pad in ids else len(ids) - 1


def _until_pooled(tokenizer: Any, ending: str) -> tuple[int, ...]:
    ids = _ids(tokenizer, ending)
    return ids[: pooled_position(ids, tokenizer.pad_token_id) + 1]


def _around(tokenizer: Any, before: str, after: str, verdict: str) -> tuple[str, str]:
    """The rendered conversation before and after the ticket."""
    messages = _messages(before + _PLACE + after, verdict)
    text = str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False))
    start, place, rest = text.partition(before + _PLACE + after)
    if not place or rest.count(verdict) != 1 or "You are" in start:
        raise ValueError("The chat template of this checkpoint changes the conversation; a reward model's must not.")
    return start + before, after + rest


def _messages(user: str, answer: str) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": ""},
        {"role": "user", "content": user},
        {"role": "assistant", "content": answer},
    ]


def _ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def _ticket(tokenizer: Any, text: str, most: int) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...], int]:
    """Ids, their characters in `text`, and how many tokens were left out."""
    pieces = _stretch(tokenizer, text, 0)
    if len(pieces) <= most:
        return tuple(piece[0] for piece in pieces), tuple(piece[1] for piece in pieces), 0
    head, tail = most - most // 4, most // 4
    cut = len(pieces) - head - tail
    marker = [(one, (pieces[head][1][0],) * 2) for one in _ids(tokenizer, CUT.format(tokens=cut))]
    kept = [*pieces[:head], *marker, *pieces[len(pieces) - tail :]]
    return tuple(piece[0] for piece in kept), tuple(piece[1] for piece in kept), cut


def _stretch(tokenizer: Any, text: str, offset: int) -> list[tuple[int, tuple[int, int]]]:
    """Plain text alone: what looks like a control token is spelled out."""
    backend = tokenizer.backend_tokenizer
    special, backend.encode_special_tokens = backend.encode_special_tokens, True
    try:
        encoding = backend.encode(text, add_special_tokens=False)
    finally:
        backend.encode_special_tokens = special
    return [(one, (a + offset, b + offset)) for one, (a, b) in zip(encoding.ids, encoding.offsets, strict=True)]
