"""A Merkle tree that grows leaf by leaf, by the roots of its complete subtrees alone."""

from __future__ import annotations

from tickets.audit import merkle


class Frontier:
    """size: leaves so far. The same root as `merkle.root` of them all, in memory that grows with their logarithm."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []  # largest first

    def append(self, node: bytes) -> None:
        place = self.size
        while place & 1:
            node, place = merkle.parent(self._subtrees.pop(), node), place >> 1
        self._subtrees.append(node)
        self.size += 1

    def root(self) -> bytes:
        if not self._subtrees:
            return merkle.EMPTY
        computed = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            computed = merkle.parent(subtree, computed)
        return computed
