// Only the scheduling core: acquire and release of every block on one thread. Run: node bench/scheduler.ts [case…]
import { roi } from '../src/core/geometry/roi.ts'
import { BlockScheduler, OUTCOME_CODE } from '../src/core/scheduling/block-scheduler.ts'
import { createScheduler, type Scheduler } from '../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../src/core/scheduling/scheduler-task.ts'
import { randomNumbers } from './scale/random.ts'

// Blocks/s of daisy 1.2.3 without workers on a comparable machine.
const PEER_FREE = 1.0e4
const PEER_CONFLICTS = 9e2

const cube = (id: string, side: number, context: number, more: Partial<SchedulerTask> = {}): SchedulerTask => ({
  id,
  totalRoi: roi(
    [0, 0, 0],
    [side, side, side].map((blocks) => 64 * blocks + 2 * context),
  ),
  readRoi: roi(
    [0, 0, 0],
    [64, 64, 64].map((length) => length + 2 * context),
  ),
  writeRoi: roi([context, context, context], [64, 64, 64]),
  ...more,
})

interface Measured {
  readonly blocks: number
  readonly seconds: number
  /** processor time, with garbage collection and compilation: the figure to compare on a machine with other load */
  readonly cpuSeconds: number
  /** peak size of block states */
  readonly bytes: number
}

const cpuSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

/** Whether this attempt of a block fails. */
type Fails = (index: number) => boolean

/** Acquires and releases until nothing is ready or `limit` blocks are done, through the interface of numbers. */
function drive(scheduler: BlockScheduler, lease: number, limit = Number.POSITIVE_INFINITY, fails?: Fails): Measured {
  const indices = new Float64Array(lease)
  const outcomes = new Uint8Array(lease)
  let blocks = 0
  let bytes = 0
  let look = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let task = scheduler.nextTask(); task >= 0 && blocks < limit; task = scheduler.nextTask()) {
    const count = scheduler.acquireInto(task, lease, indices)
    if (fails === undefined) scheduler.releaseMany(task, indices, count, 'done')
    else {
      for (let n = 0; n < count; n++) outcomes[n] = fails(indices[n]!) ? OUTCOME_CODE.failed : OUTCOME_CODE.done
      scheduler.releaseMany(task, indices, count, outcomes)
    }
    blocks += count
    if (blocks >= look) {
      bytes = Math.max(bytes, scheduler.bytesInUse)
      look += 10_000
    }
  }
  return { blocks, seconds: (performance.now() - start) / 1000, cpuSeconds: cpuSince(cpu), bytes }
}

/** The same through the interface of objects. */
function driveObjects(scheduler: Scheduler, lease: number): Measured {
  let blocks = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  for (let held = scheduler.acquire(undefined, lease); held.length > 0; held = scheduler.acquire(undefined, lease)) {
    scheduler.release(held, 'done')
    blocks += held.length
  }
  return {
    blocks,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: cpuSince(cpu),
    bytes: 0,
  }
}

function best(times: number, run: () => Measured): Measured {
  const all = Array.from({ length: times }, run)
  return all.reduce((a, b) => (b.cpuSeconds < a.cpuSeconds ? b : a))
}

function print(name: string, { blocks, seconds, cpuSeconds, bytes }: Measured, total: number, peer?: number): void {
  const rate = blocks / seconds
  const ratio = peer === undefined ? '' : `${Math.round(rate / peer)} × peer`
  const perCpu = `(${(blocks / cpuSeconds).toExponential(2)} per CPU second)`
  const perBlock = bytes === 0 ? '' : `${(bytes / total).toFixed(3)} bytes/block`
  console.log(`${name.padEnd(54)} ${rate.toExponential(2)} blocks/s ${perCpu}  ${perBlock.padEnd(18)} ${ratio}`)
}

/** A bitmap in which the first blocks are done, as after an interrupted run. */
function firstDone(count: number, share: number): Uint8Array {
  return new Uint8Array(Math.ceil(count / 8)).fill(255, 0, Math.floor((count / 8) * share))
}

/** A bitmap in which all but one in a hundred blocks are done; the others are spread at random. */
function mostlyDone(count: number): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(count / 8)).fill(255)
  const random = randomNumbers(2)
  for (let n = 0; n < count / 100; n++) {
    const index = Math.floor(random() * count)
    bitmap[index >> 3]! &= ~(1 << (index & 7))
  }
  return bitmap
}

const chain = (): SchedulerTask[] => [
  cube('one', 100, 64),
  cube('two', 100, 64, { after: ['one'] }),
  cube('three', 100, 64, { after: ['two'] }),
]

const cases: Record<string, () => void> = {
  free: () => {
    const tasks = () => [cube('free', 100, 0, { readWriteConflict: false })]
    for (const lease of [1, 64])
      print(
        `10^6 blocks, no conflict, leases of ${lease}`,
        best(5, () => drive(new BlockScheduler(tasks()), lease)),
        1e6,
        PEER_FREE,
      )
    print(
      '  with objects, leases of 64',
      best(3, () => driveObjects(createScheduler(tasks()), 64)),
      1e6,
      PEER_FREE,
    )
  },
  conflicts: () => {
    const tasks = () => [cube('conflicts', 100, 64)]
    for (const lease of [1, 64])
      print(
        `10^6 blocks, 26 neighbours, leases of ${lease}`,
        best(5, () => drive(new BlockScheduler(tasks()), lease)),
        1e6,
        PEER_CONFLICTS,
      )
    print(
      '  with objects, leases of 64',
      best(3, () => driveObjects(createScheduler(tasks()), 64)),
      1e6,
      PEER_CONFLICTS,
    )
  },
  chain: () => {
    for (const lease of [1, 64])
      print(
        `chain of 3 × 10^6, context of one block, leases of ${lease}`,
        best(3, () => drive(new BlockScheduler(chain()), lease)),
        3e6,
      )
  },
  failures: () => {
    const kinds: Record<string, () => Fails> = {
      '1 % of attempts fail': () => {
        const random = randomNumbers(1)
        return () => random() < 0.01
      },
      '1 % of blocks always fail': () => (index) => (Math.imul(index + 1, 0x9e3779b1) >>> 0) / 2 ** 32 < 0.01,
    }
    for (const lease of [1, 64]) {
      const without = best(5, () => drive(new BlockScheduler([cube('failing', 100, 64)]), lease))
      for (const [name, fails] of Object.entries(kinds)) {
        const run = () => new BlockScheduler([cube('failing', 100, 64)])
        const last = run()
        drive(last, lease, undefined, fails())
        const { completed, failed, orphaned } = last.counts()[0]!
        const measured = best(5, () => drive(run(), lease, undefined, fails()))
        print(`${name}, 2 retries, leases of ${lease}`, measured, 1e6, PEER_CONFLICTS)
        const slower = measured.cpuSeconds / without.cpuSeconds
        const ends = `completed ${completed}, failed ${failed}, orphaned ${orphaned}`
        console.log(`  ${slower.toFixed(2)} × the CPU time of a run without failures; ${ends}`)
      }
    }
  },
  billion: () => {
    const start = performance.now()
    const scheduler = new BlockScheduler([cube('billion', 1000, 64)])
    scheduler.counts()
    const first = new Float64Array(1)
    scheduler.acquireInto(0, 1, first)
    console.log(`10^9 blocks, 26 neighbours: first block after ${(performance.now() - start).toFixed(2)} ms`)
    scheduler.releaseMany(0, first, 1, 'done')
    for (const lease of [1, 64])
      print(`  the next 10^7, leases of ${lease}`, drive(scheduler, lease, 1e7), 1e7, PEER_CONFLICTS)
    console.log(`  resident memory ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB`)
  },
  resume: () => {
    const spread = mostlyDone(464 * 464 * 464)
    const resumed = (share: number) => cube('resumed', 464, 64, { done: firstDone(464 ** 3, share) })
    const runs: Record<string, SchedulerTask[]> = {
      'conflicts, remaining blocks at random': [cube('resumed', 464, 64, { done: spread })],
      'no conflict, remaining blocks at random': [cube('resumed', 464, 0, { done: spread, readWriteConflict: false })],
      'conflicts, the first 99 %': [resumed(0.99)],
      'conflicts, the first 1 %': [resumed(0.01)],
      'chain of 2, the first 1 % of one': [resumed(0.01), cube('next', 464, 64, { after: ['resumed'] })],
    }
    for (const [name, tasks] of Object.entries(runs)) {
      const start = performance.now()
      const scheduler = new BlockScheduler(tasks)
      const first = new Float64Array(1)
      const task = scheduler.nextTask()
      scheduler.acquireInto(task, 1, first)
      const afterFirst = performance.now() - start
      const { total, completed } = scheduler.counts()[0]!
      const counted = performance.now() - start
      console.log(
        `${total} blocks, ${((100 * completed) / total).toFixed(2)} % done, ${name}: first block after ${afterFirst.toFixed(1)} ms; ${tasks.reduce((sum, _, n) => sum + scheduler.task(n).readyCount, 0)} ready blocks, or more, known after ${counted.toFixed(0)} ms`,
      )
      scheduler.releaseMany(task, first, 1, 'done')
      if (completed > 0.9 * total) print('  remaining blocks, leases of 64', drive(scheduler, 64), total)
    }
  },
}

const wanted = process.argv.slice(2)
for (const [name, run] of Object.entries(cases)) if (wanted.length === 0 || wanted.includes(name)) run()
