"""A ticket as the token ids a reward model reads: a frame around it that all tickets share, and two endings.

The checkpoint's own chat template is used, with a system message that is there and empty. The ticket itself is encoded
apart, so that no text in it can become a control token, whatever it spells.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scoring.types import Request
from scoring.verdicts import CUT, STANDARD, URGENT, fence, question

_PLACE = "\ue000ticket\ue000"  # private use: the normaliser removes these characters from every ticket


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a ticket, as token ids: before it, after it, and the two endings."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    urgent: tuple[int, ...]
    standard: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """A ticket in its frame. ticket: token ids. tokens_cut: how many of them were left out."""

    frame: Frame
    ticket: Sequence[int] = ()
    tokens_cut: int = 0

    @property
    def shared(self) -> tuple[int, ...]:
        return (*self.frame.prefix, *self.ticket, *self.frame.suffix)

    @property
    def length(self) -> int:
        """Tokens to be read for it: the prefix is the same for every ticket and was read before."""
        frame = self.frame
        return len(self.ticket) + len(frame.suffix) + len(frame.urgent) + len(frame.standard)


def pair(tokenizer: Any, rubric: str, ticket: str, most_tokens: int) -> Pair:
    """`pairs` for one ticket."""
    return pairs(tokenizer, [Request(ticket, rubric)], most_tokens)[0]


def pairs(tokenizer: Any, requests: Sequence[Request], most_tokens: int) -> list[Pair]:
    """tokenizer: of transformers, with a fast back end. most_tokens: of a ticket: three quarters head, the rest tail.

    Raises ValueError where the chat template puts words into the empty system message or changes what it is given.
    """
    texts = [request.text for request in requests]
    encodings = _plain(tokenizer).encode_batch_fast(texts, add_special_tokens=False)
    return [
        Pair(_frame(tokenizer, request.rubric, fence(request.text)), *_kept(tokenizer, encoding.ids, most_tokens))
        for request, encoding in zip(requests, encodings, strict=True)
    ]


@lru_cache(maxsize=32)
def _frame(tokenizer: Any, rubric: str, mark: str) -> Frame:
    before, after = question(rubric, mark)
    start, to_urgent = _around(tokenizer, before, after, URGENT)
    _, to_standard = _around(tokenizer, before, after, STANDARD)
    same = to_urgent.index(URGENT)
    return Frame(
        prefix=_ids(tokenizer, start),
        suffix=_ids(tokenizer, to_urgent[:same]),
        urgent=_until_pooled(tokenizer, to_urgent[same:]),
        standard=_until_pooled(tokenizer, to_standard[same:]),
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


@lru_cache(maxsize=4)
def _plain(tokenizer: Any) -> Any:
    """The same tokenizer for which a text that looks like a control token is spelled out, special or not: that of
    Qwen has tokens such as <tool_call> that it does not call special.
    """
    from tokenizers import Tokenizer

    described = json.loads(tokenizer.backend_tokenizer.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["special"]]
    plain = Tokenizer.from_str(json.dumps(described))
    plain.encode_special_tokens = True
    return plain


def _kept(tokenizer: Any, ids: Sequence[int], most: int) -> tuple[Sequence[int], int]:
    """Ids, and how many tokens were left out."""
    if len(ids) <= most:
        return ids, 0
    head, tail = most - most // 4, len(ids) - most // 4
    return (*ids[:head], *_ids(tokenizer, CUT.format(tokens=tail - head)), *ids[tail:]), tail - head
