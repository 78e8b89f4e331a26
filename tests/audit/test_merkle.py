"""Merkle trees agree with the published vectors and the RFC's definition, and no altered proof verifies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tickets.audit.merkle import (
    EMPTY,
    TILE,
    consistency,
    inclusion,
    inclusion_with_tiles,
    leaf,
    root,
    root_with_tiles,
    verify_consistency,
    verify_inclusion,
)

# The inputs, roots and paths that implementations of Certificate Transparency share:
# github.com/transparency-dev/merkle, testonly/constants.go and proof/verify_test.go.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCIES = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
# Deep enough for every shape of a split, and for sizes around several powers of two.
sizes = st.integers(1, 140)
tiled_sizes = st.one_of(
    st.integers(0, 5 * TILE), st.sampled_from([0, 1, TILE - 1, TILE, TILE + 1, 3 * TILE, 4 * TILE, 4 * TILE + 1])
)


def hash_of(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def leaves(size: int) -> list[bytes]:
    return [leaf(hash_of(str(number).encode())) for number in range(size)]


def split(size: int) -> int:
    """The largest power of two smaller than the size."""
    return 1 << (size - 1).bit_length() - 1


def mth(nodes: Sequence[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, word by word, over hashed leaves."""
    if not nodes:
        return hash_of(b"")
    if len(nodes) == 1:
        return nodes[0]
    k = split(len(nodes))
    return hash_of(b"\x01", mth(nodes[:k]), mth(nodes[k:]))


def path(m: int, nodes: Sequence[bytes]) -> list[bytes]:
    """RFC 9162, section 2.1.3.1."""
    if len(nodes) == 1:
        return []
    k = split(len(nodes))
    return [*path(m, nodes[:k]), mth(nodes[k:])] if m < k else [*path(m - k, nodes[k:]), mth(nodes[:k])]


def subproof(m: int, nodes: Sequence[bytes], is_whole: bool) -> list[bytes]:
    """RFC 9162, section 2.1.4.1."""
    if m == len(nodes):
        return [] if is_whole else [mth(nodes)]
    k = split(len(nodes))
    if m <= k:
        return [*subproof(m, nodes[:k], is_whole), mth(nodes[k:])]
    return [*subproof(m - k, nodes[k:], False), mth(nodes[:k])]


def flipped(value: bytes, bit: int) -> bytes:
    changed = bytearray(value)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def tiles_of(nodes: Sequence[bytes]) -> list[bytes]:
    return [root(nodes[start : start + TILE]) for start in range(0, len(nodes) - TILE + 1, TILE)]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_the_published_ones(size: int) -> None:
    assert root([leaf(bytes.fromhex(data)) for data in INPUTS[:size]]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSIONS)
def test_the_inclusion_paths_are_the_published_ones(index: int, size: int) -> None:
    nodes = [leaf(bytes.fromhex(data)) for data in INPUTS[:size]]
    found = inclusion(index, nodes)
    assert [node.hex() for node in found] == INCLUSIONS[index, size]
    assert verify_inclusion(index, size, nodes[index], found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CONSISTENCIES)
def test_the_consistency_proofs_are_the_published_ones(first: int, second: int) -> None:
    nodes = [leaf(bytes.fromhex(data)) for data in INPUTS[:second]]
    found = consistency(first, nodes)
    assert [node.hex() for node in found] == CONSISTENCIES[first, second]
    assert verify_consistency(first, second, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second]), found)


@given(sizes)
def test_the_root_follows_the_definition(size: int) -> None:
    assert root(leaves(size)) == mth(leaves(size))


@given(sizes, st.data())
def test_every_inclusion_follows_the_definition_and_verifies(size: int, data: st.DataObject) -> None:
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    found = inclusion(index, nodes)
    assert found == path(index, nodes)
    assert verify_inclusion(index, size, nodes[index], found, root(nodes))


@given(sizes, st.data())
def test_every_consistency_follows_the_definition_and_verifies(size: int, data: st.DataObject) -> None:
    nodes, first = leaves(size), data.draw(st.integers(1, size))
    found = consistency(first, nodes)
    assert found == subproof(first, nodes, True)
    assert verify_consistency(first, size, root(nodes[:first]), root(nodes), found)


@given(sizes, st.data())
def test_no_inclusion_verifies_with_one_bit_changed(size: int, data: st.DataObject) -> None:
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    parts = [nodes[index], root(nodes), *inclusion(index, nodes)]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    assert not verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(sizes, st.data())
def test_no_inclusion_verifies_for_another_index(size: int, data: st.DataObject) -> None:
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(-2, size + 2))
    assume(other != index)
    assert not verify_inclusion(other, size, nodes[index], inclusion(index, nodes), root(nodes))


@given(sizes, st.data())
def test_no_inclusion_verifies_with_a_node_more_or_less(size: int, data: st.DataObject) -> None:
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    found = inclusion(index, nodes)
    where = data.draw(st.integers(0, len(found)))
    assert not verify_inclusion(index, size, nodes[index], [*found[:where], EMPTY, *found[where:]], root(nodes))
    assert not found or not verify_inclusion(index, size, nodes[index], found[:-1], root(nodes))


@given(sizes, sizes, st.data())
def test_no_inclusion_verifies_against_the_root_of_another_size(size: int, other: int, data: st.DataObject) -> None:
    assume(size != other)
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    found = inclusion(index, nodes)
    assert not verify_inclusion(index, other, nodes[index], found, root(leaves(other)))


@given(sizes, st.data())
def test_no_inclusion_verifies_under_a_size_that_needs_a_longer_path(size: int, data: st.DataObject) -> None:
    nodes, index = leaves(size), data.draw(st.integers(0, size - 1))
    larger = data.draw(st.integers(2 * size, 4 * size))
    assert not verify_inclusion(index, larger, nodes[index], inclusion(index, nodes), root(nodes))


@given(st.integers(2, 140), st.data())
def test_no_consistency_verifies_with_one_bit_changed(size: int, data: st.DataObject) -> None:
    nodes, first = leaves(size), data.draw(st.integers(1, size))
    parts = [root(nodes[:first]), root(nodes), *consistency(first, nodes)]
    which = data.draw(st.integers(0, len(parts) - 1))
    parts[which] = flipped(parts[which], data.draw(st.integers(0, 255)))
    assert not verify_consistency(first, size, parts[0], parts[1], parts[2:])


@given(st.integers(2, 140), st.data())
def test_no_consistency_verifies_for_another_first_size(size: int, data: st.DataObject) -> None:
    nodes, first = leaves(size), data.draw(st.integers(1, size))
    other = data.draw(st.integers(-1, size + 1))
    assume(other != first)
    assert not verify_consistency(other, size, root(nodes[:first]), root(nodes), consistency(first, nodes))


@given(st.integers(2, 140), st.data())
def test_no_consistency_verifies_with_a_node_more_or_less(size: int, data: st.DataObject) -> None:
    nodes, first = leaves(size), data.draw(st.integers(1, size))
    found, ends = consistency(first, nodes), (root(nodes[:first]), root(nodes))
    where = data.draw(st.integers(0, len(found)))
    assert not verify_consistency(first, size, *ends, [*found[:where], EMPTY, *found[where:]])
    assert not found or not verify_consistency(first, size, *ends, found[:-1])


@given(st.integers(2, 140), st.data())
def test_a_rewritten_beginning_is_never_consistent(size: int, data: st.DataObject) -> None:
    nodes, first = leaves(size), data.draw(st.integers(1, size))
    rewritten = list(nodes)
    rewritten[data.draw(st.integers(0, first - 1))] = EMPTY
    proof = consistency(first, rewritten)
    assert not verify_consistency(first, size, root(nodes[:first]), root(rewritten), proof)


@given(sizes)
def test_a_tree_is_consistent_with_itself_and_with_no_other_of_its_size(size: int) -> None:
    nodes = leaves(size)
    assert verify_consistency(size, size, root(nodes), root(nodes), [])
    assert not verify_consistency(size, size, root(nodes), EMPTY, [])
    assert not verify_consistency(size, size, root(nodes), root(nodes), [EMPTY])


def test_there_is_no_proof_outside_the_tree() -> None:
    for outside in (-1, 3):
        with pytest.raises(IndexError, match="not in a tree of 3"):
            inclusion(outside, leaves(3))
        with pytest.raises(IndexError, match="not in a tree of 3"):
            inclusion_with_tiles(outside, 3, [], lambda _: leaves(3))
    for outside in (0, 4):
        with pytest.raises(IndexError, match="no beginning"):
            consistency(outside, leaves(3))


@given(tiled_sizes)
def test_the_root_from_tiles_is_the_plain_root(size: int) -> None:
    nodes = leaves(size)
    assert root_with_tiles(tiles_of(nodes), nodes[size - size % TILE :]) == root(nodes)


@given(tiled_sizes, st.data())
def test_the_inclusion_from_tiles_is_the_plain_one(more: int, data: st.DataObject) -> None:
    nodes = leaves(more + 1)
    size = data.draw(st.integers(1, more + 1))
    index = data.draw(st.integers(0, size - 1))
    asked = []

    def leaves_of(tile: int) -> Sequence[bytes]:
        asked.append(tile)
        return nodes[tile * TILE : (tile + 1) * TILE]

    found = inclusion_with_tiles(index, size, tiles_of(nodes), leaves_of)
    assert found == inclusion(index, nodes[:size])
    assert set(asked) <= {index // TILE, size // TILE}
    assert len(asked) == len(set(asked))


def test_a_million_leaves_have_a_root() -> None:
    size = 1_000_000
    nodes = leaves(size)
    whole = root(nodes)
    assert root_with_tiles(tiles_of(nodes), nodes[size - size % TILE :]) == whole
    assert verify_inclusion(777_777, size, nodes[777_777], inclusion(777_777, nodes), whole)
    assert verify_consistency(600_001, size, root(nodes[:600_001]), whole, consistency(600_001, nodes))
