"""The WSGI entry point."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")
_django = get_wsgi_application()
_REFUSED = b'{"detail": "Content-Type: only UTF-8 is read here."}'


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Django decodes by whatever codec the sender names, before any view or middleware is asked: so not here."""
    if _is_utf8(environ.get("CONTENT_TYPE", "")):
        return _django(environ, start_response)
    length = str(len(_REFUSED))
    start_response("415 Unsupported Media Type", [("Content-Type", "application/json"), ("Content-Length", length)])
    return [_REFUSED]


def _is_utf8(content_type: str) -> bool:
    try:
        _, parameters = parse_header_parameters(content_type)
    except (LookupError, ValueError):  # such as charset*=hex''...
        return False
    return parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}
