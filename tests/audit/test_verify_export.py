"""The file that an auditor runs elsewhere accepts what the log signed, and names whatever was changed since."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _cffi_backend
import cffi
import cryptography
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tickets.audit import verify_export
from tickets.audit.merkle import inclusion, leaf, root
from tickets.audit.notes import Checkpoint, sign, sign_text, verifier_key
from tickets.flow.canonical import chain_hash, encode

ORIGIN = "example.com/triage"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
OURS = ("--key", verifier_key(ORIGIN, KEY.public_key()))
WRONG_ID = f"{ORIGIN}+00000000+{OURS[1].split('+', 2)[2]}"
START = 1_790_000_000_000_000
HOUR = 3_600_000_000
Line = dict[str, Any]

# Nothing but the standard library, this one package and the file itself.
BARE = (
    "import runpy, sys; sys.path.append(sys.argv[1]); del sys.argv[:2]; runpy.run_path(sys.argv[0], None, '__main__')"
)


@dataclass
class Export:
    """What a folder is written from; a test changes a part of it before or after it is signed."""

    lines: list[Line]
    checkpoint: str
    key: Ed25519PrivateKey = KEY
    manifest: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        log = b"".join(encode(line) + b"\n" for line in self.lines)
        numbers = [line["seq"] for line in self.lines]
        described = {
            "format": "triage-export-1",
            "origin": ORIGIN,
            "filter": {},
            "contiguous": int(numbers == list(range(1, len(numbers) + 1))),
            "first": numbers[0] if numbers else 0,
            "last": numbers[-1] if numbers else 0,
            "count": len(numbers),
            "sha256": hashlib.sha256(log).hexdigest(),
            "exported_at": START + HOUR,
            "actor": "user:1",
            "checkpoint": self.checkpoint,
            "keys": [verifier_key(ORIGIN, self.key.public_key())],
        }
        write_signed(folder, described | self.manifest, self.key)
        (folder / "log.ndjson").write_bytes(log)
        return folder


def write_signed(folder: Path, manifest: dict[str, Any], key: Ed25519PrivateKey = KEY) -> None:
    raw = encode(manifest)
    (folder / "manifest.json").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.sig").write_text(sign_text(f"triage-export-1\n{digest}\n", ORIGIN, key))


def log_of(size: int, queue: str = "urgent") -> list[Line]:
    """A log with right hashes."""
    lines, previous = [], "0" * 64
    for seq in range(1, size + 1):
        content = {"schema": 1, "kind": "scored", "subject": f"ticket:{seq}", "actor": "worker:ä", "queue": queue}
        body = encode(content | {"seq": seq, "at": START + seq})
        lines.append({"seq": seq, "body": body.decode(), "prev_hash": previous, "hash": chain_hash(previous, body)})
        previous = lines[-1]["hash"]
    return lines


def nodes_of(lines: Sequence[Line]) -> list[bytes]:
    return [leaf(bytes.fromhex(line["hash"])) for line in lines]


def checkpoint_of(lines: Sequence[Line], key: Ed25519PrivateKey = KEY, **values: Any) -> str:
    at = json.loads(lines[-1]["body"])["at"]
    described = {
        "origin": ORIGIN,
        "size": len(lines),
        "root": root(nodes_of(lines)),
        "head": lines[-1]["hash"],
        "at": at,
    }
    return sign(Checkpoint(**described | values), ORIGIN, key)


def path_of(line: Line, lines: Sequence[Line]) -> list[str]:
    return [base64.b64encode(node).decode() for node in inclusion(line["seq"] - 1, nodes_of(lines))]


def kept(folder: Path, *notes: str) -> tuple[str, str]:
    """The arguments for a file of checkpoints that somebody kept."""
    path = folder / "kept.ndjson"
    path.write_text("".join(json.dumps({"note": note}) + "\n" for note in notes))
    return "--against", str(path)


def resealed(lines: list[Line], start: int) -> None:
    """Gives the lines from `start` on right hashes and links again, as somebody who rewrites a log would."""
    previous = lines[start - 1]["hash"] if start else "0" * 64
    for line in lines[start:]:
        line["prev_hash"], line["hash"] = previous, chain_hash(previous, line["body"].encode())
        previous = line["hash"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the verifier, and a folder with the one package it needs."""
    place = tmp_path_factory.mktemp("auditor")
    (place / "packages").mkdir()
    for module in (cryptography, cffi, _cffi_backend):
        source = Path(str(module.__file__))
        source = source.parent if source.name == "__init__.py" else source
        (place / "packages" / source.name).symlink_to(source)
    (place / "verify_export.py").write_bytes(Path(verify_export.__file__).read_bytes())
    return place


@pytest.fixture
def run(bare: Path) -> Callable[..., tuple[int, str]]:
    """Runs the file on a Python without the project and its packages: exit status and output."""

    def verifier(*arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-I", "-S", "-c", BARE, str(bare / "packages"), str(bare / "verify_export.py")]
        done = subprocess.run(
            [*command, *map(str, arguments)], cwd=bare, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout or done.stderr

    return verifier


@pytest.fixture
def verdict(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """The same within this process, for the many cases: exit status and output."""

    def verifier(*arguments: object) -> tuple[int, str]:
        status = verify_export.main([str(argument) for argument in arguments])
        return status, capsys.readouterr().out

    return verifier


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def lines() -> list[Line]:
    return log_of(11)


@pytest.fixture
def whole(lines: list[Line]) -> Export:
    return Export(lines, checkpoint_of(lines))


def test_a_whole_log_is_good_on_a_machine_without_the_project(run: Run, whole: Export, tmp_path: Path) -> None:
    status, said = run(whole.write(tmp_path / "export"), *OURS)
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith("GOOD: 11 entries of example.com/triage, 1 to 11 without a gap")
    assert "compared with 1 of 1 checkpoints, 1 of them by the whole tree" in said


def test_a_changed_body_is_named_on_a_machine_without_the_project(run: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    log = folder / "log.ndjson"
    log.write_bytes(log.read_bytes().replace(b'ticket:5\\"', b'ticket:6\\"'))
    status, said = run(folder, *OURS)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith(f"BAD: entry 5: hash is {whole.lines[4]['hash']}, but its bytes give ")


def test_the_machine_of_these_tests_indeed_lacks_the_project(bare: Path) -> None:
    for module in ("django", "tickets"):
        command = [sys.executable, "-I", "-S", "-c", BARE.replace("runpy.run_path", f"import {module}; runpy.run_path")]
        done = subprocess.run([*command, str(bare / "packages"), "-"], cwd=bare, capture_output=True, check=False)
        assert f"No module named '{module}'" in done.stderr.decode()


def test_without_the_one_package_it_says_so_and_calls_nothing_bad(bare: Path) -> None:
    command = [sys.executable, "-I", "-S", str(bare / "verify_export.py"), "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cryptography is missing" in done.stderr


def test_it_is_written_in_the_grammar_of_python_3_9() -> None:
    ast.parse(Path(verify_export.__file__).read_text(), feature_version=(3, 9))


def test_without_a_key_it_says_plainly_what_is_not_proven(verdict: Run, whole: Export, tmp_path: Path) -> None:
    status, said = verdict(whole.write(tmp_path / "export"))
    assert status == 0
    assert "proves only that it is consistent with itself, not who signed it" in said
    assert "consistent with itself" not in verdict(tmp_path / "export", *OURS)[1]


def test_an_older_key_beside_the_newer_one_is_accepted(verdict: Run, whole: Export, tmp_path: Path) -> None:
    newer = ("--key", verifier_key(ORIGIN, STRANGER.public_key()))
    folder = whole.write(tmp_path / "export")
    assert verdict(folder, *newer, *OURS)[0] == 0
    assert verdict(folder, *newer)[0] == 1


def test_an_export_signed_by_another_key_is_refused(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(lines, checkpoint_of(lines, STRANGER), STRANGER).write(tmp_path / "export")
    assert verdict(folder)[0] == 0
    status, said = verdict(folder, *OURS)
    assert status == 1
    assert "BAD: manifest.json: it is signed by example.com/triage+" in said


def test_a_manifest_signed_by_another_key_around_our_checkpoint_is_refused(
    verdict: Run, whole: Export, tmp_path: Path
) -> None:
    whole.key = STRANGER
    status, said = verdict(whole.write(tmp_path / "export"), *OURS)
    assert status == 1
    assert said.startswith("BAD: manifest.sig: it is signed by example.com/triage+")


def test_every_changed_member_of_the_manifest_is_found(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for name, value in manifest.items():
        other = {int: lambda old: old + 1, str: lambda old: old + "x", dict: lambda _: {"a": "b"}, list: lambda _: []}
        (folder / "manifest.json").write_bytes(encode(manifest | {name: other[type(value)](value)}))
        status, said = verdict(folder, *OURS)
        assert status == (2 if name == "format" else 1), name
        assert "manifest" in said


def test_a_manifest_that_is_not_canonical_is_refused(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    raw = (folder / "manifest.json").read_bytes()
    for changed in (
        raw + b"\n",
        raw.replace(b":", b": ", 1),
        raw[:-1] + b',"actor":"user:1"}',
        raw[:-1],
        b"[]",
        b"\xff",
    ):
        (folder / "manifest.json").write_bytes(changed)
        status, said = verdict(folder, *OURS)
        assert (status, said[:19]) == (1, "BAD: manifest.json:")


@pytest.mark.parametrize(
    ("name", "value"), [("contiguous", 2), ("filter", {"kind": 1}), ("keys", [1]), ("first", -1), ("last", 2**63)]
)
@pytest.mark.parametrize("given", [OURS, ()])
def test_a_signed_manifest_still_has_to_be_one(
    verdict: Run, whole: Export, tmp_path: Path, name: str, value: object, given: tuple[str, ...]
) -> None:
    whole.manifest = {name: value}
    status, said = verdict(whole.write(tmp_path / "export"), *given)
    assert (status, said[:19]) == (1, "BAD: manifest.json:")


def test_a_manifest_for_another_log_is_refused(verdict: Run, whole: Export, tmp_path: Path) -> None:
    whole.manifest = {"origin": "example.com/other"}
    status, said = verdict(whole.write(tmp_path / "export"), *OURS)
    assert status == 1
    assert "BAD: a checkpoint is of the log 'example.com/triage', not of 'example.com/other'" in said


def test_an_endless_manifest_is_not_read(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    (folder / "manifest.json").write_bytes(b" " * (verify_export.MAX_BYTES + 1))
    assert verdict(folder, *OURS)[0] == 2


def test_a_signature_of_another_manifest_is_refused(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    whole.manifest = {"actor": "user:2"}
    other = whole.write(tmp_path / "other")
    (other / "manifest.sig").replace(folder / "manifest.sig")
    status, said = verdict(folder, *OURS)
    assert status == 1
    assert "BAD: manifest.sig: it signs" in said


def test_a_checkpoint_smaller_than_the_last_entry_is_refused(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(lines, checkpoint_of(lines[:10])).write(tmp_path / "export")
    status, said = verdict(folder, *OURS)
    assert status == 1
    assert "last is 11, but the checkpoint has the first 10 entries alone" in said


def remove(lines: list[Line]) -> None:
    del lines[4]


def insert(lines: list[Line]) -> None:
    lines.insert(4, lines[3])


def reorder(lines: list[Line]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def cut_tail(lines: list[Line]) -> None:
    del lines[8:]


def cut_head(lines: list[Line]) -> None:
    del lines[0]


def rewrite_one(lines: list[Line]) -> None:
    lines[4]["body"] = lines[4]["body"].replace("urgent", "standard")
    lines[4]["hash"] = chain_hash(lines[4]["prev_hash"], lines[4]["body"].encode())


def renumber(lines: list[Line]) -> None:
    lines[4]["seq"] = 6


def go_back_in_time(lines: list[Line]) -> None:
    lines[4]["body"] = lines[4]["body"].replace(f'"at":{START + 5}', f'"at":{START + 3}')
    resealed(lines, 4)


def spoil_the_body(lines: list[Line]) -> None:
    lines[4]["body"] = lines[4]["body"].replace(":", ": ", 1)
    resealed(lines, 4)


def lose_a_member(lines: list[Line]) -> None:
    lines[4]["body"] = lines[4]["body"].replace('"actor"', '"actress"')
    resealed(lines, 4)


def add_a_member(lines: list[Line]) -> None:
    lines[4]["remark"] = "hello"


def begin_elsewhere(lines: list[Line]) -> None:
    lines[0]["prev_hash"] = "1" * 64
    lines[0]["hash"] = chain_hash("1" * 64, lines[0]["body"].encode())


def rewrite_to_the_end(lines: list[Line]) -> None:
    lines[4]["body"] = lines[4]["body"].replace("urgent", "standard")
    resealed(lines, 4)


TAMPERINGS = [
    (remove, "entry 6: it comes after entry 4, so entry 5 is missing"),
    (insert, "entry 4: it comes after entry 4"),
    (reorder, "entry 6: it comes after entry 4, so entry 5 is missing"),
    (cut_tail, "entry 9: it is missing; the file ends at 8, the manifest at 11"),
    (cut_head, "entry 2: it is the first one in the file, but the manifest begins with 1"),
    (rewrite_one, "entry 6: prev_hash is"),
    (renumber, "entry 6: seq is 6, but the body says 5"),
    (go_back_in_time, f"entry 5: at is {START + 3}, earlier than {START + 4} of entry 4"),
    (spoil_the_body, "entry 5: its body is no canonical JSON object"),
    (lose_a_member, "entry 5: actor is"),
    (add_a_member, "entry 5: members are missing or unknown: 'remark'"),
    (begin_elsewhere, "entry 1: prev_hash is"),
    (rewrite_to_the_end, "entry 11: hash is"),
]


@pytest.mark.parametrize(("tampering", "said"), TAMPERINGS)
@pytest.mark.parametrize("by", ["a stranger", "somebody with the key for manifests"])
def test_tampering_is_named(
    verdict: Run, whole: Export, tmp_path: Path, tampering: Callable[[list[Line]], None], said: str, by: str
) -> None:
    signed = {"contiguous": 1, "first": 1, "last": 11, "count": 11}
    if by == "a stranger":
        folder = whole.write(tmp_path / "export")
        tampering(whole.lines)
        (folder / "log.ndjson").write_bytes(b"".join(encode(line) + b"\n" for line in whole.lines))
    else:
        tampering(whole.lines)
        whole.manifest = signed
        folder = whole.write(tmp_path / "export")
    status, output = verdict(folder, *OURS)
    assert status == 1
    assert output.startswith(f"BAD: {said}")


def test_a_cut_tail_is_counted_where_gaps_are_allowed(verdict: Run, whole: Export, tmp_path: Path) -> None:
    whole.lines = whole.lines[1::2]
    folder = whole.write(tmp_path / "export")
    log = folder / "log.ndjson"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    assert "BAD: log.ndjson: it has 4 entries, but the manifest counts 5" in verdict(folder, *OURS)[1]


def test_the_same_entries_in_other_bytes_are_another_file(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    log = folder / "log.ndjson"
    log.write_bytes(log.read_bytes().replace(b'{"body":', b'{ "body":', 1))
    assert "BAD: log.ndjson: its SHA-256 is" in verdict(folder, *OURS)[1]


def test_links_are_checked_where_gaps_are_allowed(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    rewrite_one(lines)
    folder = Export(lines[3:6] + lines[8:9], checkpoint_of(log_of(11))).write(tmp_path / "export")
    assert "BAD: entry 6: prev_hash is" in verdict(folder, *OURS)[1]


def proven(lines: Sequence[Line], *numbers: int) -> list[Line]:
    """Some lines of the log, each with its proof."""
    return [lines[seq - 1] | {"proof": path_of(lines[seq - 1], lines)} for seq in numbers]


def test_some_decisions_with_their_proofs_are_good(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(proven(lines, 2, 5, 11), checkpoint_of(lines)).write(tmp_path / "export")
    status, said = verdict(folder, *OURS)
    assert status == 0
    assert said.startswith("GOOD: 3 entries of example.com/triage, 2 to 11 with gaps")


def test_an_order_is_checked_where_gaps_are_allowed(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(proven(lines, 5, 2), checkpoint_of(lines)).write(tmp_path / "export")
    assert verdict(folder, *OURS)[1].startswith("BAD: entry 2: it comes after entry 5")


def test_a_manifest_that_names_another_end_is_refused(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(proven(lines, 2, 5, 9), checkpoint_of(lines), manifest={"last": 10}).write(tmp_path / "export")
    assert "BAD: log.ndjson: it goes from 2 to 9, the manifest from 2 to 10" in verdict(folder, *OURS)[1]


def test_the_proof_of_another_entry_is_refused(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    some = proven(lines, 2, 5, 9)
    some[1]["proof"] = some[0]["proof"]
    folder = Export(some, checkpoint_of(lines)).write(tmp_path / "export")
    status, said = verdict(folder, *OURS)
    assert status == 1
    assert said.startswith("BAD: entry 5: its proof does not lead to the root of the checkpoint of size 11")


def test_an_entry_that_never_was_in_the_log_has_no_proof(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    some = proven(lines, 2, 5, 9)
    rewrite = log_of(11, "standard")[4]
    some[1] |= rewrite
    folder = Export(some, checkpoint_of(lines)).write(tmp_path / "export")
    assert verdict(folder, *OURS)[1].startswith("BAD: entry 5: its proof does not lead to the root")


def test_what_stands_in_the_log_without_proof_is_counted(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    """Entries 4 and 5 are vouched for by the proof of 6 that links to them; 2, 8 and 10 by nothing."""
    some = [lines[1], lines[3], lines[4], *proven(lines, 6), lines[7], lines[9]]
    folder = Export(some, checkpoint_of(lines)).write(tmp_path / "export")
    assert "Note: 3 entries have neither a proof nor a link to a checkpoint" in verdict(folder, *OURS)[1]


def test_a_log_rewritten_whole_is_caught_by_a_checkpoint_kept_elsewhere(
    verdict: Run, lines: list[Line], tmp_path: Path
) -> None:
    rewritten = log_of(11, "standard")
    folder = Export(rewritten, checkpoint_of(rewritten)).write(tmp_path / "export")
    assert verdict(folder, *OURS)[0] == 0
    status, said = verdict(folder, *OURS, *kept(tmp_path, checkpoint_of(lines[:3]), checkpoint_of(lines[:7])))
    assert status == 1
    assert said.startswith(f"BAD: entry 3: hash is {rewritten[2]['hash']}")
    assert lines[2]["hash"] in said


def test_a_rewritten_beginning_under_the_same_head_is_caught_by_the_root(
    verdict: Run, lines: list[Line], tmp_path: Path
) -> None:
    other_root = root(nodes_of(log_of(7, "standard")))
    folder = Export(lines, checkpoint_of(lines)).write(tmp_path / "export")
    status, said = verdict(folder, *OURS, *kept(tmp_path, checkpoint_of(lines[:7], root=other_root)))
    assert status == 1
    assert said.startswith("BAD: entry 7: the tree up to here has the root")


def test_kept_checkpoints_that_agree_are_counted(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    notes = [checkpoint_of(whole.lines[:size]) for size in (10, 1, 4)]
    status, said = verdict(folder, *OURS, *kept(tmp_path, *notes))
    assert status == 0
    assert "compared with 4 of 4 checkpoints, 4 of them by the whole tree" in said


def test_a_part_of_the_log_is_compared_by_its_heads(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(lines[3:], checkpoint_of(lines), manifest={"contiguous": 1}).write(tmp_path / "export")
    status, said = verdict(folder, *OURS, *kept(tmp_path, checkpoint_of(lines[:2]), checkpoint_of(lines[:7])))
    assert status == 0
    assert "the kept checkpoints of size 2 end with no entry of this export" in said
    assert "compared with 2 of 3 checkpoints, 0 of them by the whole tree" in said
    other = checkpoint_of(lines[:7], head="0" * 64)
    assert verdict(folder, *OURS, *kept(tmp_path, other))[1].startswith("BAD: entry 7: hash is")


def test_a_log_cut_before_the_export_is_caught_by_a_later_checkpoint(
    verdict: Run, lines: list[Line], tmp_path: Path
) -> None:
    folder = Export(lines[:8], checkpoint_of(lines[:8])).write(tmp_path / "export")
    assert verdict(folder, *OURS)[0] == 0
    status, said = verdict(folder, *OURS, *kept(tmp_path, checkpoint_of(lines)))
    assert status == 1
    assert "of size 8, but one of size 11 has entries from before the export: the end of the log is cut off" in said


def test_a_checkpoint_of_entries_after_the_export_contradicts_nothing(
    verdict: Run, lines: list[Line], tmp_path: Path
) -> None:
    earlier = {"exported_at": START + 8}
    folder = Export(lines[:8], checkpoint_of(lines[:8]), manifest=earlier).write(tmp_path / "export")
    status, said = verdict(folder, *OURS, *kept(tmp_path, checkpoint_of(lines)))
    assert status == 0
    assert "the kept checkpoints of size 11 end with no entry of this export" in said


def test_two_checkpoints_of_one_size_are_two_stories(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    stories = [checkpoint_of(log_of(20, queue)) for queue in ("urgent", "standard")]
    status, said = verdict(folder, *OURS, *kept(tmp_path, *stories))
    assert status == 1
    assert "BAD: two different checkpoints of size 20 are signed: the log was rewritten" in said


def test_kept_checkpoints_of_another_log_or_key_are_refused(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    for note in (
        checkpoint_of(whole.lines, origin="example.com/other"),
        checkpoint_of(whole.lines, STRANGER),
        "",
        "x\n",
    ):
        assert verdict(folder, *OURS, *kept(tmp_path, note))[0] == 1
    assert verdict(folder, *OURS, *kept(tmp_path))[0] == 2


@pytest.mark.parametrize("name", ["log.ndjson", "manifest.json", "manifest.sig"])
def test_no_byte_of_a_signed_export_can_be_another(verdict: Run, whole: Export, tmp_path: Path, name: str) -> None:
    file = whole.write(tmp_path / "export") / name
    content = file.read_bytes()
    for place in range(0, len(content), 3):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 7]) + content[place + 1 :])
        assert verdict(file.parent, *OURS)[0] != 0, place


def test_an_export_of_nothing_is_good(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    assert verdict(Export([], checkpoint_of(lines)).write(tmp_path / "export"), *OURS)[0] == 0


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{}\n",
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b'{"seq":' + b"9" * 100_000 + b"}\n",
        b'{"seq":1.0,"body":"","hash":"","prev_hash":""}\n',
        b'{"seq":true,"body":"","hash":"","prev_hash":""}\n',
        b'{"seq":1,"seq":1,"body":"","hash":"","prev_hash":""}\n',
        b'{"seq":1,"body":"\\ud800","hash":"' + b"0" * 64 + b'","prev_hash":"' + b"0" * 64 + b'"}\n',
        b'{"seq":1,"body":null,"hash":"' + b"0" * 64 + b'","prev_hash":"' + b"0" * 64 + b'"}\n',
        b"x" * (verify_export.MAX_BYTES + 1) + b"\n",
        b"no newline",
        b"\x1b[2J\n",
    ],
    ids=range(15),
)
def test_whatever_stands_in_the_file_there_is_a_verdict(
    verdict: Run, whole: Export, tmp_path: Path, line: bytes
) -> None:
    folder = whole.write(tmp_path / "export")
    (folder / "log.ndjson").write_bytes(line)
    status, said = verdict(folder, *OURS)
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("BAD: ")
    assert said.strip().isprintable()


@pytest.mark.parametrize("body", [b"[" * 5_000 + b"]" * 5_000, b"{}", b"[]", b'{"a":1.5}', b'{"a":"\\ud800"}', b"x"])
def test_a_body_with_a_right_hash_still_has_to_be_one(verdict: Run, tmp_path: Path, body: bytes) -> None:
    line = {"seq": 1, "body": body.decode(), "prev_hash": "0" * 64, "hash": chain_hash("0" * 64, body)}
    folder = Export([line], checkpoint_of(log_of(1))).write(tmp_path / "export")
    status, said = verdict(folder, *OURS)
    assert (status, said[:12]) == (1, "BAD: entry 1")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (b'"seq":1,', "a member is there twice"),
        (b'"more":1.5,', "1.5 is no integer"),
        (b'"more":NaN,', "NaN is no integer"),
        (b'"more":' + b"1" * 200 + b",", "is no integer that a log holds"),
    ],
)
def test_json_that_programs_read_unalike_is_refused(
    verdict: Run, whole: Export, tmp_path: Path, member: bytes, said: str
) -> None:
    folder = whole.write(tmp_path / "export")
    log = folder / "log.ndjson"
    log.write_bytes(log.read_bytes().replace(b'{"body"', b"{" + member + b'"body"', 1))
    status, output = verdict(folder, *OURS)
    assert status == 1
    assert said in output


def test_what_cannot_be_read_is_told_from_what_is_bad(verdict: Run, whole: Export, tmp_path: Path) -> None:
    folder = whole.write(tmp_path / "export")
    assert verdict(tmp_path / "nowhere", *OURS)[0] == 2
    assert verdict(folder, *OURS, "--against", tmp_path / "nowhere")[0] == 2
    for name in ("log.ndjson", "manifest.json", "manifest.sig"):
        (folder / name).rename(tmp_path / name)
        status, said = verdict(folder, *OURS)
        assert (status, name in said) == (2, True)
        (tmp_path / name).rename(folder / name)


@pytest.mark.parametrize(
    "arguments", [[], ["a", "b"], ["a", "--proof", "b"], ["a", "--key", "nonsense"], ["a", "--key", WRONG_ID]]
)
def test_wrong_arguments_are_refused_with_the_status_for_them(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        verify_export.main(arguments)
    assert stopped.value.code == 2


@pytest.fixture
def proof(lines: list[Line]) -> dict[str, Any]:
    return {"entry": lines[4], "proof": path_of(lines[4], lines), "checkpoint": checkpoint_of(lines)}


def proof_in(folder: Path, proof: dict[str, Any]) -> tuple[str, str]:
    path = folder / "proof.json"
    path.write_bytes(encode(proof))
    return "--proof", str(path)


def test_the_proof_of_one_decision_is_good_on_a_machine_without_the_project(
    run: Run, proof: dict[str, Any], tmp_path: Path
) -> None:
    status, said = run(*proof_in(tmp_path, proof), *OURS)
    assert (status, said.count("\n")) == (0, 1)
    assert said.startswith("GOOD: entry 5 (scored, ticket:5, ")


def test_the_proof_of_one_decision_in_a_large_log_is_small(verdict: Run, tmp_path: Path) -> None:
    lines = log_of(5_000)
    proof = {"entry": lines[1_234], "proof": path_of(lines[1_234], lines), "checkpoint": checkpoint_of(lines)}
    assert verdict(*proof_in(tmp_path, proof), *OURS)[0] == 0
    assert len(encode(proof)) - len(encode(lines[1_234])) < 1_100


def test_a_proof_without_a_key_names_none_or_its_own(verdict: Run, proof: dict[str, Any], tmp_path: Path) -> None:
    assert verdict(*proof_in(tmp_path, proof))[0] == 2
    status, said = verdict(*proof_in(tmp_path, proof | {"keys": [OURS[1]]}))
    assert status == 0
    assert "the keys are the proof's own" in said


def test_a_proof_of_something_else_than_hashes_is_refused(verdict: Run, proof: dict[str, Any], tmp_path: Path) -> None:
    """Else the bytes of two neighbouring nodes could be divided between them anew."""
    assert "holds something that is no hash" in verdict(*proof_in(tmp_path, proof | {"proof": ["AAAA"]}), *OURS)[1]


def test_an_altered_proof_of_one_decision_is_refused(
    verdict: Run, proof: dict[str, Any], lines: list[Line], tmp_path: Path
) -> None:
    rewritten = log_of(11, "standard")
    for change in (
        {"entry": lines[5]},
        {"entry": rewritten[4]},
        {"entry": lines[4] | {"proof": proof["proof"]}},
        {"entry": lines[4] | {"body": "{}"}},
        {"proof": proof["proof"][:-1]},
        {"proof": [*proof["proof"], proof["proof"][0]]},
        {"proof": ["AAAA"]},
        {"proof": [1]},
        {"checkpoint": checkpoint_of(rewritten)},
        {"checkpoint": checkpoint_of(lines[:4])},
        {"checkpoint": checkpoint_of(lines, STRANGER)},
        {"checkpoint": proof["checkpoint"].replace("\n11\n", "\n12\n")},
        {"more": 1},
    ):
        status, said = verdict(*proof_in(tmp_path, proof | change), *OURS)
        assert (status, said[:16]) == (1, "BAD: proof.json:"), change


def test_the_proof_of_one_decision_is_held_against_kept_checkpoints(
    verdict: Run, proof: dict[str, Any], lines: list[Line], tmp_path: Path
) -> None:
    rewritten = log_of(11, "standard")
    arguments = (*proof_in(tmp_path, proof), *OURS)
    assert verdict(*arguments, *kept(tmp_path, checkpoint_of(lines), checkpoint_of(lines[:5])))[0] == 0
    assert verdict(*arguments, *kept(tmp_path, checkpoint_of(rewritten)))[0] == 1
    assert verdict(*arguments, *kept(tmp_path, checkpoint_of(rewritten[:5])))[0] == 1


def test_the_end_of_time_is_no_crash(verdict: Run, lines: list[Line], tmp_path: Path) -> None:
    folder = Export(lines, checkpoint_of(lines), manifest={"exported_at": 2**63 - 1}).write(tmp_path / "export")
    assert verdict(folder, *OURS)[0] == 0


def test_control_characters_of_a_file_do_not_reach_the_terminal(verdict: Run, tmp_path: Path) -> None:
    body = encode({"schema": 1, "seq": 1, "at": START, "kind": "\x1b[2J", "subject": "\u202e", "actor": "a"})
    line = {"seq": 1, "body": body.decode(), "prev_hash": "0" * 64, "hash": chain_hash("0" * 64, body)}
    proof = {"entry": line, "proof": [], "checkpoint": checkpoint_of([line])}
    status, said = verdict(*proof_in(tmp_path, proof), *OURS)
    assert status == 0
    assert said.strip().isascii()
    assert said.strip().isprintable()
