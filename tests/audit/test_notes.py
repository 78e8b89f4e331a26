"""Checkpoints are signed notes as others write them, and nothing in one can be changed unnoticed."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from tickets.audit.notes import (
    MAX_BYTES,
    MAX_NUMBER,
    Checkpoint,
    NoteRefused,
    generate,
    key_of,
    known_keys,
    load_private,
    open_text,
    parse,
    sign,
    sign_text,
    verifier_key,
    verify,
)

# golang.org/x/mod/sumdb/note, note_test.go.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCHS_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# c2sp.org/signed-note; its key is not published.
SALVATORE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaq"
    "P3ZekRwNtIc=\n"
)

NAME = "example.com/triage"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KNOWN = known_keys([verifier_key(NAME, KEY.public_key())])
CHECKPOINT = Checkpoint(NAME, 12, bytes(range(100, 132)), "0f" * 32, 1_790_000_000_000_000)

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="+"), min_size=1, max_size=40)
numbers = st.integers(0, MAX_NUMBER)
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n"), max_size=200).map(
    "{}\n".format
)
checkpoints = st.builds(
    Checkpoint,
    names,
    numbers,
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    numbers,
)
keys = st.binary(min_size=32, max_size=32).map(Ed25519PrivateKey.from_private_bytes)


def test_a_text_signed_with_a_published_key_gives_the_published_note() -> None:
    peter = load_private(base64.b64encode(base64.b64decode(PETERS_PRIVATE)[1:]))
    assert verifier_key("PeterNeumann", peter.public_key()) == PETER
    assert sign_text(TEXT, "PeterNeumann", peter) == f"{TEXT}\n{PETERS_LINE}"


@pytest.mark.parametrize("known", [[PETER], [ENOCH], [PETER, ENOCH]])
def test_published_notes_open_with_any_of_their_keys(known: list[str]) -> None:
    assert open_text(f"{TEXT}\n{PETERS_LINE}{ENOCHS_LINE}", known_keys(known)) == TEXT


def test_the_specifications_own_note_is_understood_but_its_key_is_unknown() -> None:
    with pytest.raises(NoteRefused, match=r"quasimodo.example/salvatore\+367ba04b, none of which is a known key"):
        open_text(SALVATORE, known_keys([PETER]))


def test_a_checkpoint_has_the_lines_that_the_format_describes() -> None:
    assert CHECKPOINT.text() == (
        f"example.com/triage\n12\nZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=\nhead {'0f' * 32}\nat 1790000000000000\n"
    )
    note = sign(CHECKPOINT, NAME, KEY)
    assert note.startswith(f"{CHECKPOINT.text()}\n— {NAME} ")
    (signature,) = parse(note)[1]
    assert (signature.key, len(signature.content)) == (key_of(NAME, KEY.public_key()), 64)


@given(checkpoints, names, keys)
def test_what_is_signed_is_read_again(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> None:
    note = sign(checkpoint, name, key)
    assert parse(note)[0] == checkpoint
    assert verify(note, known_keys([verifier_key(name, key.public_key())])) == checkpoint


@given(st.one_of(st.text(max_size=200), texts), names, keys)
def test_a_text_is_signed_whole_or_not_at_all(text: str, name: str, key: Ed25519PrivateKey) -> None:
    try:
        note = sign_text(text, name, key)
    except NoteRefused:
        return
    assert open_text(note, known_keys([verifier_key(name, key.public_key())])) == text


def test_no_byte_of_a_note_can_be_another() -> None:
    note = sign(CHECKPOINT, NAME, KEY).encode()
    for place in range(len(note)):
        for byte in {note[place] ^ 1, note[place] ^ 0x20, ord("0"), ord("\n"), ord(" ")} - {note[place]}:
            changed = (note[:place] + bytes([byte]) + note[place + 1 :]).decode("utf-8", "surrogateescape")
            with pytest.raises(NoteRefused):
                verify(changed, KNOWN)


def test_no_byte_of_a_note_can_be_missing_doubled_or_added() -> None:
    note = sign(CHECKPOINT, NAME, KEY).encode()
    for place in range(len(note)):
        for changed in (note[:place] + note[place + 1 :], note[: place + 1] + note[place:]):
            with pytest.raises(NoteRefused):
                verify(changed.decode("utf-8", "surrogateescape"), KNOWN)
    for trailing in (b"\n", b" ", b"\r\n", b"\x00", b"x"):
        with pytest.raises(NoteRefused):
            verify((note + trailing).decode(), KNOWN)


@pytest.mark.parametrize(
    "body",
    [
        "example.com/triage\n012\n{root}\nhead {head}\nat 1\n",
        "example.com/triage\n+12\n{root}\nhead {head}\nat 1\n",
        "example.com/triage\n\u0661\u0662\n{root}\nhead {head}\nat 1\n",
        "example.com/triage\n9223372036854775808\n{root}\nhead {head}\nat 1\n",
        "example.com/triage\n12\n{root}\nhead {head}\nat -1\n",
        "example.com/triage\n12\n{root}\nat 1\nhead {head}\n",
        "example.com/triage\n12\n{root}\nhead {head}\n",
        "example.com/triage\n12\n{root}\nhead {head}\nat 1\nmore\n",
        "example.com/triage\n12\n{root}\nhead F{head}\nat 1\n",
        "example.com/triage\n12\nAAAA\nhead {head}\nat 1\n",
        "example.com/triage\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\nhead {head}\nat 1\n",
        "two words\n12\n{root}\nhead {head}\nat 1\n",
        "a+b\n12\n{root}\nhead {head}\nat 1\n",
    ],
)
def test_a_signed_text_that_is_not_exactly_a_checkpoint_is_refused(body: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    note = sign_text(body.format(root=root, head="0" * 64), NAME, KEY)
    with pytest.raises(NoteRefused):
        verify(note, KNOWN)


@pytest.mark.parametrize(
    "values",
    [{"origin": ""}, {"origin": "a\nb"}, {"size": -1}, {"size": 2**63}, {"root": b""}, {"head": "F" * 64}, {"at": -1}],
)
def test_a_checkpoint_that_no_note_could_carry_is_refused_before_it_is_signed(values: dict[str, object]) -> None:
    with pytest.raises(NoteRefused):
        replace(CHECKPOINT, **values)


def test_an_older_key_still_verifies_beside_a_newer_one() -> None:
    newer = known_keys([verifier_key(NAME, KEY.public_key()), verifier_key(NAME, OTHER_KEY.public_key())])
    assert verify(sign(CHECKPOINT, NAME, KEY), newer) == CHECKPOINT
    assert verify(sign(CHECKPOINT, NAME, OTHER_KEY), newer) == CHECKPOINT


def test_a_signature_by_another_key_alone_is_refused() -> None:
    with pytest.raises(NoteRefused, match="none of which is a known key"):
        verify(sign(CHECKPOINT, NAME, OTHER_KEY), KNOWN)


def test_the_same_key_under_another_name_is_another_key() -> None:
    with pytest.raises(NoteRefused, match="none of which is a known key"):
        verify(sign(CHECKPOINT, "example.com/other", KEY), KNOWN)


def test_signatures_by_unknown_keys_are_ignored() -> None:
    witness = "— witness.example/w " + base64.b64encode(b"\x00\x01\x02\x03" + bytes(2_420)).decode() + "\n"
    note = sign(CHECKPOINT, NAME, KEY)
    assert verify(note + 20 * witness, KNOWN) == CHECKPOINT
    assert verify(note.replace("\n\n", f"\n\n{witness}"), KNOWN) == CHECKPOINT


def test_one_wrong_signature_by_a_known_key_spoils_the_note() -> None:
    wrong = sign(replace(CHECKPOINT, size=13), NAME, KEY).rpartition("\n\n")[2]
    with pytest.raises(NoteRefused, match="is not that of this text"):
        verify(sign(CHECKPOINT, NAME, KEY) + wrong, KNOWN)


def test_a_signature_of_another_length_is_refused() -> None:
    note = sign(CHECKPOINT, NAME, KEY)
    encoded = note.rpartition(" ")[2].strip()
    shorter = base64.b64encode(base64.b64decode(encoded)[:-1]).decode()
    with pytest.raises(NoteRefused, match="is not that of this text"):
        verify(note.replace(encoded, shorter), KNOWN)


@pytest.mark.parametrize("text", ["", "\n", "no newline", "a\tb\n", "a\r\n", "\x00\n", "\ud800\n"])
def test_a_text_that_no_note_can_carry_is_not_signed(text: str) -> None:
    with pytest.raises((NoteRefused, UnicodeEncodeError)):
        sign_text(text, NAME, KEY)


def test_an_endless_note_is_refused() -> None:
    with pytest.raises(NoteRefused, match="at most"):
        verify(sign(CHECKPOINT, NAME, KEY) + "x" * MAX_BYTES, KNOWN)


@given(names, keys)
def test_a_verifier_key_is_read_again(name: str, key: Ed25519PrivateKey) -> None:
    written = verifier_key(name, key.public_key())
    assert {found: verifier_key(name, public) for found, public in known_keys([written]).items()} == {
        key_of(name, key.public_key()): written
    }


def test_a_verifier_key_is_refused_with_any_byte_changed_or_cut() -> None:
    for place in range(len(PETER)):
        for changed in (
            PETER[:place] + chr(ord(PETER[place]) + 1) + PETER[place + 1 :],
            PETER[:place],
            PETER[place + 1 :],
        ):
            with pytest.raises(NoteRefused):
                known_keys([changed])


@pytest.mark.parametrize(
    "written",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_published_bad_verifier_key_is_refused(written: str) -> None:
    with pytest.raises(NoteRefused):
        known_keys([written])


def test_a_generated_key_is_new_each_time_and_can_be_loaded() -> None:
    one, other = generate(), generate()
    assert one != other
    assert one.startswith(b"-----BEGIN PRIVATE KEY-----")
    loaded = load_private(one)
    seed = base64.b64encode(loaded.private_bytes_raw()) + b"\n"
    assert load_private(seed).private_bytes_raw() == loaded.private_bytes_raw()


def test_what_is_no_ed25519_key_is_refused_without_repeating_it() -> None:
    rsa = generate_private_key(public_exponent=65_537, key_size=2_048)
    for secret in (
        b"",
        b"hunter2!",
        base64.b64encode(b"x" * 31),
        rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")),
        generate().replace(b"M", b"!"),
    ):
        with pytest.raises(NoteRefused, match="private key") as refused:
            load_private(secret)
        assert not secret or secret.decode() not in str(refused.value)
