import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { equalRois, roi } from '../../../src/core/geometry/roi.ts'
import { type BlockGrid, createBlockGrid } from '../../../src/core/grid/block-grid.ts'
import type { Fit } from '../../../src/core/grid/grid-options.ts'
import { createScheduler, type Scheduler } from '../../../src/core/scheduling/scheduler.ts'
import { meets } from '../../support/grid-model.ts'

// The facts were computed by running the peer where it is right, and from its geometry where it is wrong.

type Box = readonly [readonly number[], readonly number[]]
interface FactTask {
  readonly total: Box
  readonly read: Box
  readonly write: Box
  readonly fit: Fit
  readonly conflict: boolean
}
type Offsets = readonly number[]
type FactBlock = readonly [id: number, read: Offsets, readShape: Offsets, write: Offsets, writeShape: Offsets]
interface Facts {
  readonly graph: readonly (FactTask & {
    readonly name: string
    readonly total_write: Box
    readonly num_blocks: number
    readonly num_levels: number
    readonly num_roots: number
    readonly level_stride: readonly number[]
    readonly blocks: readonly (readonly [number, ...FactBlock, readonly number[]])[]
  })[]
  readonly counts: readonly (FactTask & {
    readonly num_blocks: number
    readonly num_levels: number
    readonly level_sizes: readonly number[]
  })[]
  readonly subgraph: readonly (FactTask & {
    readonly sub_roi: Box
    readonly by_read: boolean
    readonly ids: readonly number[]
  })[]
  readonly chain: readonly Chain[]
  readonly fault: readonly (Omit<Chain, 'blocks'> & { readonly blocks?: Chain['blocks'] })[]
  readonly schedule: readonly Schedule[]
  readonly orphan_fault: {
    readonly tasks: readonly FactTask[]
    readonly edges: readonly Edge[]
    readonly max_retries: number
    readonly releases: readonly (readonly [number, number, 0 | 1])[]
    readonly expected_last: Readonly<Record<string, number>>
  }
}
type Edge = readonly [number, number]
interface Chain {
  readonly name: string
  readonly tasks: readonly FactTask[]
  readonly edges: readonly Edge[]
  readonly num_blocks: readonly number[]
  readonly blocks: readonly (readonly FactBlock[])[]
  readonly upstream: readonly {
    readonly edge: Edge
    readonly deps: readonly (readonly [number, readonly number[]])[]
  }[]
}
type Row = readonly number[]
type Step = readonly ['a', number, number | null] | readonly ['r', number, number, 0 | 1, readonly Row[] | null]
interface Schedule {
  readonly name: string
  readonly tasks: readonly FactTask[]
  readonly edges: readonly Edge[]
  readonly max_retries: number
  readonly initial: readonly Row[]
  readonly script: readonly Step[]
  readonly final: readonly Row[]
}

const here = dirname(fileURLToPath(import.meta.url))
const folder = process.env.BELLIS_TEST_FACTS ?? join(here, '../../../../shared/facts')
const file = join(folder, 'conformance.json')
const isThere = existsSync(file)
if (!isThere && process.env.CI) throw new Error(`The facts are not at ${file}; set BELLIS_TEST_FACTS to their folder.`)
const facts: Facts | undefined = isThere ? JSON.parse(readFileSync(file, 'utf8')) : undefined
const options = isThere ? {} : { skip: `no facts at ${file}; set BELLIS_TEST_FACTS to their folder` }

const gridOptions = (task: FactTask) => ({
  totalRoi: roi(...task.total),
  readRoi: roi(...task.read),
  writeRoi: roi(...task.write),
  fit: task.fit,
  readWriteConflict: task.conflict,
})

/** The peer's id of a block: the pairing number of the position that it writes. */
function peerId(grid: BlockGrid, index: number): number {
  const { offset } = grid.block(index).writeRoi
  const at = offset.map((start, axis) => Math.floor((start - grid.totalRoi.offset[axis]!) / grid.writeRoi.shape[axis]!))
  const pair = (n: number): number => {
    const sum = at.slice(0, n).reduce((total, k) => total + k, 0)
    if (n === 1) return sum
    let over = 1
    for (let k = 0; k < n; k++) over = (over * (sum + k)) / (k + 1)
    return over + pair(n - 1)
  }
  return pair(at.length)
}

/** The index of the block with each of the peer's ids. */
function indexOfIds(grid: BlockGrid): Map<number, number> {
  const indices = new Map(Array.from({ length: grid.blockCount }, (_, index) => [peerId(grid, index), index]))
  assert.equal(indices.size, grid.blockCount)
  return indices
}

function schedulerOf(tasks: readonly FactTask[], edges: readonly Edge[], maxRetries = 2): Scheduler {
  return createScheduler(
    tasks.map((task, number) => ({
      id: `task ${number}`,
      ...gridOptions(task),
      after: edges.flatMap(([up, down]) => (down === number ? [`task ${up}`] : [])),
    })),
    { maxRetries },
  )
}

const rows = (scheduler: Scheduler): number[][] =>
  scheduler.states().map((s) => [s.total, s.ready, s.processing, s.completed, s.failed, s.orphaned, s.pending])

/** The blocks that must succeed before each block, directly or indirectly, as bit sets. */
function closure(direct: readonly (readonly number[])[], order: readonly number[]): bigint[] {
  const all: bigint[] = []
  for (const index of order) {
    all[index] = direct[index]!.reduce((bits, before) => bits | (1n << BigInt(before)) | all[before]!, 0n)
  }
  return all
}

describe('the scheduler, compared with its peer where that is right', options, () => {
  it('has the same blocks, read and write Rois, levels and number of roots', () => {
    for (const fact of facts!.graph) {
      const grid = createBlockGrid(gridOptions(fact))
      assert.equal(grid.blockCount, fact.num_blocks, fact.name)
      assert.equal(grid.levelCount, fact.num_levels, fact.name)
      assert.ok(equalRois(grid.totalWriteRoi, roi(...fact.total_write)), fact.name)
      const indices = indexOfIds(grid)
      for (const [level, id, read, readShape, write, writeShape] of fact.blocks) {
        const index = indices.get(id)!
        assert.deepEqual(grid.block(index), { index, readRoi: roi(read, readShape), writeRoi: roi(write, writeShape) })
        assert.equal(grid.level(index), level, `${fact.name}: block ${index}`)
      }
      const scheduler = createScheduler([{ id: 'only', ...gridOptions(fact) }])
      assert.equal(scheduler.readyCount(), fact.num_roots, fact.name)
    }
  })

  it('orders the same pairs of blocks, by the transitive closure of the dependencies', () => {
    for (const fact of facts!.graph) {
      const grid = createBlockGrid(gridOptions(fact))
      const indices = indexOfIds(grid)
      const theirs: number[][] = []
      for (const [, id, , , , , before] of fact.blocks) theirs[indices.get(id)!] = before.map((b) => indices.get(b)!)
      const order = [...indices.values()].sort((a, b) => grid.level(a) - grid.level(b))
      const ours = order.reduce<number[][]>((all, index) => {
        all[index] = grid.dependencies(index)
        return all
      }, [])
      const [mine, peers] = [closure(ours, order), closure(theirs, order)]
      const blocks = [...grid.blocks()]
      for (const a of blocks) {
        for (const b of blocks) {
          if (a === b || !(meets(a.readRoi, b.writeRoi) || meets(b.readRoi, a.writeRoi))) continue
          const bit = 1n << BigInt(b.index)
          assert.equal(
            (mine[a.index]! & bit) !== 0n,
            (peers[a.index]! & bit) !== 0n,
            `${fact.name}: ${a.index}, ${b.index}`,
          )
        }
      }
    }
  })

  it('counts the same number of blocks in every level of the benchmark configurations', () => {
    for (const fact of facts!.counts) {
      const grid = createBlockGrid(gridOptions(fact))
      assert.equal(grid.blockCount, fact.num_blocks)
      const sizes = new Array<number>(grid.levelCount).fill(0)
      for (let index = 0; index < grid.blockCount; index++) sizes[grid.level(index)]!++
      assert.deepEqual(sizes, fact.level_sizes)
    }
  })

  it('finds the same blocks in a part of the volume', () => {
    for (const fact of facts!.subgraph) {
      const grid = createBlockGrid(gridOptions(fact))
      const part = roi(...fact.sub_roi)
      const found = fact.by_read
        ? [...grid.blocks()].flatMap(({ index, readRoi }) => (meets(readRoi, part) ? [index] : []))
        : grid.blocksMeeting(part)
      assert.deepEqual(
        found.map((index) => peerId(grid, index)).sort((a, b) => a - b),
        fact.ids,
      )
    }
  })

  it('has the same downstream blocks wait for the same upstream blocks', () => {
    for (const fact of facts!.chain) {
      const grids = fact.tasks.map((task) => createBlockGrid(gridOptions(task)))
      assert.deepEqual(
        grids.map(({ blockCount }) => blockCount),
        fact.num_blocks,
      )
      for (const [task, blocks] of fact.blocks.entries()) {
        const indices = indexOfIds(grids[task]!)
        for (const [id, read, readShape, write, writeShape] of blocks) {
          const index = indices.get(id)!
          const expected = { index, readRoi: roi(read, readShape), writeRoi: roi(write, writeShape) }
          assert.deepEqual(grids[task]!.block(index), expected)
        }
      }
      checkChain(fact)
    }
  })

  it('has the same counts after every step of the peer’s schedules, with the peer’s choice among the ready blocks', () => {
    for (const fact of facts!.schedule) {
      const scheduler = schedulerOf(fact.tasks, fact.edges, fact.max_retries)
      const indices = scheduler.taskIds.map((id) => indexOfIds(scheduler.taskGrid(id)))
      assert.deepEqual(rows(scheduler), fact.initial, fact.name)
      for (const step of fact.script) {
        const taskId = scheduler.taskIds[step[1]]!
        if (step[2] === null) {
          assert.deepEqual(scheduler.acquire(taskId), [], fact.name)
          continue
        }
        const index = indices[step[1]]!.get(step[2])!
        if (step[0] === 'a') assert.equal(scheduler.acquireBlock(taskId, index)?.index, index, fact.name)
        else {
          scheduler.release({ taskId, index }, step[3] === 1 ? 'done' : 'failed')
          if (step[4] !== null) assert.deepEqual(rows(scheduler), step[4], fact.name)
        }
      }
      assert.deepEqual(rows(scheduler), fact.final, fact.name)
      assert.ok(scheduler.isFinished())
    }
  })
})

/** Checks that each downstream block becomes ready (or waits only for its own task) after the last of its upstream blocks, not before. */
function checkChain(fact: Omit<Chain, 'blocks'>): void {
  for (const { edge, deps } of fact.upstream) {
    const [up, down] = [fact.tasks[edge[0]]!, { ...fact.tasks[edge[1]]!, conflict: false }]
    const grids = [createBlockGrid(gridOptions(up)), createBlockGrid(gridOptions(down))] as const
    const [upIndices, downIndices] = [indexOfIds(grids[0]), indexOfIds(grids[1])]
    assert.equal(deps.length, grids[1].blockCount, fact.name)
    for (const [id, awaited] of deps) {
      // The upstream task has no conflicts within itself, so its blocks can end in any order.
      const scheduler = schedulerOf([{ ...up, conflict: false }, down], [[0, 1]])
      const index = downIndices.get(id)!
      const wanted = new Set(awaited.map((before) => upIndices.get(before)!))
      for (const before of wanted) {
        assert.equal(scheduler.blockState('task 1', index), 'pending', fact.name)
        scheduler.release(scheduler.acquireBlock('task 0', before)!, 'done')
      }
      assert.equal(scheduler.blockState('task 1', index), 'ready', `${fact.name}: ${index}`)
    }
  }
}

function runToTheEnd(scheduler: Scheduler): number {
  let count = 0
  for (let blocks = scheduler.acquire(); blocks.length > 0; blocks = scheduler.acquire()) {
    scheduler.release(blocks, 'done')
    count++
  }
  assert.ok(scheduler.isFinished())
  return count
}

describe('the scheduler where its peer is wrong, on recorded facts', options, () => {
  it('follows the geometry', () => {
    for (const fact of facts!.fault) {
      if (fact.num_blocks.includes(0)) {
        assert.throws(() => schedulerOf(fact.tasks, fact.edges), { code: 'EMPTY_TOTAL_WRITE_ROI' }, fact.name)
        continue
      }
      const scheduler = schedulerOf(fact.tasks, fact.edges)
      assert.deepEqual(
        scheduler.states().map(({ total }) => total),
        fact.num_blocks,
      )
      checkChain(fact)
      assert.equal(
        runToTheEnd(scheduler),
        fact.num_blocks.reduce((sum, count) => sum + count, 0),
        fact.name,
      )
    }
  })

  it('counts every orphan once, and ends', () => {
    const fact = facts!.orphan_fault
    const scheduler = schedulerOf(fact.tasks, fact.edges, fact.max_retries)
    const indices = scheduler.taskIds.map((id) => indexOfIds(scheduler.taskGrid(id)))
    for (const [task, id, ok] of fact.releases) {
      const taskId = scheduler.taskIds[task]!
      const block = scheduler.acquireBlock(taskId, indices[task]!.get(id)!)
      assert.ok(block !== undefined)
      scheduler.release(block, ok === 1 ? 'done' : 'failed')
    }
    const last = scheduler.states().at(-1) as unknown as Record<string, number>
    for (const [name, count] of Object.entries(fact.expected_last)) assert.equal(last[name], count, name)
  })
})
