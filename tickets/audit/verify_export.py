"""Verifies an export of the log, or the proof of one decision, away from the system that made it.

    python verify_export.py FOLDER [--key VERIFIER_KEY ...] [--against CHECKPOINTS_FILE]
    python verify_export.py --proof FILE [--key VERIFIER_KEY ...] [--against CHECKPOINTS_FILE]

Needs Python 3.9 or later and the package `cryptography`. The last line of the output is the verdict; the exit status is
0 where everything is right, 1 where something is wrong, 2 where something cannot be read.

VERIFIER_KEY: <name>+<8 hex digits>+<base64>, known from elsewhere. CHECKPOINTS_FILE: checkpoints of the log that were
kept elsewhere, one JSON object {"note": "..."} a line; each is compared with the entries, so a log that was rewritten
after one of them was signed is found.

An auditor carries this one file to a machine without the project and reads it whole. So it repeats the few functions
for hashes, trees and notes that the project has elsewhere, and shares no mistake with them.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("CANNOT BE READ: the package cryptography is missing; install it with pip.\n")
    sys.exit(2)

FORMAT = "triage-export-1"
GENESIS = "0" * 64
HASH_BYTES = 32
KEY_ID_BYTES = 4
ED25519 = b"\x01"
MAX_BYTES = 4 * 1_024 * 1_024
MAX_DIGITS = 100
MAX_NUMBER = 2**63 - 1
# An export made so long after an entry carries a checkpoint with that entry in it.
SLACK_MICROSECONDS = 60_000_000

_HASH = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_CHECKPOINT = re.compile(
    r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
    r"head (?P<head>[0-9a-f]{64})\nat (?P<at>0|[1-9][0-9]{0,18})\n"
)
_ENTRY = {"seq": int, "body": str, "hash": str, "prev_hash": str, "proof": list}
_BODY = {"schema": int, "seq": int, "at": int, "kind": str, "subject": str, "actor": str}
_MANIFEST = {
    "format": str,
    "origin": str,
    "filter": dict,
    "contiguous": int,
    "first": int,
    "last": int,
    "count": int,
    "sha256": str,
    "exported_at": int,
    "actor": str,
    "checkpoint": str,
    "keys": list,
}
_PROOF = {"entry": dict, "proof": list, "checkpoint": str, "keys": list}

Keys = Mapping[str, Ed25519PublicKey]


class Bad(Exception):
    """Something is not as it was signed; the message says where and what differs."""


class Unreadable(Exception):
    """Nothing can be said: a file is missing, or is no export of this format."""


@dataclass(frozen=True)
class Checkpoint:
    """What the log's key signed. root: of the Merkle tree over the first `size` entries; head, at: of the last one."""

    origin: str
    size: int
    root: bytes
    head: str
    at: int


@dataclass(frozen=True)
class Entry:
    seq: int
    at: int
    prev_hash: str
    hash: str
    body: dict[str, Any]
    proof: list[bytes] | None


@dataclass(frozen=True)
class Manifest:
    origin: str
    is_contiguous: bool
    first: int
    last: int
    count: int
    sha256: str
    exported_at: int
    checkpoint: Checkpoint


@dataclass
class Tree:
    """The Merkle tree of RFC 9162 as it grows, by the roots of its complete subtrees alone, largest first."""

    size: int = 0
    subtrees: list[bytes] = field(default_factory=list)

    def append(self, node: bytes) -> None:
        size = self.size
        while size % 2:
            node, size = node_hash(self.subtrees.pop(), node), size >> 1
        self.subtrees.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self.subtrees:
            return hashlib.sha256(b"").digest()
        computed = self.subtrees[-1]
        for subtree in reversed(self.subtrees[:-1]):
            computed = node_hash(subtree, computed)
        return computed


@dataclass
class Walk:
    """What is known after the entries so far.

    loose: how many no checkpoint vouches for; pending: how many a later entry may still vouch for, by its link to them.
    compared: sizes of checkpoints whose last entry was seen; roots: how many of them had their whole tree computed.
    """

    count: int = 0
    first: int = 0
    last: Entry | None = None
    loose: int = 0
    pending: int = 0
    compared: set[int] = field(default_factory=set)
    roots: int = 0
    tree: Tree = field(default_factory=Tree)


# Hashes and trees: RFC 9162, section 2.1


def chain_hash(prev_hash: str, body: bytes) -> str:
    return hashlib.sha256(bytes.fromhex(prev_hash) + body).hexdigest()


def leaf_hash(chained: str) -> bytes:
    return hashlib.sha256(b"\x00" + bytes.fromhex(chained)).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def is_included(index: int, size: int, node: bytes, path: Sequence[bytes], root: bytes) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size:
        return False
    position, last = index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if position % 2 or position == last:
            node = node_hash(sibling, node)
            while position and position % 2 == 0:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and node == root


# Notes: c2sp.org/signed-note and c2sp.org/tlog-checkpoint


def known_keys(written: Sequence[str]) -> dict[str, Ed25519PublicKey]:
    """By name and id, "example.com/log+0a1b2c3d". Raises ValueError."""
    keys = {}
    for one in written:
        name, _, rest = one.partition("+")
        key = from_base64(rest.partition("+")[2])
        key_id = hashlib.sha256(name.encode() + b"\n" + key).hexdigest()[: 2 * KEY_ID_BYTES]
        if not name or not rest.startswith(f"{key_id}+") or key[:1] != ED25519 or len(key) != 1 + HASH_BYTES:
            raise ValueError(f"{one!a} is no Ed25519 key: <name>+<8 hex digits>+<base64>")
        keys[f"{name}+{key_id}"] = Ed25519PublicKey.from_public_bytes(key[1:])
    return keys


def open_note(note: str, keys: Keys) -> str:
    """The text that one of the keys signed and none of them refuses; signatures by others are ignored. Raises Bad."""
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n") or _CONTROL.search(note):
        raise Bad("it is no signed note")
    text += "\n"
    signatures = [signature_of(line) for line in lines[:-1].split("\n")]
    known = [(key, signature) for key, signature in signatures if key in keys]
    if not known:
        signers = ", ".join(key for key, _ in signatures)
        raise Bad(f"it is signed by {signers[:300]}, not by {', '.join(keys) or 'a known key'}")
    for key, signature in known:
        try:
            keys[key].verify(signature, text.encode())
        except InvalidSignature:
            raise Bad(f"the signature of {key} is not that of this text") from None
    return text


def signature_of(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    content = from_base64(encoded)
    if dash != "\u2014" or not name or len(content) <= KEY_ID_BYTES:
        raise Bad(f"{line[:200]!a} is no line of a signature")
    return f"{name}+{content[:KEY_ID_BYTES].hex()}", content[KEY_ID_BYTES:]


def open_checkpoint(note: str, keys: Keys) -> Checkpoint:
    found = _CHECKPOINT.fullmatch(open_note(note, keys))
    if not found:
        raise Bad("its text is not that of a checkpoint")
    return Checkpoint(found["origin"], int(found["size"]), from_base64(found["root"]), found["head"], int(found["at"]))


def from_base64(written: str) -> bytes:
    content = base64.b64decode(written.encode("ascii"), validate=True)
    if base64.b64encode(content).decode() != written:
        raise ValueError(f"{written[:100]!a} is not base64 in its one form")
    return content


# What is read


def read_json(content: bytes) -> Any:
    """JSON without floats and repeated members. Raises ValueError."""
    try:
        return json.loads(
            content.decode(),
            object_pairs_hook=without_repetition,
            parse_int=integer,
            parse_float=refuse,
            parse_constant=refuse,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is there twice")
    return members


def integer(written: str) -> int:
    return int(written) if len(written) <= MAX_DIGITS else refuse(written)


def refuse(written: str) -> NoReturn:
    raise ValueError(f"{written[:40]} is no integer that a log holds")


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def members_of(value: Any, shape: Mapping[str, type], optional: str = "") -> list[Any]:
    """The members in the order of the shape; None for the optional one where it is missing. Raises ValueError."""
    if type(value) is not dict:
        raise ValueError("it is no JSON object")
    if different := (shape.keys() ^ value.keys()) - ({optional} - value.keys()):
        raise ValueError(f"members are missing or unknown: {', '.join(sorted(different))[:200]!a}")
    return [member_of(value, name, kind) if name in value else None for name, kind in shape.items()]


def member_of(value: Mapping[str, Any], name: str, kind: type) -> Any:
    member = value.get(name)
    is_in_range = not isinstance(member, int) or 0 <= member <= MAX_NUMBER
    if type(member) is not kind or not is_in_range:
        raise ValueError(f"{name} is {str(member)[:100]!a}")
    return member


def texts_of(members: Sequence[Any]) -> list[str]:
    for member in members:
        if type(member) is not str:
            raise ValueError(f"{str(member)[:100]!a} is no string")
    return list(members)


def read_entry(value: Any) -> Entry:
    """Checks everything that an entry shows by itself. Raises ValueError or Bad."""
    seq, written, own_hash, prev_hash, proof = members_of(value, _ENTRY, optional="proof")
    if not (_HASH.fullmatch(own_hash) and _HASH.fullmatch(prev_hash)):
        raise ValueError("a hash is not 64 hex digits")
    raw = written.encode()
    if (computed := chain_hash(prev_hash, raw)) != own_hash:
        raise Bad(f"hash is {own_hash}, but its bytes give {computed}")
    body = read_json(raw)
    if type(body) is not dict or canonical(body) != raw:
        raise Bad("its body is no canonical JSON object")
    named = {name: member_of(body, name, kind) for name, kind in _BODY.items()}
    if named["seq"] != seq:
        raise Bad(f"seq is {seq}, but the body says {named['seq']}")
    return Entry(seq, named["at"], prev_hash, own_hash, body, None if proof is None else nodes_of(proof))


def nodes_of(written: Sequence[Any]) -> list[bytes]:
    nodes = [from_base64(node) for node in texts_of(written)]
    if any(len(node) != HASH_BYTES for node in nodes):
        raise ValueError("the proof holds something that is no hash")
    return nodes


def read_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Each line with its newline; none takes more than MAX_BYTES of memory."""
    number = 0
    while line := file.readline(MAX_BYTES):
        number += 1
        if not line.endswith(b"\n"):
            raise Bad(f"{name}, line {number}: it does not end within {MAX_BYTES} bytes")
        yield line


def read_whole(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise Unreadable(f"{path} has more than {MAX_BYTES} bytes")
    return content


def read_manifest(raw: bytes, given: Sequence[str]) -> tuple[Manifest, Keys]:
    """Raises ValueError or Bad for what is wrong in it, Unreadable for another format."""
    value = read_json(raw)
    if type(value) is dict and value.get("format", FORMAT) != FORMAT:
        raise Unreadable(f"manifest.json: format is {value['format']!a}; this file reads {FORMAT}")
    members = dict(zip(_MANIFEST, members_of(value, _MANIFEST)))  # noqa: B905 (Python 3.9 knows no strict zip)
    own_keys, _ = texts_of(members["keys"]), texts_of(list(members["filter"].values()))
    if canonical(value) != raw:
        raise Bad("it is not written as canonical JSON")
    if members["contiguous"] not in (0, 1):
        raise Bad(f"contiguous is {members['contiguous']}, neither 0 nor 1")
    keys = known_keys(given or own_keys)
    manifest = Manifest(
        origin=members["origin"],
        is_contiguous=members["contiguous"] == 1,
        first=members["first"],
        last=members["last"],
        count=members["count"],
        sha256=members["sha256"],
        exported_at=members["exported_at"],
        checkpoint=open_checkpoint(members["checkpoint"], keys),
    )
    if manifest.checkpoint.size < manifest.last:
        raise Bad(f"last is {manifest.last}, but the checkpoint has the first {manifest.checkpoint.size} entries alone")
    return manifest, keys


def check_signature(note: bytes, manifest: bytes, keys: Keys) -> None:
    signed, expected = open_note(note.decode(), keys), f"{FORMAT}\n{hashlib.sha256(manifest).hexdigest()}\n"
    if signed != expected:
        raise Bad(f"it signs {signed[:200]!a}, but manifest.json gives {expected!a}")


def read_signed(folder: Path, given: Sequence[str]) -> tuple[Manifest, Keys]:
    raw, signature = read_whole(folder / "manifest.json"), read_whole(folder / "manifest.sig")
    name = "manifest.json"
    try:
        manifest, keys = read_manifest(raw, given)
        name = "manifest.sig"
        check_signature(signature, raw, keys)
    except (ValueError, Bad) as error:
        raise Bad(f"{name}: {error}") from None
    return manifest, keys


def read_kept(path: Path | None, keys: Keys) -> list[Checkpoint]:
    """The checkpoints that were kept elsewhere."""
    if path is None:
        return []
    kept = []
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, path.name), 1):
            try:
                (note,) = members_of(read_json(line), {"note": str})
                kept.append(open_checkpoint(note, keys))
            except (ValueError, Bad) as error:
                raise Bad(f"{path.name}, line {number}: {error}") from None
    if not kept:
        raise Unreadable(f"{path} holds no checkpoint")
    return kept


# What is checked


def by_size(checkpoints: Sequence[Checkpoint], origin: str) -> dict[int, Checkpoint]:
    found: dict[int, Checkpoint] = {}
    for checkpoint in checkpoints:
        if checkpoint.origin != origin:
            raise Bad(f"a checkpoint is of the log {checkpoint.origin!a}, not of {origin!a}")
        if found.setdefault(checkpoint.size, checkpoint) != checkpoint:
            raise Bad(f"two different checkpoints of size {checkpoint.size} are signed: the log was rewritten")
    return found


def check_place(entry: Entry, previous: Entry | None, manifest: Manifest) -> None:
    if previous is None:
        if entry.seq != manifest.first or entry.seq == 0:
            raise Bad(f"it is the first one in the file, but the manifest begins with {manifest.first}")
        if entry.seq == 1 and entry.prev_hash != GENESIS:
            raise Bad(f"prev_hash is {entry.prev_hash}, but nothing is before the first entry")
        return
    if entry.seq <= previous.seq:
        raise Bad(f"it comes after entry {previous.seq}")
    if manifest.is_contiguous and entry.seq != previous.seq + 1:
        raise Bad(f"it comes after entry {previous.seq}, so entry {previous.seq + 1} is missing")
    if entry.seq == previous.seq + 1 and entry.prev_hash != previous.hash:
        raise Bad(f"prev_hash is {entry.prev_hash}, but the entry before it has {previous.hash}")
    if entry.at < previous.at:
        raise Bad(f"at is {entry.at}, earlier than {previous.at} of entry {previous.seq}")


def check_head(entry: Entry, checkpoint: Checkpoint) -> None:
    if (entry.hash, entry.at) != (checkpoint.head, checkpoint.at):
        raise Bad(
            f"hash is {entry.hash} at {entry.at}, but the checkpoint of size {checkpoint.size} "
            f"was signed with {checkpoint.head} at {checkpoint.at}"
        )


def check_proof(entry: Entry, path: Sequence[bytes], checkpoint: Checkpoint) -> None:
    if not is_included(entry.seq - 1, checkpoint.size, leaf_hash(entry.hash), path, checkpoint.root):
        raise Bad(f"its proof does not lead to the root of the checkpoint of size {checkpoint.size}")


def check_root(tree: Tree, checkpoint: Checkpoint) -> None:
    if (computed := tree.root()) != checkpoint.root:
        raise Bad(
            f"the tree up to here has the root {computed.hex()}, but the checkpoint of size {checkpoint.size} "
            f"was signed with {checkpoint.root.hex()}"
        )


def step(entry: Entry, walk: Walk, manifest: Manifest, checkpoints: Mapping[int, Checkpoint]) -> None:
    """Checks one more entry against those before it and against the checkpoints."""
    check_place(entry, walk.last, manifest)
    if walk.last and entry.seq != walk.last.seq + 1:
        walk.loose, walk.pending = walk.loose + walk.pending, 0
    walk.pending += 1
    if walk.tree.size == entry.seq - 1:
        walk.tree.append(leaf_hash(entry.hash))
    if entry.proof is not None:
        check_proof(entry, entry.proof, manifest.checkpoint)
        walk.pending = 0
    if checkpoint := checkpoints.get(entry.seq):
        compare(entry, walk, checkpoint)
    walk.last, walk.count, walk.first = entry, walk.count + 1, walk.first or entry.seq


def compare(entry: Entry, walk: Walk, checkpoint: Checkpoint) -> None:
    check_head(entry, checkpoint)
    walk.pending = 0
    walk.compared.add(checkpoint.size)
    if walk.tree.size == entry.seq:
        check_root(walk.tree, checkpoint)
        walk.roots += 1


def walk_log(path: Path, manifest: Manifest, checkpoints: Mapping[int, Checkpoint]) -> Walk:
    walk, digest = Walk(), hashlib.sha256()
    with path.open("rb") as file:
        for number, line in enumerate(read_lines(file, path.name), 1):
            digest.update(line)
            named = f"{path.name}, line {number}"
            try:
                value = read_json(line)
                if type(value) is dict and type(value.get("seq")) is int:
                    named = f"entry {value['seq']}"
                step(read_entry(value), walk, manifest, checkpoints)
            except (ValueError, Bad) as error:
                raise Bad(f"{named}: {error}") from None
    walk.loose += walk.pending
    check_whole(walk, digest.hexdigest(), manifest)
    return walk


def check_whole(walk: Walk, digest: str, manifest: Manifest) -> None:
    last = walk.last.seq if walk.last else 0
    if manifest.is_contiguous and last < manifest.last:
        raise Bad(f"entry {last + 1}: it is missing; the file ends at {last}, the manifest at {manifest.last}")
    if walk.count != manifest.count:
        raise Bad(f"log.ndjson: it has {walk.count} entries, but the manifest counts {manifest.count}")
    if (walk.first, last) != (manifest.first, manifest.last):
        raise Bad(
            f"log.ndjson: it goes from {walk.first} to {last}, the manifest from {manifest.first} to {manifest.last}"
        )
    if digest != manifest.sha256:
        raise Bad(f"log.ndjson: its SHA-256 is {digest}, but the manifest says {manifest.sha256}")


def check_later(manifest: Manifest, kept: Sequence[Checkpoint]) -> None:
    """An export carries a checkpoint of the whole log as it then was; a smaller one hides entries."""
    for checkpoint in kept:
        known_for = manifest.exported_at - checkpoint.at
        if checkpoint.size > manifest.checkpoint.size and known_for > SLACK_MICROSECONDS:
            raise Bad(
                f"manifest.json: its checkpoint is of size {manifest.checkpoint.size}, but one of size "
                f"{checkpoint.size} has entries from before the export: the end of the log is cut off"
            )


# What is said


def say(line: str) -> None:
    # Names and keys come from files: no control sequence of theirs reaches the terminal.
    printable = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in line)
    sys.stdout.write(printable.encode("ascii", "backslashreplace").decode() + "\n")


def moment(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at // 1_000_000))


def say_whose_keys(given: Sequence[str], what: str) -> None:
    if not given:
        say(
            f"Note: without --key the keys are the {what}'s own: this proves only that it is consistent with itself, "
            "not who signed it."
        )


def say_what_is_open(walk: Walk, manifest: Manifest, kept: Sequence[Checkpoint]) -> None:
    if walk.loose:
        say(f"Note: {walk.loose} entries have neither a proof nor a link to a checkpoint; they may not be in the log.")
    missed = {checkpoint.size for checkpoint in kept} - walk.compared - {manifest.checkpoint.size}
    if missed:
        say(
            f"Note: the kept checkpoints of size {listed(missed)} end with no entry of this export; they were not used."
        )


def listed(sizes: set[int], most: int = 5) -> str:
    some = ", ".join(str(size) for size in sorted(sizes)[:most])
    return some if len(sizes) <= most else f"{some} and {len(sizes) - most} more"


def verify_folder(folder: Path, given: Sequence[str], against: Path | None) -> str:
    manifest, keys = read_signed(folder, given)
    kept = read_kept(against, keys)
    checkpoints = by_size([manifest.checkpoint, *kept], manifest.origin)
    walk = walk_log(folder / "log.ndjson", manifest, checkpoints)
    check_later(manifest, kept)
    say_whose_keys(given, "export")
    say_what_is_open(walk, manifest, kept)
    order = "without a gap" if manifest.is_contiguous else "with gaps"
    return (
        f"{manifest.count} entries of {manifest.origin}, {manifest.first} to {manifest.last} {order}, "
        f"exported {moment(manifest.exported_at)} with a checkpoint of size {manifest.checkpoint.size}; "
        f"compared with {len(walk.compared)} of {len(checkpoints)} checkpoints, {walk.roots} of them by the whole tree"
    )


def verify_proof(path: Path, given: Sequence[str], against: Path | None) -> str:
    raw = read_whole(path)
    try:
        entry, checkpoint = check_decision(raw, given, against)
    except (ValueError, Bad) as error:
        raise Bad(f"{path.name}: {error}") from None
    say_whose_keys(given, "proof")
    return (
        f"entry {entry.seq} ({entry.body['kind']}, {entry.body['subject']}, {moment(entry.at)}) "
        f"stands in {checkpoint.origin} as its checkpoint of size {checkpoint.size} has it"
    )


def check_decision(raw: bytes, given: Sequence[str], against: Path | None) -> tuple[Entry, Checkpoint]:
    written, path, note, own_keys = members_of(read_json(raw), _PROOF, optional="keys")
    if not (given or own_keys):
        raise Unreadable("the proof names no key; name the log's own with --key")
    keys = known_keys(given or texts_of(own_keys))
    checkpoint = open_checkpoint(note, keys)
    entry = read_entry(written)
    if entry.proof is not None:
        raise Bad("entry has a proof of its own beside that of the file")
    check_proof(entry, nodes_of(path), checkpoint)
    checkpoints = by_size([checkpoint, *read_kept(against, keys)], checkpoint.origin)
    if entry.seq in checkpoints:
        check_head(entry, checkpoints[entry.seq])
    return entry, checkpoint


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="verify_export.py", description="Verifies an export of the log.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("folder", nargs="?", type=Path, help="an export: log.ndjson, manifest.json, manifest.sig")
    what.add_argument("--proof", type=Path, metavar="FILE", help="the proof of one decision")
    parser.add_argument("--key", action="append", default=[], help="a key of the log; may be repeated")
    parser.add_argument("--against", type=Path, metavar="CHECKPOINTS_FILE", help="checkpoints kept elsewhere")
    options = parser.parse_args(arguments)
    try:
        known_keys(options.key)
    except ValueError as error:
        parser.error(f"--key: {error}")
    verify = verify_proof if options.proof else verify_folder
    try:
        verdict = verify(options.proof or options.folder, options.key, options.against)
    except Bad as error:
        say(f"BAD: {error}")
        return 1
    except (Unreadable, OSError) as error:
        say(f"CANNOT BE READ: {error}")
        return 2
    say(f"GOOD: {verdict}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
