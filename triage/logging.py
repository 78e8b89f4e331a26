"""Structured logs: one JSON object a line, or plain lines for a terminal."""

from __future__ import annotations

import logging.config
from typing import Any

import structlog


def configure(config: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING: {"format": "json" | "plain", "level": a logging level}."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        structlog.processors.format_exc_info,
                        _renderer(config["format"]),
                    ],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": config["level"]},
            "loggers": {
                "django.request": {"level": "ERROR"},
                # One line a wake would drown everything else.
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "elastic_transport": {"level": "WARNING"},
                "axes": {"level": "WARNING"},
            },
        }
    )


def _renderer(log_format: str) -> Any:
    if log_format == "plain":
        return structlog.dev.ConsoleRenderer(colors=False)
    return structlog.processors.JSONRenderer(ensure_ascii=False)
