"""Blocks as Daisy has them."""

from __future__ import annotations

from enum import Enum
from math import comb
from typing import Any, Sequence

from .geometry import Roi


class BlockStatus(Enum):
    CREATED = 0
    PROCESSING = 1
    SUCCESS = 2
    FAILED = 3


def cantor_number(coordinate: Sequence[int]) -> int:
    """The number of a point of a grid: points nearer to the origin (by the sum of their coordinates) come first.

    The generalised pairing function of Cantor, as in funlib.math: a sum of figurate numbers.
    """
    numbers = [int(number) for number in coordinate]
    total = 0
    for axes in range(1, len(numbers) + 1):
        total += comb(sum(numbers[:axes]) + axes - 1, axes)
    return total


class Block:
    """One block: `block_id` is its task and its number, `read_roi` and `write_roi` are world units."""

    def __init__(
        self,
        total_roi: Roi,
        read_roi: Roi,
        write_roi: Roi,
        block_id: int | None = None,
        task_id: str | None = None,
        *,
        block_shape: Sequence[int] | None = None,
    ) -> None:
        self.read_roi = read_roi
        self.write_roi = write_roi
        self.requested_write_roi = write_roi
        self.task_id = task_id
        shape = write_roi.shape if block_shape is None else block_shape
        if block_id is None:
            starts = zip(write_roi.offset, total_roi.offset, shape)
            block_id = cantor_number([(start - first) // length for start, first, length in starts])
        self.block_id: tuple[str | None, int] = (task_id, block_id)
        self.status = BlockStatus.CREATED

    def __repr__(self) -> str:
        task_id, number = self.block_id
        return f"{task_id}/{number} with read ROI {self.read_roi} and write ROI {self.write_roi}"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Block) and self.block_id == other.block_id

    def __hash__(self) -> int:
        return hash(self.block_id)
