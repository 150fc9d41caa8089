import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, dyingAt, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'
import { type Chance, chanceOf } from './chaos/chance.ts'
import { disturbedEnvironment } from './chaos/disturbed.ts'
import { losePower, loseRecord } from './chaos/power-cut.ts'

const raw = sampleForAll()
/** Whatever may be lost is lost. */
const unlucky: Chance = { ...chanceOf('unlucky'), happens: (probability) => probability >= 0.5 }

describe('a power cut after a run with --fsync', () => {
  it('R6: takes nothing of what the run has written', async () => {
    using folder = temporaryFolder()
    const journal = join(folder.path, 'journal')
    mkdirSync(journal)
    const env = disturbedEnvironment(join(folder.path, 'control'), journal)
    // The journal has the paths as they were given.
    const output = join(folder.path, 'out.zarr/s')
    const smooth = ['smooth', raw, output, '--sigma', '2', '--pool', 'inline', '--fsync']
    const { code, stderr } = await bellis(smooth, { cwd: folder.path, env })
    assert.equal(code, 0, stderr)
    const metadata = () => readFileSync(join(output, 'zarr.json'), 'utf8')
    const before = metadata()
    losePower(journal, unlucky)
    assert.equal(metadata(), before)
    assert.equal(await hashVoxels(output), SMOOTHED)
    const again = await bellis(smooth, { cwd: folder.path })
    assert.equal(again.code, 0, again.stderr)
    assert.match(again.stdout + again.stderr, /done before/)
  })
})

describe('a power cut after a run without --fsync', () => {
  it('R7: does not bring back that blocks are done whose output was removed, and is being made again', async () => {
    using folder = temporaryFolder()
    const journal = join(folder.path, 'journal')
    mkdirSync(journal)
    const env = disturbedEnvironment(join(folder.path, 'control'), journal)
    const smooth = ['smooth', raw, 'out.zarr/s', '--sigma', '2', '--pool', 'inline', '--block-write', '16,48,48']
    const first = await bellis(smooth, { cwd: folder.path, env })
    assert.equal(first.code, 0, first.stderr)
    const runFolder = join(folder.path, '.bellis', readdirSync(join(folder.path, '.bellis'))[0] as string)
    assert.ok(loseRecord(journal, runFolder), 'the record of a complete run is on the disk')

    rmSync(join(folder.path, 'out.zarr'), { recursive: true })
    const dying = dyingAt(0)
    const both = { ...env, ...dying, NODE_OPTIONS: `${env.NODE_OPTIONS} ${dying.NODE_OPTIONS}` }
    const second = await bellis(smooth, { cwd: folder.path, env: both })
    assert.equal(second.code, 'SIGKILL', second.stderr)
    assert.ok(loseRecord(journal, runFolder))

    const third = await bellis(smooth, { cwd: folder.path })
    assert.equal(third.code, 0, third.stderr)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/s')), SMOOTHED)
  })
})
