"""A Merkle tree that grows leaf by leaf, by the roots of its complete subtrees alone."""

from __future__ import annotations

from collections.abc import Iterable

from tickets.audit import merkle


class Frontier:
    """size: leaves so far. The same root as `merkle.root` of them all, in memory that grows with their logarithm."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # largest first

    @classmethod
    def from_tiles(cls, tiles: Iterable[bytes]) -> Frontier:
        """The tree of the first 1,024 leaves for each tile, from the roots of its tiles."""
        frontier = cls()
        for tile in tiles:
            frontier.append_tile(tile)
        return frontier

    def append(self, node: bytes) -> None:
        self._append(node, 1)

    def append_tile(self, node: bytes) -> None:
        """The root of the next 1,024 leaves. Call while the size is a multiple of that."""
        self._append(node, merkle.TILE)

    def _append(self, node: bytes, leaves: int) -> None:
        """A complete subtree of so many leaves: a power of two that divides the size."""
        place = self.size // leaves
        while place & 1:
            node, place = merkle.parent(self._subtrees.pop(), node), place >> 1
        self._subtrees.append(node)
        self.size += leaves

    def root(self) -> bytes:
        if not self._subtrees:
            return merkle.EMPTY
        computed = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            computed = merkle.parent(subtree, computed)
        return computed
