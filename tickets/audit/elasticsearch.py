"""Roles, users, mapping and alias of the log's copy. Installing them again is harmless."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from elasticsearch import Elasticsearch

from tickets.audit.ship import ALIAS, indices_of

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "seq": _LONG,
        "at": {"type": "date_nanos"},
        "body": {"type": "keyword", "index": False, "doc_values": False},
        "needs_check": {"type": "boolean"},
        **dict.fromkeys(("ticket", "score", "threshold", "confidence", "policy", "input_version"), _LONG),
        **dict.fromkeys(("milliseconds_total", "milliseconds_score"), _LONG),
        **dict.fromkeys(("kind", "subject", "actor", "hash", "prev_hash", "verdict", "queue"), _KEYWORD),
        **dict.fromkeys(("previous_queue", "cause", "model"), _KEYWORD),
    },
}
# create_doc cannot overwrite or delete: what was written stays as it was, even for the application itself.
WRITER_PRIVILEGES = ["create_doc", "create_index", "auto_configure"]
READER_PRIVILEGES = ["read", "view_index_metadata"]


def install(admin: Elasticsearch, writer_url: str, reader_url: str = "", generation: int = 1) -> None:
    """With an admin credential: the index template, the two roles, and their users as the URLs name them."""
    put_template(admin, generation, aliases={ALIAS: {}})
    _install_user(admin, writer_url, "triage_writer", WRITER_PRIVILEGES)
    if reader_url:
        _install_user(admin, reader_url, "triage_reader", READER_PRIVILEGES)


def put_template(admin: Elasticsearch, generation: int, aliases: dict[str, Any]) -> None:
    """For the indices of one generation, whatever months they come to be of."""
    admin.indices.put_index_template(
        name=indices_of(generation).removesuffix("-"),
        index_patterns=[f"{indices_of(generation)}*"],
        priority=generation,
        template={
            "settings": {"number_of_shards": 1, "number_of_replicas": 0},
            "mappings": MAPPING,
            "aliases": aliases,
        },
    )


def _install_user(admin: Elasticsearch, url: str, role: str, privileges: list[str]) -> None:
    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise ValueError(f"The Elasticsearch URL for {role} names no user and password: http://user:password@host:port")
    admin.security.put_role(name=role, indices=[{"names": [f"{ALIAS}*"], "privileges": privileges}])
    admin.security.put_user(username=unquote(parts.username), password=unquote(parts.password), roles=[role])
