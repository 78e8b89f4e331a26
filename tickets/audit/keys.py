"""The key that signs checkpoints, and the public keys of all that ever did."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from tickets.audit import notes
from tickets.models import SigningKey


@dataclass(frozen=True, slots=True)
class Signer:
    """name: of the log, which names its keys too."""

    name: str
    private_key: Ed25519PrivateKey

    @property
    def verifier_key(self) -> str:
        return notes.verifier_key(self.name, self.private_key.public_key())


def signer() -> Signer:
    """From LOG_KEY, or LOG_KEY_FILE, which is made once where it is missing. Raises notes.NoteRefused, OSError."""
    return Signer(settings.LOG_ORIGIN, notes.load_private(settings.LOG_KEY.encode() or _from_file()))


def public_keys(given: Iterable[str] = ()) -> dict[str, Ed25519PublicKey]:
    """Those given, or else all that the database knows of: then somebody who owns it may have added his own."""
    return notes.known_keys(list(given) or SigningKey.objects.values_list("verifier_key", flat=True))


def _from_file() -> bytes:
    file = settings.LOG_KEY_FILE
    with suppress(FileExistsError):
        file.parent.mkdir(parents=True, exist_ok=True)
        # Of two processes that start at once, the second reads what the first wrote.
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as made:
            made.write(notes.generate())
    return file.read_bytes()
