"""Lines of a file: whole while they are short, cut where they are not, whatever the file holds."""

from __future__ import annotations

import io
import json
import re
import tracemalloc

import pytest

from tickets.intake.lines import LONGEST_LINE, bounded_lines, is_too_long, why_not_json


@pytest.mark.parametrize("content", ["", "\n", "a", "a\n", "a\n\nb", "a\n" + "x" * (LONGEST_LINE - 1) + "\nb\n"])
def test_lines_that_are_short_enough_come_as_they_are(content: str) -> None:
    assert list(bounded_lines(io.StringIO(content))) == content.splitlines(keepends=True)
    assert list(bounded_lines(io.BytesIO(content.encode()))) == content.encode().splitlines(keepends=True)


@pytest.mark.parametrize("length", [LONGEST_LINE + 1, LONGEST_LINE * 2 + 2, LONGEST_LINE * 3])
def test_a_line_that_is_too_long_is_cut_and_the_next_one_is_whole(length: int) -> None:
    first, second, third = bounded_lines(io.StringIO("first\n" + "x" * length + "\nthird\n"))
    assert (first, third) == ("first\n", "third\n")
    assert is_too_long(second)
    assert set(second) == {"x"}


def test_a_file_of_one_endless_line_costs_no_more_memory_than_a_line() -> None:
    file = io.BytesIO(b"x" * (64 * LONGEST_LINE))
    tracemalloc.start()
    lines = [len(line) for line in bounded_lines(file)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == [LONGEST_LINE + 1]
    assert peak < 8 * LONGEST_LINE


@pytest.mark.parametrize(
    ("line", "says"),
    [(b'{"a": 1, 7}', "not JSON: .* at character 10"), (b"ab\xff", "not UTF-8 at byte 3"), (b"", "at character 1")],
)
def test_what_is_no_json_is_told_by_its_place_in_the_line(line: bytes, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        json.loads(line.decode())
    assert re.search(says, why_not_json(caught.value))
