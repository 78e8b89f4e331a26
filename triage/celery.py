"""The Celery application. Messages only wake workers; the work itself waits in the database."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")

from django.conf import settings


def _broker() -> dict[str, object]:
    if settings.BROKER_URL.startswith("filesystem"):
        folder = Path(settings.VAR_DIR) / "broker"
        messages, control = str(folder / "messages"), str(folder / "control")
        for name in (messages, control):
            Path(name).mkdir(parents=True, exist_ok=True)
        return {
            "broker_transport": "triage.file_broker:Transport",
            "broker_transport_options": {
                "data_folder_in": messages,
                "data_folder_out": messages,
                "control_folder": control,
                "polling_interval": 0.1,
            },
        }
    # A wake that cannot be sent at once is dropped: sweep sends the next one.
    options = {"socket_connect_timeout": 1, "socket_timeout": 5, "retry_on_timeout": False, "max_retries": 1}
    return {"broker_transport_options": options}


# It warns of pickled messages to a worker that runs as root, as in many containers; here messages are JSON alone.
warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("triage")
app.conf.update(
    broker_url=settings.BROKER_URL,
    **_broker(),
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
