"""The Celery application. Messages only wake workers; the work itself waits in the database."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")

from django.conf import settings


def _transport_options() -> dict[str, object]:
    if settings.BROKER_URL.startswith("filesystem"):
        folder = Path(settings.VAR_DIR) / "broker"
        for name in ("messages", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _drop_half_written(folder / "control")
        messages = str(folder / "messages")
        return {
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(folder / "control"),
            "polling_interval": 0.1,
        }
    # A wake that cannot be sent at once is dropped: sweep sends the next one.
    return {"socket_connect_timeout": 1, "socket_timeout": 5, "retry_on_timeout": False, "max_retries": 1}


def _drop_half_written(folder: Path) -> None:
    """A process that ended while it wrote here left a file that no worker can start with; it is written anew."""
    for file in folder.glob("*.exchange"):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            file.unlink(missing_ok=True)


# It warns of pickled messages to a worker that runs as root, as in many containers; here messages are JSON alone.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("triage")
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_transport_options=_transport_options(),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    accept_content=["json"],
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_acks_late=False,
    task_publish_retry=False,
    task_default_queue="housekeeping",
    task_time_limit=settings.HARD_LIMIT_SECONDS,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    # A large model may load for minutes in the child before it is ready.
    worker_proc_alive_timeout=1800,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)
app.autodiscover_tasks(["tickets"])
