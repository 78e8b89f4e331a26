"""Checkpoints: what the log was at a size, as signed notes that stay true when kept elsewhere.

The bytes are those of c2sp.org/signed-note and c2sp.org/tlog-checkpoint, with two extension lines of our own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

# Room for the sixteen signatures of any kind that the specification asks for.
MAX_BYTES = 131_072
MAX_NUMBER = 2**63 - 1
_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_BODY = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"head (?P<head>[0-9a-f]{64})\nat (?P<at>0|[1-9][0-9]{0,18})\n"
)


class NoteRefused(ValueError):
    """A note, or a key for notes, is not what it should be; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log at a size.

    origin: the name of the log; not empty, without blanks and plus signs. size: entries. root: 32 bytes, of the Merkle
    tree. head: the chain hash of entry number `size` in hex, zeros where there is none. at: microseconds since 1970 UTC
    of that entry. Raises NoteRefused for anything else.
    """

    origin: str
    size: int
    root: bytes
    head: str
    at: int

    def __post_init__(self) -> None:
        _refuse_name(self.origin)
        if not (_BODY.fullmatch(self.text()) and max(self.size, self.at) <= MAX_NUMBER):
            raise NoteRefused(f"A checkpoint of {self.origin} has a number or a hash that is out of range.")

    def text(self) -> str:
        """The text that is signed, with its last newline."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\nhead {self.head}\nat {self.at}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. key: the name and the id of the key, "example.com/log+0a1b2c3d"."""

    key: str
    content: bytes


def sign(checkpoint: Checkpoint, key_name: str, private_key: Ed25519PrivateKey) -> str:
    return sign_text(checkpoint.text(), key_name, private_key)


def parse(note: str) -> tuple[Checkpoint, list[Signature]]:
    """A checkpoint that nobody has verified, and its signatures. Raises NoteRefused unless each byte is in its form."""
    text, signatures = _divide(note)
    return _checkpoint(text), signatures


def verify(note: str, public_keys: Mapping[str, Ed25519PublicKey]) -> Checkpoint:
    """The checkpoint, if one of the keys signed it and none of them refuses. public_keys: as `known_keys` gives them.

    Signatures by other keys are ignored, as the specification asks. Raises NoteRefused.
    """
    return _checkpoint(open_text(note, public_keys))


def sign_text(text: str, key_name: str, private_key: Ed25519PrivateKey) -> str:
    """Any text as a signed note. Raises NoteRefused for a text or a name that a note cannot carry."""
    _refuse_name(key_name)
    signature = _key_id(key_name, private_key.public_key()) + private_key.sign(text.encode())
    note = f"{text}\n— {key_name} {_base64(signature)}\n"
    if _divide(note)[0] != text:
        raise NoteRefused("The text of a note ends in one newline, and holds no line of signatures.")
    return note


def open_text(note: str, public_keys: Mapping[str, Ed25519PublicKey]) -> str:
    """The text of a note that one of the keys signed and none of them refuses. Raises NoteRefused."""
    text, signatures = _divide(note)
    known = [signature for signature in signatures if signature.key in public_keys]
    if not known:
        raise NoteRefused(f"The note is signed by {_listed(signatures)}, none of which is a known key.")
    for signature in known:
        try:
            public_keys[signature.key].verify(signature.content, text.encode())
        except InvalidSignature:
            raise NoteRefused(f"The signature of {signature.key} is not that of this text.") from None
    return text


def verifier_key(key_name: str, public_key: Ed25519PublicKey) -> str:
    """What others verify with: "<name>+<8 hex of the key id>+<base64(0x01 || public key)>"."""
    _refuse_name(key_name)
    return f"{key_of(key_name, public_key)}+{_base64(_ED25519 + public_key.public_bytes_raw())}"


def key_of(key_name: str, public_key: Ed25519PublicKey) -> str:
    """The name and the id of a key: "<name>+<8 hex>"."""
    return f"{key_name}+{_key_id(key_name, public_key).hex()}"


def known_keys(verifier_keys: Iterable[str]) -> dict[str, Ed25519PublicKey]:
    """The keys by name and id. Raises NoteRefused for one that is not written as `verifier_key` writes it."""
    keys = {}
    for written in verifier_keys:
        name, plus, rest = written.partition("+")
        key = _from_base64(rest.partition("+")[2])
        if not plus or key[:1] != _ED25519 or len(key) != 1 + 32:
            raise NoteRefused(f"{written!r} is no Ed25519 key; write <name>+<8 hex digits>+<base64>.")
        public_key = Ed25519PublicKey.from_public_bytes(key[1:])
        if verifier_key(name, public_key) != written:
            raise NoteRefused(f"{written!r} names another key id than its own: {key_of(name, public_key)}.")
        keys[key_of(name, public_key)] = public_key
    return keys


def generate() -> bytes:
    """A new private key, as PEM (PKCS8) without a password."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_private(pem_or_base64: bytes) -> Ed25519PrivateKey:
    """An Ed25519 key from PEM (PKCS8), or from base64 of its 32 bytes. Raises NoteRefused."""
    written = pem_or_base64.strip()
    try:
        if not written.startswith(b"-----"):
            return Ed25519PrivateKey.from_private_bytes(base64.b64decode(written, validate=True))
        key = load_pem_private_key(written, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NoteRefused("The private key is neither PEM (PKCS8) without a password nor base64 of 32 bytes.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoteRefused("The private key is not an Ed25519 key.")
    return key


def _divide(note: str) -> tuple[str, list[Signature]]:
    """The text and the signatures. Raises NoteRefused."""
    if len(_utf8(note)) > MAX_BYTES:
        raise NoteRefused(f"A note has at most {MAX_BYTES} bytes.")
    if _CONTROL.search(note):
        raise NoteRefused("A note holds no control characters.")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n"):
        raise NoteRefused("A note is a text, an empty line and lines of signatures.")
    return f"{text}\n", [_signature(line) for line in lines[:-1].split("\n")]


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    _refuse_name(name)
    content = _from_base64(encoded)
    if dash != "—" or len(content) <= _KEY_ID_BYTES:
        raise NoteRefused(f"{line[:200]!r} is no line of a signature.")
    return Signature(f"{name}+{content[:_KEY_ID_BYTES].hex()}", content[_KEY_ID_BYTES:])


def _checkpoint(text: str) -> Checkpoint:
    found = _BODY.fullmatch(text)
    if not found:
        raise NoteRefused("A checkpoint is five lines: origin, size, root, head and at.")
    return Checkpoint(found["origin"], int(found["size"]), _from_base64(found["root"]), found["head"], int(found["at"]))


def _key_id(key_name: str, public_key: Ed25519PublicKey) -> bytes:
    named = key_name.encode() + b"\n" + _ED25519 + public_key.public_bytes_raw()
    return hashlib.sha256(named).digest()[:_KEY_ID_BYTES]


def _refuse_name(name: str) -> None:
    if not name or "+" in name or _CONTROL.search(name) or any(character.isspace() for character in name):
        raise NoteRefused(f"{name[:200]!r} is no name: it is not empty, and has no blanks and no plus signs.")
    _utf8(name)


def _listed(signatures: Iterable[Signature]) -> str:
    return ", ".join(signature.key for signature in signatures)[:500]


def _utf8(written: str) -> bytes:
    try:
        return written.encode()
    except UnicodeEncodeError:
        raise NoteRefused("A note is valid UTF-8.") from None


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _from_base64(written: str) -> bytes:
    """Standard base64 in its one canonical form. Raises NoteRefused."""
    try:
        content = base64.b64decode(written.encode("ascii"), validate=True)
    except ValueError:
        content = b""
    if not content or _base64(content) != written:
        raise NoteRefused(f"{written[:200]!r} is not base64.")
    return content
