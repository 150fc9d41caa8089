"""A script as users write it, for type checkers alone. Lines that end in "# wrong" are reported, and no others; `reveal_type` gives what
the line's comment says."""

import bellis
import bellis.daisy as daisy
import bellis.daisy.v2 as daisy2
from bellis import Roi
from typing_extensions import reveal_type

TOTAL, BLOCK = Roi((0,), (8,)), ((0,), (1,))


@bellis.task(total_roi=TOTAL, read_roi=BLOCK, fit="shrink", workers=2, writes="a.zarr", config={"sigma": 2})
def first(block: bellis.Block) -> None:
    print(block.index, block.write_roi, block.to_slices())


def make() -> dict[str, int]:
    return {}


@bellis.task(total_roi=TOTAL, read_roi=BLOCK, setup=make, requires={"gpu": 1}, timeout=2.5)
def second(block: bellis.Block, state: dict[str, int]) -> None:
    print(state["x"])


third = bellis.Task("third", lambda block: block.fail("x"), TOTAL, daisy.Roi((0,), (1,)), max_retries=0)
reveal_type(first)  # Task
reveal_type(first >> second)  # Task
reveal_type(first.replace(workers=3))  # Task
result = bellis.run(first, second, third, workers=2, resources={"gpu": 1})
reveal_type(result)  # Result
reveal_type(result["first"].failures[0].traceback)  # str
with bellis.start(first, workers=2, name="x") as run:
    reveal_type(run)  # Run
    reveal_type(run.result())  # Result
reveal_type(bellis.smooth("a", "b", sigma=(1, 2), workers=2))  # Result
reveal_type(bellis.convert("a", "b", roi=TOTAL, zarr_format=2, chunk=(64, 64, 64)))  # Result
reveal_type(bellis.downsample("a", method="mode"))  # Result
reveal_type(bellis.map("a", "b", "mask ? x : 0", inputs={"mask": "m"}, dtype="uint8"))  # Result
reveal_type(bellis.threshold("a", "b", above=3))  # Result
reveal_type(bellis.open("a").voxel_size)  # tuple[int, ...]
for block in bellis.blocks():
    reveal_type(block)  # Block

roi = daisy.Roi((0,), (1,))
reveal_type(roi)  # Roi
reveal_type(roi.grow(daisy.Coordinate(1, 2)).offset)  # Coordinate
reveal_type(daisy.Coordinate(1, 2) * 2)  # Coordinate
task = daisy.Task("t", roi, roi, roi, lambda block: print(block.read_roi), num_workers=2)
reveal_type(task)  # Task
reveal_type(daisy.run_blockwise([task]))  # RunStates
reveal_type(daisy.run_blockwise([task], return_states=False))  # bool
pipeline = daisy2.Task("t", roi, roi, roi, lambda block: None) + daisy2.Task("u", roi, roi, roi, lambda: None)
reveal_type(pipeline)  # Pipeline
reveal_type(daisy2.run_blockwise(pipeline))  # bool
reveal_type(daisy2.run_blockwise(pipeline, return_states=True))  # RunStates
reveal_type(daisy.open_ds("a", "b"))  # Array
reveal_type(daisy.open_ds("a", "b")[roi])  # Array
reveal_type(daisy.prepare_ds("a", "b", roi, (4, 4), "uint8", num_channels=2))  # Array

bellis.run(first, wrokers=2)  # wrong
bellis.start(first, wrokers=2)  # wrong
bellis.start(first, raise_on_failure=True)  # wrong
bellis.run(first, pool="slrum")  # wrong
bellis.run(print)  # wrong
bellis.smooth("a", "b", sigmaa=2)  # wrong
bellis.smooth("a", "b", workers=2.5)  # wrong
bellis.smooth("a", "b", mode="mirrored")  # wrong
bellis.convert("a", "b", zarr_format=4)  # wrong
bellis.downsample("a", dry_run=True)  # wrong
bellis.map("a", "b")  # wrong
bellis.Task("x", 3, TOTAL, BLOCK)  # wrong
bellis.Task("x", first, TOTAL, 5)  # wrong
bellis.Task("x", first, TOTAL, BLOCK, fit="grow")  # wrong
bellis.Task("x", first, TOTAL, BLOCK, writes=[3])  # wrong
first.replace(worker=2)  # wrong
bellis.task(total_roi=TOTAL, read_roi=BLOCK, retries=2)  # wrong
bellis.task(total_roi=TOTAL, read_roi=BLOCK, setup=3)  # wrong


@bellis.task(total_roi=TOTAL, read_roi=BLOCK)  # wrong
def fourth(block: int) -> None: ...


@bellis.task(total_roi=TOTAL, read_roi=BLOCK, setup=make)  # wrong
def fifth(block: bellis.Block, state: str) -> None: ...


daisy.Task("t", roi, roi, roi, lambda block: None, num_worker=2)  # wrong
daisy.run_blockwise(task, progres=True)  # wrong
daisy2.run_blockwise(pipeline, return_state=True)  # wrong
daisy.open_ds("a", 3)  # wrong
