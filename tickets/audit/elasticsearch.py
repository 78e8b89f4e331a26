"""Roles, users, mappings and alias of the log's copy, and of published checkpoints. Installing again is harmless."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from elasticsearch import Elasticsearch

from tickets.audit import publish
from tickets.audit.ship import ALIAS, indices_of

_KEYWORD = {"type": "keyword"}
_LONG = {"type": "long"}
_MOMENT = {"type": "date_nanos"}
_KEPT = {"type": "keyword", "index": False, "doc_values": False}
MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "seq": _LONG,
        **dict.fromkeys(("at", "judged_at"), _MOMENT),
        "body": _KEPT,
        "needs_check": {"type": "boolean"},
        **dict.fromkeys(("ticket", "score", "threshold", "confidence", "policy", "input_version"), _LONG),
        **dict.fromkeys(("milliseconds_total", "milliseconds_score", "judged_seq"), _LONG),
        **dict.fromkeys(("kind", "subject", "actor", "hash", "prev_hash", "verdict", "queue"), _KEYWORD),
        **dict.fromkeys(("previous_queue", "cause", "model", "judged_model", "judged_verdict"), _KEYWORD),
    },
}
CHECKPOINTS_MAPPING: dict[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "size": _LONG,
        "at": _MOMENT,
        **dict.fromkeys(("origin", "root", "head"), _KEYWORD),
        "note": _KEPT,
    },
}
_ONE_SHARD = {"number_of_shards": 1, "number_of_replicas": 0}
# A page of the search is the latest entries: sorted like that, Elasticsearch reads no further than the page.
_LATEST_FIRST = {"sort.field": "seq", "sort.order": "desc"}
# create_doc cannot overwrite or delete: what was written stays as it was, even for the application itself.
# It makes the index of a new month, but not that of checkpoints: one made by hand would have no strict mapping.
_WRITER = {ALIAS + "*": ["create_doc", "create_index", "auto_configure"], publish.INDEX: ["create_doc"]}
_READER = {names: ["read", "view_index_metadata"] for names in (ALIAS + "*", publish.INDEX)}


def install(admin: Elasticsearch, writer_url: str, reader_url: str = "", generation: int = 1) -> None:
    """With an admin credential: the index template, the two roles, and their users as the URLs name them.

    Indices that are there already learn the fields that are new.
    """
    put_template(admin, generation, aliases={ALIAS: {}})
    admin.indices.put_mapping(
        index=f"{indices_of(generation)}*", properties=MAPPING["properties"], allow_no_indices=True
    )
    _put_checkpoints(admin)
    _install_user(admin, writer_url, "triage_writer", _WRITER)
    if reader_url:
        _install_user(admin, reader_url, "triage_reader", _READER)


def put_template(admin: Elasticsearch, generation: int, aliases: dict[str, Any]) -> None:
    """For the indices of one generation, whatever months they come to be of."""
    admin.indices.put_index_template(
        name=indices_of(generation).removesuffix("-"),
        index_patterns=[f"{indices_of(generation)}*"],
        priority=generation,
        template={
            "settings": {"index": _ONE_SHARD | _LATEST_FIRST},
            "mappings": MAPPING,
            "aliases": aliases,
        },
    )


def _put_checkpoints(admin: Elasticsearch) -> None:
    if admin.indices.exists(index=publish.INDEX):
        admin.indices.put_mapping(index=publish.INDEX, properties=CHECKPOINTS_MAPPING["properties"])
    else:
        admin.indices.create(index=publish.INDEX, mappings=CHECKPOINTS_MAPPING, settings=_ONE_SHARD)


def _install_user(admin: Elasticsearch, url: str, role: str, privileges: dict[str, list[str]]) -> None:
    """privileges: by the names of indices."""
    parts = urlsplit(url)
    if not parts.username or not parts.password:
        raise ValueError(f"The Elasticsearch URL for {role} names no user and password: http://user:password@host:port")
    granted = [{"names": [names], "privileges": may} for names, may in privileges.items()]
    admin.security.put_role(name=role, indices=granted)
    admin.security.put_user(username=unquote(parts.username), password=unquote(parts.password), roles=[role])
