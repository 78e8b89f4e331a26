"""kombu's filesystem transport, for the embedded default, without its races: nobody reads what is half written.

kombu writes messages and tables of exchanges in place. A worker that reads one in that moment, or after its writer was
killed, ends with "Unrecoverable error: JSONDecodeError", and `make run` ends with it. Here each file is written aside
and moved to its place. https://github.com/celery/kombu/issues/1551
"""

from __future__ import annotations

import fcntl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

Table = list[filesystem.exchange_queue_t]


class Channel(filesystem.Channel):
    """Messages are files named TIME_ID.QUEUE.msg in one folder, tables are files named EXCHANGE.exchange in another."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        _write(Path(self.data_folder_out) / f"{time.time_ns()}_{uuid.uuid4().hex}.{queue}.msg", payload)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """The oldest message. Whoever takes its file away has it; what nobody can read is dropped."""
        for file in sorted(Path(self.data_folder_in).glob("*.msg")):
            if file.name.partition(".")[2] == f"{queue}.msg":
                with suppress(OSError, ValueError):
                    content = file.read_bytes()
                    file.unlink()
                    return loads(content)
        raise Empty

    def get_table(self, exchange: str) -> Table:  # type: ignore[override]
        """One that an earlier version left half written is empty: whoever needs a binding makes it."""
        try:
            return list(super().get_table(exchange))
        except ValueError:
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        binding = _binding(routing_key, pattern, queue)
        self._change(exchange, lambda table: table if binding in table else [binding, *table])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        virtual.Channel._delete(self, queue, exchange, routing_key, pattern, *args, **kwargs)  # noqa: SLF001
        binding = _binding(routing_key, pattern, queue)
        self._change(exchange, lambda table: [other for other in table if other != binding])

    def _change(self, exchange: str, change: Callable[[Table], Table]) -> None:
        with self._alone():
            before = self.get_table(exchange)
            if (after := change(before)) != before:
                _write(self.control_folder / f"{exchange}.exchange", after)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process or thread changes a table. The lock ends with its process, however that ends."""
        with (self.control_folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def _binding(routing_key: str, pattern: str | None, queue: str) -> filesystem.exchange_queue_t:
    return filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")


def _write(file: Path, content: Any) -> None:
    part = file.parent / f"{uuid.uuid4().hex}.part"
    part.write_text(dumps(content), encoding="utf-8")
    part.rename(file)
