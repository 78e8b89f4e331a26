"""Merkle trees over the log as in RFC 9162, section 2.1, with SHA-256: what it takes to prove that the log only grew.

The data of a leaf is the 32-byte chain hash of an entry. Nodes are 32-byte hashes, and indexes count from 0: entry
`seq` is leaf `seq - 1`. Every function takes nodes of one level, the last of which may stand for fewer leaves than the
others, so a complete subtree can stand for its leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

TILE = 1_024
EMPTY = hashlib.sha256(b"").digest()


def leaf(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(nodes: Sequence[bytes]) -> bytes:
    """The hash over all nodes; that of nothing is SHA-256 of nothing."""
    level = nodes
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else EMPTY


def inclusion(index: int, nodes: Sequence[bytes]) -> list[bytes]:
    """The path from node `index` to the root, nearest first. Raises IndexError outside the tree."""
    if not 0 <= index < len(nodes):
        raise IndexError(f"leaf {index} is not in a tree of {len(nodes)}")
    path = []
    level = nodes
    while len(level) > 1:
        if (sibling := index ^ 1) < len(level):
            path.append(level[sibling])
        level, index = _parents(level), index >> 1
    return path


def consistency(first_size: int, nodes: Sequence[bytes]) -> list[bytes]:
    """What proves that the tree of the first `first_size` nodes is a beginning of this one; nothing for the same size.

    Raises IndexError unless 0 < first_size <= len(nodes).
    """
    if not 0 < first_size <= len(nodes):
        raise IndexError(f"a tree of {first_size} is no beginning of a tree of {len(nodes)}")
    if first_size == len(nodes):
        return []
    level, index = nodes, first_size - 1
    while index % 2:
        level, index = _parents(level), index >> 1
    # Where the first tree is one complete subtree, the verifier has this node: it is the first root.
    start = [level[index]] if index else []
    return start + inclusion(index, level)


def verify_inclusion(index: int, size: int, node: bytes, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether the path leads from the node to the root of a tree of `size`: RFC 9162, section 2.1.3.2.

    Size and root come from one checkpoint: a path alone does not tell trees of some neighbouring sizes apart.
    """
    if not 0 <= index < size:
        return False
    position, last, computed = index, size - 1, node
    for sibling in path:
        if last == 0:
            return False
        if position % 2 or position == last:
            computed = parent(sibling, computed)
            position, last = _up_to_right_child(position, last)
        else:
            computed = parent(computed, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and computed == expected_root


def verify_consistency(
    first_size: int, second_size: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the first tree is a beginning of the second: RFC 9162, section 2.1.4.2.

    The RFC leaves out equal sizes: there the proof is empty and the roots are equal.
    """
    if not 0 < first_size <= second_size:
        return False
    if first_size == second_size:
        return not proof and first_root == second_root
    if not proof:
        return False
    nodes = [first_root, *proof] if first_size.bit_count() == 1 else list(proof)
    position, last = first_size - 1, second_size - 1
    while position % 2:
        position, last = position >> 1, last >> 1
    first = second = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            return False
        if position % 2 or position == last:
            first, second = parent(sibling, first), parent(sibling, second)
            position, last = _up_to_right_child(position, last)
        else:
            second = parent(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first == first_root and second == second_root


def root_with_tiles(tiles: Sequence[bytes], rest: Sequence[bytes]) -> bytes:
    """The root of a tree from the roots of its complete tiles and the fewer than TILE leaves after them.

    It is the plain root, since the RFC splits at the largest power of two smaller than the size: never within a tile
    while there is more than one.
    """
    return root(_level_of_tiles(tiles, rest))


def inclusion_with_tiles(
    index: int, size: int, tiles: Sequence[bytes], leaves_of: Callable[[int], Sequence[bytes]]
) -> list[bytes]:
    """The path of leaf `index` in the tree of the first `size` leaves, which may be fewer than there are by now.

    tiles: the roots of at least the complete tiles of that tree. leaves_of: the leaves of tile `number`, counted from
    0; asked for the leaf's own tile and the last partial one alone. Raises IndexError outside the tree.
    """
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} is not in a tree of {size}")
    complete, over = divmod(size, TILE)
    number, within = divmod(index, TILE)
    rest = leaves_of(complete)[:over] if over else ()
    own = rest if number == complete else leaves_of(number)
    return inclusion(within, own) + inclusion(number, _level_of_tiles(tiles[:complete], rest))


def _level_of_tiles(tiles: Sequence[bytes], rest: Sequence[bytes]) -> list[bytes]:
    return [*tiles, root(rest)] if rest else list(tiles)


def _parents(level: Sequence[bytes]) -> list[bytes]:
    parents = [parent(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
    # The last of an odd number has no sibling, and stands for itself one level up.
    return [*parents, level[-1]] if len(level) % 2 else parents


def parent(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _up_to_right_child(position: int, last: int) -> tuple[int, int]:
    """Up past the levels where the node has no sibling and stands for itself."""
    while position and position % 2 == 0:
        position, last = position >> 1, last >> 1
    return position, last
