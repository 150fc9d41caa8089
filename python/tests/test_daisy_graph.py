"""The order of blocks: the graphs and the scheduler under Daisy's names."""

import random
import unittest

import bellis
import bellis.daisy as daisy
from bellis.daisy import Block, BlockStatus, Roi
from bellis.daisy.scheduler import Scheduler


def any_task(chance: random.Random, task_id: str = "t", axes: int = 0, **options: object) -> daisy.Task:
    """A task of one to three axes, with a context that may differ on each side."""
    axes = axes or chance.randint(1, 3)
    step = [chance.randint(1, 3) for _ in range(axes)]
    lower, upper = ([chance.randint(0, 4) for _ in range(axes)] for _ in range(2))
    total = [chance.randint(length, 8 // axes * length + 2) + low + high for length, low, high in zip(step, lower, upper)]
    start = [chance.randint(-9, 9) for _ in range(axes)]
    return daisy.Task(
        task_id,
        Roi(start, total),
        Roi([-low for low in lower], [low + length + high for low, length, high in zip(lower, step, upper)]),
        Roi([0] * axes, step),
        lambda block: None,
        fit=chance.choice(["valid", "shrink", "overhang"]),
        max_retries=0,
        **options,
    )


def graph_of(task: daisy.Task) -> daisy.BlockwiseDependencyGraph:
    return daisy.DependencyGraph([task]).task_dependency_graphs[task.task_id]


def meet(first: Roi, second: Roi) -> bool:
    return all(a < d and c < b for a, b, c, d in zip(first.begin, first.end, second.begin, second.end))


def conflict(one: Block, other: Block) -> bool:
    return meet(one.read_roi, other.write_roi) or meet(other.read_roi, one.write_roi)


class Graph(unittest.TestCase):
    def test_orders_exactly_the_blocks_of_which_one_reads_what_the_other_writes(self) -> None:
        chance = random.Random(17)
        for _ in range(60):
            task = any_task(chance)
            graph = graph_of(task)
            levels = [list(graph.level_blocks(level)) for level in range(graph.num_levels)]
            blocks = [block for level in levels for block in level]
            self.assertEqual((len(blocks), len(set(blocks))), (graph.num_blocks, graph.num_blocks))
            self.assertEqual([len(level) for level in levels][0], graph.num_roots())
            level_of = {block: number for number, level in enumerate(levels) for block in level}
            for block, upstream in graph.enumerate_all_dependencies():
                others = [other for other in blocks if other != block and conflict(block, other)]
                self.assertEqual(set(upstream), {other for other in others if level_of[other] < level_of[block]})
                self.assertEqual(set(graph.downstream(block)), set(others) - set(upstream), task.fit)

    def test_finds_the_blocks_that_write_or_read_in_a_region(self) -> None:
        chance = random.Random(18)
        for _ in range(60):
            graph = graph_of(any_task(chance, axes=2))
            blocks = [block for level in range(graph.num_levels) for block in graph.level_blocks(level)]
            region = Roi([chance.randint(-12, 12) for _ in range(2)], [chance.randint(0, 9) for _ in range(2)])
            writing = {block for block in blocks if meet(block.write_roi, region)}
            self.assertEqual(set(graph.get_subgraph_blocks(region)), writing if region.size else set())
            if graph.fit != "shrink" and region.size:
                reading = {block for block in blocks if meet(block.read_roi, region)}
                self.assertEqual(set(graph.get_subgraph_blocks(region, read_roi=True)), reading)

    def test_can_be_made_of_what_is_written(self) -> None:
        rois = Roi((0,), (5,)), Roi((1,), (2,))
        by_read = daisy.BlockwiseDependencyGraph("t", *rois, True, "valid", total_read_roi=Roi((-1,), (9,)))
        by_write = daisy.BlockwiseDependencyGraph("t", *rois, True, "valid", total_write_roi=Roi((0,), (6,)))
        self.assertEqual(by_read.total_write_roi, Roi((0,), (6,)))
        self.assertEqual(by_write.total_read_roi, Roi((-1,), (9,)))
        self.assertEqual(set(by_read.root_gen()), set(by_write.root_gen()))
        for wrong in ({}, {"total_read_roi": Roi((0,), (9,)), "total_write_roi": Roi((0,), (9,))}):
            with self.assertRaises(ValueError):
                daisy.BlockwiseDependencyGraph("t", *rois, True, "valid", **wrong)

    def test_of_tasks_knows_what_waits_for_what(self) -> None:
        chance = random.Random(19)
        for _ in range(20):
            first = any_task(chance, "first", 1, read_write_conflict=False)
            second = any_task(chance, "second", 1, read_write_conflict=False, upstream_tasks=[first])
            graph = daisy.DependencyGraph([second])
            self.assertEqual((graph.root_tasks(), graph.upstream_tasks["second"]), (["first"], {"first"}))
            writers, readers = (list(graph.task_dependency_graphs[name].level_blocks(0)) for name in ("first", "second"))
            for reader in readers:
                self.assertEqual(set(graph.upstream(reader)), {w for w in writers if meet(w.write_roi, reader.read_roi)})
            for writer in writers:
                waiting = {reader for reader in readers if writer in graph.upstream(reader)}
                self.assertTrue(waiting <= set(graph.downstream(writer)))

    def test_refuses_a_write_roi_that_is_not_inside_the_read_roi(self) -> None:
        with self.assertRaisesRegex(ValueError, "not inside read_roi"):
            daisy.BlockwiseDependencyGraph("t", Roi((0,), (2,)), Roi((1,), (2,)), True, "valid", Roi((0,), (9,)))

    def test_expands_regions_to_whole_blocks(self) -> None:
        rois = Roi((-5, 0), (100, 100)), Roi((0, 0), (12, 10)), Roi((1, 0), (10, 10))
        self.assertEqual(daisy.expand_roi_to_grid(Roi((0, 3), (10, 8)), *rois), Roi((-4, 0), (20, 20)))
        self.assertEqual(daisy.expand_write_roi_to_grid(Roi((-1, 3), (10, 8)), Roi((0, 0), (10, 10))), Roi((-10, 0), (20, 20)))


class OfTheEngine(unittest.TestCase):
    def test_hands_out_the_blocks_that_the_graph_says_wait_for_nothing(self) -> None:
        chance = random.Random(20)
        for _ in range(15):
            task = any_task(chance)
            scheduler = Scheduler([task])
            graph = scheduler.dependency_graph
            waiting = {block for block, _ in graph.task_dependency_graphs["t"].enumerate_all_dependencies()}
            done: set[Block] = set()
            while waiting:
                ready = {block for block in waiting if set(graph.upstream(block)) <= done}
                self.assertEqual(scheduler.task_states["t"].ready_count, len(ready))
                given = [scheduler.acquire_block("t") for _ in ready]
                self.assertEqual(set(given), ready)
                self.assertIsNone(scheduler.acquire_block("t"))
                for block in given:
                    block.status = BlockStatus.SUCCESS
                    scheduler.release_block(block)
                done |= ready
                waiting -= ready
            self.assertTrue(scheduler.task_states["t"].is_done())

    def test_counts_retries_failures_and_orphans(self) -> None:
        task = daisy.Task("t", Roi((0,), (4,)), Roi((0,), (3,)), Roi((1,), (1,)), lambda block: None, max_retries=1)
        scheduler = Scheduler([task])
        for _ in range(2):
            block = scheduler.acquire_block("t")
            block.status = BlockStatus.FAILED
            scheduler.release_block(block)
        state = scheduler.task_states["t"]
        self.assertEqual((state.failed_count, state.orphaned_count, state.pending_count), (1, 1, 0))

    def test_skips_what_the_check_function_says_is_done(self) -> None:
        rois = Roi((0,), (6,)), Roi((0,), (1,)), Roi((0,), (1,))
        task = daisy.Task("t", *rois, lambda block: None, lambda block: block.write_roi.offset[0] != 4, read_write_conflict=False)
        scheduler = Scheduler(task)
        self.assertEqual([ready.task_id for ready in scheduler.get_ready_tasks()], ["t"])
        block = scheduler.acquire_block("t")
        self.assertEqual(block.write_roi, Roi((4,), (1,)))
        self.assertIsNone(scheduler.acquire_block("t"))
        self.assertEqual(scheduler.task_states["t"].skipped_count, 5)
        with self.assertRaisesRegex(RuntimeError, "expected SUCCESS or FAILED"):
            scheduler.release_block(block)
        block.status = BlockStatus.SUCCESS
        self.assertEqual(scheduler.release_block(block), {})
        with self.assertRaisesRegex(RuntimeError, "not handed out"):
            scheduler.release_block(block)

    def test_refuses_what_the_engine_refuses(self) -> None:
        empty = daisy.Task("t", Roi((0,), (2,)), Roi((0,), (5,)), Roi((1,), (3,)), lambda block: None)
        with self.assertRaisesRegex(ValueError, "there is nothing to write"):
            Scheduler([empty])
        outside = daisy.Task("t", Roi((0,), (20,)), Roi((0,), (5,)), Roi((4,), (3,)), lambda block: None)
        with self.assertRaisesRegex(ValueError, "write_roi .* is not inside read_roi"):
            Scheduler([outside])
        with self.assertRaises(KeyError):
            Scheduler([any_task(random.Random(1))]).acquire_block("other")

    def test_leaves_the_engine_to_the_next_run(self) -> None:
        for _ in range(3):
            self.assertIsNotNone(Scheduler([any_task(random.Random(2))]).acquire_block("t"))
        seen: list[int] = []
        task = bellis.Task("t", lambda block: seen.append(block.index), ((0,), (3,)), ((0,), (1,)))
        self.assertTrue(bellis.run(task, workers=0))
        self.assertEqual(seen, [0, 1, 2])


if __name__ == "__main__":
    unittest.main()
