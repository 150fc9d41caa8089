import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readRunState } from '../../src/entry/run-state.ts'
import type { RunResult } from '../../src/runtime/run-pipeline.ts'
import { bellis, hashVoxels, runNode, temporaryFolder } from '../support/command-line.ts'

/** More of them by hand: BELLIS_TEST_KILLS=500. */
const KILLS = Number(process.env.BELLIS_TEST_KILLS ?? 60)
const WORKERS = 2

// SHA-256 of what SciPy's gaussian_filter(sigma=2, mode='constant') gives of the sample of seed 7, 32 × 192 × 192 voxels.
const SMOOTHED = '127f6960c451b1fda2914cc9ccab5f16699f354d26a8b2b2e7456bf8bcedffca'

const shared = temporaryFolder()
process.on('exit', () => shared[Symbol.dispose]())
const input = join(shared.path, 'sample.hdf/volumes/raw')

before(async () => {
  const size = ['--size', '32,192,192', '--seed', '7']
  const { code, stderr } = await bellis(['sample', 'sample.hdf', ...size, '--quiet'], { cwd: shared.path })
  assert.equal(code, 0, stderr)
})

/** Numbers from 0 to 1 that are the same in every run of the test. */
function* randomNumbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield state / 2 ** 32
  }
}

/**
 * Smooths, killed over and over, until it comes to its end; and anew, until there were enough kills.
 * @param kill how
 */
async function smoothThroughKills(seed: number, kill: (pid: number) => void) {
  using folder = temporaryFolder()
  const { path } = folder
  const random = randomNumbers(seed)
  const program = fileURLToPath(new URL('tasks/run.ts', import.meta.url))
  const config = { folder: path, input, output: 'out.zarr/soft', block: [8, 24, 24] }
  const options = { workers: WORKERS, maxRetries: 100 }
  const call = JSON.stringify({ task: 'logged-smooth.ts', config, options })
  const ran = () => (existsSync(join(path, 'ran')) ? readFileSync(join(path, 'ran'), 'utf8').split('\n').length - 1 : 0)
  let kills = 0
  let rounds = 0
  let most = 0
  while (kills < KILLS) {
    let seen = { ran: 0, recorded: 0 }
    for (;;) {
      const isLast = kills >= KILLS
      const { code, stdout, stderr } = await runNode([program, call], {
        cwd: path,
        ownGroup: true,
        meanwhile: async ({ pid }) => {
          if (isLast) return
          await delay(250 + 700 * random.next().value)
          kill(pid)
        },
      })
      if (code !== 'SIGKILL') {
        assert.equal(code, 0, stderr)
        const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as RunResult
        assert.equal(result.ok, true)
        break
      }
      kills++
      // What is recorded is there, and whole: a torn chunk could not be read.
      const [name] = existsSync(join(path, '.bellis')) ? readdirSync(join(path, '.bellis')) : []
      const state = name === undefined ? undefined : await readRunState(join(path, '.bellis', name))
      if (existsSync(join(path, 'out.zarr/soft/zarr.json'))) await hashVoxels(join(path, 'out.zarr/soft'))
      const now = { ran: ran(), recorded: state?.tasks[0]?.completed ?? 0 }
      const lost = now.ran - seen.ran - (now.recorded - seen.recorded)
      assert.ok(lost <= IN_FLIGHT, `${lost} finished blocks were not recorded when it was killed`)
      most = Math.max(most, lost)
      seen = now
    }
    assert.equal(await hashVoxels(join(path, 'out.zarr/soft')), SMOOTHED)
    rounds++
    for (const name of ['ran', 'out.zarr', '.bellis']) rmSync(join(path, name), { recursive: true })
  }
  return `${kills} kills, ${rounds} times to the end; at most ${most} blocks were lost at one of them`
}

/** Blocks that may be under way or finished and not yet recorded: of each worker a lease, and the one after it. */
const IN_FLIGHT = WORKERS * 2 * 8

describe('a smoothing whose coordinator is killed at random moments', () => {
  it('ends with every voxel equal to SciPy, and does no more again than what was in flight', async (t) => {
    const story = await smoothThroughKills(1, (pid) => process.kill(pid, 'SIGKILL'))
    t.diagnostic(story)
  })
})

describe('a smoothing that is killed with all its workers at random moments', () => {
  it('ends with every voxel equal to SciPy, and does no more again than what was in flight', async (t) => {
    const story = await smoothThroughKills(2, (pid) => process.kill(-pid, 'SIGKILL'))
    t.diagnostic(story)
  })
})
