import assert from 'node:assert/strict'
import { appendFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createArray, openArray } from '../../src/entry/index.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { untilAsync } from '../support/drive.ts'
import { smallDiskOrSkip } from '../support/folders.ts'

const task = fileURLToPath(new URL('../support/tasks/gated-chain.ts', import.meta.url))
const SHAPE = [32, 64, 64]
/** The number of blocks of 4 × 16 × 16 voxels. */
const BLOCKS = 128
/** The number of recorded blocks when the disk gets full. */
const FIRST = 10

/** Fills the rest of a disk. @returns the file that fills it */
function fill(disk: string): string {
  const file = join(disk, 'others.bin')
  const page = new Uint8Array(4096)
  try {
    for (;;) appendFileSync(file, page)
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
  return file
}

describe('a run whose record can no longer be written', () => {
  it('a run whose record cannot be written stops with the reason, does not start again until it can, and loses nothing recorded', async (t) => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    using disk = smallDiskOrSkip(t, cwd, '16m')
    if (disk === undefined) return
    const values = Uint8Array.from({ length: 32 * 64 * 64 }, (_, i) => i % 151)
    const options = { shape: SHAPE, dtype: 'uint8', chunkShape: [4, 16, 16], voxelSize: [40, 4, 4] } as const
    await using raw = await createArray(join(cwd, 'in.zarr/raw'), options)
    await raw.write(raw.roi, values)

    const where = ['--folder', cwd, '--input', 'in.zarr/raw', '--output', 'out.zarr/sum', '--run-dir', 'disk']
    const run = (more: readonly string[], meanwhile?: () => Promise<void>) =>
      bellis(['run', task, '--task', 'step', ...where, '--workers', '2', ...more], {
        cwd,
        ...(meanwhile === undefined ? {} : { meanwhile }),
      })
    const openGate = (blocks: number) => writeFileSync(join(cwd, 'gate-step'), String(blocks))
    const recorded = async (): Promise<number> => {
      const { stdout } = await bellis(['runs', '--json', '--run-dir', 'disk'], { cwd })
      return JSON.parse(stdout)[0]?.tasks[0].completed ?? 0
    }

    openGate(FIRST)
    let filler = ''
    const stopped = await run([], async () => {
      await untilAsync('the first blocks are recorded', async () => (await recorded()) === FIRST)
      filler = fill(disk.path)
      openGate(BLOCKS)
    })
    assert.equal(stopped.code, 1, stopped.stderr)
    const errors = stopped.stderr.split('\n').filter((line) => line.startsWith('bellis:'))
    assert.equal(errors.length, 1, stopped.stderr)
    const reason =
      /the run was stopped: The progress in disk\/step-[\w-]+\/progress\.sqlite can't be written: the disk is full/
    assert.match(errors[0] ?? '', reason)
    assert.match(stopped.stderr, /To continue: bellis run .*gated-chain\.ts /)
    assert.doesNotMatch(stopped.stderr, /\n {4}at |internal/)

    const refused = async (message: RegExp) => {
      const { code, stdout, stderr } = await run([])
      assert.deepEqual([code, stdout, stderr.split('\n').length], [2, '', 2], stderr)
      assert.match(stderr, message)
      assert.equal(await recorded(), FIRST)
    }
    await refused(
      /^bellis: The .*disk\/step-[\w-]+.* can't be written: the disk is full; free some space: what was recorded is safe/,
    )
    rmSync(filler)
    disk.remount('ro')
    await refused(
      /^bellis: The run's folder disk\/step-[\w-]+ can't be written: the file system is read-only; make it writable:/,
    )
    disk.remount('rw')

    const completed = await run(['--json'])
    assert.equal(completed.code, 0, completed.stderr)
    const [step] = JSON.parse(completed.stdout).tasks
    assert.deepEqual([step.total, step.completed, step.skipped], [BLOCKS, BLOCKS, FIRST])
    await using sum = await openArray(join(cwd, 'out.zarr/sum'))
    const { data } = await sum.read(sum.roi)
    // Compared as one value: describing a difference of so many numbers would take hours.
    assert.ok(
      Buffer.compare(
        data as Uint8Array,
        values.map((value) => value + 100),
      ) === 0,
    )
  })
})
