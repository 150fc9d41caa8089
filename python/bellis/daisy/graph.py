"""Which blocks wait for which: the order of the engine, computed from positions in the grid."""

from __future__ import annotations

import itertools
from typing import Any, Iterable, Iterator, Sequence

from .._client import Roi as OwnRoi
from .._options import Fit
from .._task import as_roi
from .block import Block
from .geometry import Coordinate, Roi, grid_of, to_funlib
from .task import BaseTask, Tasks, pipeline_of


class BlockwiseDependencyGraph:
    """The blocks of one task, and which of them must not run together.

    Levels are numbered from the blocks that go first. A block is `upstream` of another one if it goes before it, since
    one of the two reads what the other one writes.
    """

    def __init__(
        self,
        task_id: str,
        block_read_roi: Roi,
        block_write_roi: Roi,
        read_write_conflict: bool,
        fit: Fit,
        total_read_roi: Roi | None = None,
        total_write_roi: Roi | None = None,
    ) -> None:
        self.task_id = task_id
        self.read_write_conflict = read_write_conflict
        self.fit: Fit = fit
        self.block_read_roi, self.block_write_roi = block_read_roi, block_write_roi
        read, write = as_roi(block_read_roi, "block_read_roi"), as_roi(block_write_roi, "block_write_roi")
        self._lower = [w - r for r, w in zip(read.offset, write.offset)]
        self._upper = [r - w for r, w in zip(read.end, write.end)]
        self.total_read_roi = self._total_read_roi(total_read_roi, total_write_roi)
        self._grid = grid_of(self.total_read_roi, block_read_roi, block_write_roi, fit)
        total = as_roi(self.total_read_roi, "total_read_roi")
        written = total.grow([-low for low in self._lower], [-high for high in self._upper])
        self._start = written.offset
        self.total_write_roi = to_funlib(written)
        self._step = write.shape
        reach = [
            [min(-(-amount // step), count - 1) if read_write_conflict else 0 for amount, step, count in zip(context, write.shape, self._grid.shape)]
            for context in (self._lower, self._upper)
        ]
        self._below, self._above = reach
        self._stride = [max(below, above) + 1 for below, above in zip(*reach)]

    def _total_read_roi(self, read: Roi | None, write: Roi | None) -> Roi:
        if write is None:
            if read is None:
                raise ValueError("Either total_read_roi or total_write_roi is needed.")
            return read
        grown = as_roi(write, "total_write_roi").grow(self._lower, self._upper)
        if read is not None and as_roi(read, "total_read_roi") != grown:
            raise ValueError(f"total_read_roi {read} and total_write_roi {write} do not differ by the context of a block.")
        return to_funlib(grown)

    @property
    def num_blocks(self) -> int:
        return self._grid.count

    @property
    def num_levels(self) -> int:
        count = 1
        for stride in self._stride:
            count *= stride
        return count

    def num_roots(self) -> int:
        return self._count_in(0)

    def _count_in(self, level: int) -> int:
        count = 1
        for residue, stride, blocks in zip(self._residues(level), self._stride, self._grid.shape):
            count *= len(range(residue, blocks, stride))
        return count

    def root_gen(self) -> Iterator[Block]:
        """The blocks that wait for no other of the task."""
        return self.level_blocks(0)

    def level_blocks(self, level: int) -> Iterator[Block]:
        """The blocks of a level, which may run together."""
        ranges = [range(residue, blocks, stride) for residue, blocks, stride in zip(self._residues(level), self._grid.shape, self._stride)]
        return map(self._block, itertools.product(*ranges))

    def _residues(self, level: int) -> list[int]:
        rest = self.num_levels - 1 - level
        residues = []
        for stride in reversed(self._stride):
            rest, residue = divmod(rest, stride)
            residues.append(residue)
        return residues[::-1]

    def _level(self, at: Sequence[int]) -> int:
        place = 0
        for position, stride in zip(at, self._stride):
            place = place * stride + position % stride
        return self.num_levels - 1 - place

    def _block(self, at: Sequence[int]) -> Block:
        index = 0
        for position, count in zip(at, self._grid.shape):
            index = index * count + position
        read, write = self._grid.rois(index)
        return Block(self.total_read_roi, to_funlib(read), to_funlib(write), task_id=self.task_id, block_shape=self._step)

    def _place(self, block: Block) -> list[int]:
        offset = as_roi(block.write_roi, "write_roi").offset
        return [(position - start) // step for position, start, step in zip(offset, self._start, self._step)]

    def _conflicting(self, block: Block, is_earlier: bool) -> list[Block]:
        at = self._place(block)
        level = self._level(at)
        far = [max(below, above) for below, above in zip(self._below, self._above)]
        ranges = [range(max(0, k - reach), min(count, k + reach + 1)) for k, reach, count in zip(at, far, self._grid.shape)]
        found = []
        for other in itertools.product(*ranges):
            step = [there - here for there, here in zip(other, at)]
            is_read = all(-below <= d <= above for d, below, above in zip(step, self._below, self._above))
            reads = all(-above <= d <= below for d, below, above in zip(step, self._below, self._above))
            other_level = self._level(other)
            if (is_read or reads) and (other_level < level if is_earlier else other_level > level):
                found.append(self._block(other))
        return found

    def upstream(self, block: Block) -> list[Block]:
        """The blocks of the task that go before a block that conflicts with them."""
        return self._conflicting(block, True)

    def downstream(self, block: Block) -> list[Block]:
        """The blocks of the task that go after a block that conflicts with them."""
        return self._conflicting(block, False)

    def enumerate_all_dependencies(self) -> Iterator[tuple[Block, list[Block]]]:
        """Each block with those upstream of it, in the order of levels."""
        for level in range(self.num_levels):
            for block in self.level_blocks(level):
                yield block, self.upstream(block)

    def get_subgraph_blocks(self, sub_roi: Roi, read_roi: bool = False) -> list[Block]:
        """The blocks that write in a Roi; with `read_roi`, those that read there."""
        region = as_roi(sub_roi, "sub_roi")
        begin, end = list(region.offset), list(region.end)
        if read_roi:
            begin = [low - more for low, more in zip(begin, self._upper)]
            end = [high + more for high, more in zip(end, self._lower)]
        if any(low >= high for low, high in zip(begin, end)):
            return []
        ranges = [
            range(max(0, (low - start) // step), min(count, -((start - high) // step)))
            for low, high, start, step, count in zip(begin, end, self._start, self._step, self._grid.shape)
        ]
        return [self._block(at) for at in itertools.product(*ranges)]


class DependencyGraph:
    """The blocks of tasks, and which of them wait for which."""

    def __init__(self, tasks: Tasks) -> None:
        pipeline = pipeline_of(tasks)
        ordered = pipeline.ordered()
        self.task_map = {task.task_id: task for task in ordered}
        self.upstream_tasks = {task.task_id: {before.task_id for before in pipeline.upstream(task)} for task in ordered}
        self.downstream_tasks: dict[str, set[str]] = {task_id: set() for task_id in self.task_map}
        for task_id, before in self.upstream_tasks.items():
            for each in before:
                self.downstream_tasks[each].add(task_id)
        self.task_dependency_graphs = {task.task_id: _graph_of(task) for task in ordered}

    @property
    def task_ids(self) -> Iterable[str]:
        return self.task_map.keys()

    def num_blocks(self, task_id: str) -> int:
        return self.task_dependency_graphs[task_id].num_blocks

    def upstream(self, block: Block) -> list[Block]:
        """The blocks that a block waits for: those of its task, and those that write what it reads."""
        assert block.task_id is not None
        found = self.task_dependency_graphs[block.task_id].upstream(block)
        for task_id in self.upstream_tasks[block.task_id]:
            found.extend(self.task_dependency_graphs[task_id].get_subgraph_blocks(block.read_roi))
        return sorted(found, key=_number)

    def downstream(self, block: Block) -> list[Block]:
        """The blocks that wait for a block: those of its task, and those that read what it writes."""
        assert block.task_id is not None
        found = self.task_dependency_graphs[block.task_id].downstream(block)
        for task_id in self.downstream_tasks[block.task_id]:
            found.extend(self.task_dependency_graphs[task_id].get_subgraph_blocks(block.write_roi, read_roi=True))
        return sorted(found, key=_number)

    def root_tasks(self) -> list[str]:
        return [task_id for task_id, before in self.upstream_tasks.items() if not before]

    def num_roots(self, task_id: str) -> int:
        return self.task_dependency_graphs[task_id].num_roots()

    def root_gen(self, task_id: str) -> Iterator[Block]:
        return self.task_dependency_graphs[task_id].root_gen()

    def roots(self) -> dict[str, tuple[int, Iterator[Block]]]:
        return {task_id: (self.num_roots(task_id), self.root_gen(task_id)) for task_id in self.root_tasks()}


def _number(block: Block) -> int:
    return block.block_id[1]


def _graph_of(task: BaseTask) -> BlockwiseDependencyGraph:
    return BlockwiseDependencyGraph(
        task.task_id, task.read_roi, task.write_roi, task.read_write_conflict, task.fit, total_read_roi=task.total_roi
    )


def expand_roi_to_grid(sub_roi: Roi, total_roi: Roi, read_roi: Roi, write_roi: Roi) -> Roi:
    """A Roi, grown until it consists of whole write Rois of the grid of a task."""
    total, read, write = (as_roi(roi, "roi") for roi in (total_roi, read_roi, write_roi))
    start = [t + w - r for t, r, w in zip(total.offset, read.offset, write.offset)]
    return _aligned(as_roi(sub_roi, "sub_roi"), start, write.shape)


def expand_write_roi_to_grid(roi: Roi, write_roi: Roi) -> Roi:
    """A Roi, grown until it consists of whole write Rois, counted from 0."""
    write = as_roi(write_roi, "write_roi")
    return _aligned(as_roi(roi, "roi"), [0] * len(write.shape), write.shape)


def _aligned(roi: OwnRoi, start: Sequence[int], step: Sequence[int]) -> Roi:
    begin = [first + (low - first) // length * length for low, first, length in zip(roi.offset, start, step)]
    end = [first - (first - high) // length * length for high, first, length in zip(roi.end, start, step)]
    return to_funlib(OwnRoi(tuple(begin), tuple(high - low for low, high in zip(begin, end))))
