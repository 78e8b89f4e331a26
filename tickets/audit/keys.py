"""The key that signs checkpoints, and the public keys of all that ever did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from tickets.audit import notes
from tickets.models import SigningKey
from triage.made_once import made_once

_DO = (
    "Set LOG_KEY, or LOG_KEY_FILE, to the key of sweep, and LOG_ORIGIN as it has it. A new key goes to sweep first, "
    "which tells the log of it when it signs the next entries."
)


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
    return Signer(settings.LOG_ORIGIN, notes.load_private(_written()))


def _written() -> bytes:
    return settings.LOG_KEY.encode() or made_once(settings.LOG_KEY_FILE, notes.generate)


def known_signer() -> Signer:
    """One whose key has signed this log before, or the very first; `sweep` alone introduces another, by `signer`.

    Raises notes.NoteRefused where another key is at hand, or none, which is not made then; OSError.
    """
    registered = set(SigningKey.objects.values_list("verifier_key", flat=True))
    if registered and not (settings.LOG_KEY or settings.LOG_KEY_FILE.exists()):
        raise notes.NoteRefused(f"There is no signing key here, neither LOG_KEY nor {settings.LOG_KEY_FILE}. {_DO}")
    at_hand = signer()
    if registered and at_hand.verifier_key not in registered:
        raise notes.NoteRefused(f"The key here, {at_hand.verifier_key}, has never signed this log. {_DO}")
    return at_hand


def public_keys(given: Iterable[str] = ()) -> dict[str, Ed25519PublicKey]:
    """Those given, or else all that the database knows of: then somebody who owns it may have added his own."""
    return notes.known_keys(list(given) or SigningKey.objects.values_list("verifier_key", flat=True))
