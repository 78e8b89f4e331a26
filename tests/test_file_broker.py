"""The embedded broker: files that several processes write and read at once, and that any of them may leave broken."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from tests.installation import ROOT


def opened(folder: str) -> Any:
    options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
    return Connection(transport="triage.file_broker:Transport", transport_options=options).channel()


@pytest.fixture
def channel(tmp_path: Path) -> Any:
    return opened(str(tmp_path))


def test_messages_of_a_queue_come_in_the_order_they_were_sent(channel: Any) -> None:
    for number in range(20):
        channel._put("score", {"number": number})
        channel._put("score.other", {"number": -1})
    assert [channel._get("score")["number"] for _ in range(20)] == list(range(20))
    with pytest.raises(Empty):
        channel._get("score")
    assert channel._size("score.other") == 20


def test_a_broken_message_is_dropped_and_the_next_one_is_taken(channel: Any, tmp_path: Path) -> None:
    (tmp_path / "0_a.score.msg").touch()
    (tmp_path / "0_b.score.msg").write_bytes(b'{"number": "\xff')
    channel._put("score", {"number": 1})
    assert channel._get("score") == {"number": 1}
    assert list(tmp_path.glob("*.msg")) == []


def test_who_reads_while_others_write_sees_whole_messages_and_each_once(channel: Any) -> None:
    most, text, taken = 400, "x" * 20_000, []

    def take() -> None:
        while len(taken) < most:
            try:
                taken.append(channel._get("score")["number"])
            except Empty:
                continue

    readers = [threading.Thread(target=take) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(most):
        channel._put("score", {"number": number, "text": text})
    for reader in readers:
        reader.join(timeout=60)
    assert sorted(taken) == list(range(most))


def test_bindings_that_many_processes_make_at_once_are_all_kept(channel: Any, tmp_path: Path) -> None:
    code = (
        "import sys; from tests.test_file_broker import opened; channel = opened(sys.argv[1])\n"
        "for number in range(50): channel._queue_bind('pidbox', '', None, f'{sys.argv[2]}.{number}')"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    processes = [subprocess.Popen([*command, str(number)], cwd=ROOT) for number in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert {queue for _, _, queue in channel.get_table("pidbox")} == {f"{p}.{n}" for p in range(4) for n in range(50)}


def test_a_binding_made_twice_stands_once_and_goes_with_its_queue(channel: Any) -> None:
    channel._queue_bind("pidbox", "key", "", "one")
    channel._queue_bind("pidbox", "key", "", "one")
    channel._queue_bind("pidbox", "key", "", "two")
    channel._delete("one", "pidbox", "key", "")
    assert channel.get_table("pidbox") == [("key", "", "two")]


def test_a_table_left_half_written_is_written_anew(channel: Any, tmp_path: Path) -> None:
    (tmp_path / "score.exchange").write_text('[["score", "')
    channel._queue_bind("score", "score", "", "score")
    assert channel.get_table("score") == [("score", "", "score")]
