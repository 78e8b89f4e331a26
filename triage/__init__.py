"""Wiring: settings, URLs, Celery, WSGI and ASGI. No logic."""

from triage.celery import app as celery_app

__all__ = ["celery_app"]
