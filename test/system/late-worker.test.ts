import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openArray } from '../../src/entry/arrays.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { chunksIn } from '../support/folders.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const task = fileURLToPath(new URL('../support/tasks/late-fill.ts', import.meta.url))

const raw = sampleForAll()

describe('a worker that outlived its run', () => {
  for (const opens of ['worker', 'task']) {
    it(`R5: cannot write into what another run has made of the output since, through an array that the ${opens} has opened`, async () => {
      using folder = temporaryFolder()
      const { path: cwd } = folder
      const output = join(cwd, 'out.zarr', 'filled')
      const fill = (value: number) => [
        'run',
        task,
        '--folder',
        cwd,
        '--output',
        output,
        '--value',
        String(value),
        '--opens',
        opens,
      ]
      const killed = bellis([...fill(1), '--pool', 'none'], {
        cwd,
        async meanwhile({ pid }) {
          const run = await until('the run has a folder', () => runsIn(cwd)[0])
          await until('workers may join', () => existsSync(join(cwd, '.bellis', run, 'context')))
          const worker = bellis(['worker', run], {
            cwd,
            async meanwhile(child) {
              await until('a block has begun', () => existsSync(join(cwd, 'begun')))
              process.kill(pid, 'SIGKILL')
              await killed
              const next = await bellis([...fill(2), '--overwrite', '--yes', '--workers', '1'], { cwd })
              assert.equal(next.code, 0, next.stderr)
              writeFileSync(join(cwd, 'go'), '')
              await until('the late block has written', () => existsSync(join(cwd, 'late')))
              process.kill(child.pid, 'SIGKILL')
            },
          })
          await worker
        },
      })
      assert.equal((await killed).code, 'SIGKILL')
      await until('the late block has written', () => existsSync(join(cwd, 'late')))
      assert.match(readFileSync(join(cwd, 'late'), 'utf8'), /was replaced, or taken by another run/)
      await using array = await openArray(output)
      assert.deepEqual([...((await array.read(array.roi)).data as Uint8Array)], [2, 2])
    })
  }

  it('R11: hands over no block to the next start of its run if the output that it is in was removed', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const output = join(cwd, 'out.zarr', 'filled')
    const fill = ['run', task, '--folder', cwd, '--output', output, '--value', '3', '--pool', 'none', '--json']
    let worker: ReturnType<typeof bellis> | undefined
    let printed = () => ''
    await bellis(fill, {
      cwd,
      async meanwhile({ pid }) {
        const run = await until('the run has a folder', () => runsIn(cwd)[0])
        await until('workers may join', () => existsSync(join(cwd, '.bellis', run, 'context')))
        worker = bellis(['worker', run], {
          cwd,
          meanwhile: (child) => {
            printed = () => child.output.stderr
          },
        })
        await until('a block has been written', () => existsSync(join(cwd, 'begun')))
        const sessions = join(cwd, '.bellis', run, 'sessions.json')
        await until(
          'its lease is kept',
          () => existsSync(sessions) && /"blocks":\[\d/.test(readFileSync(sessions, 'utf8')),
        )
        process.kill(pid, 'SIGKILL')
      },
    })
    rmSync(join(cwd, 'out.zarr'), { recursive: true, maxRetries: 10 })
    const again = await bellis(fill, {
      cwd,
      async meanwhile() {
        await until('the worker is back', () => printed().includes('Reconnected'))
        writeFileSync(join(cwd, 'go'), '')
      },
    })
    assert.equal(again.code, 0, again.stderr)
    await using array = await openArray(output)
    assert.deepEqual([...((await array.read(array.roi)).data as Uint8Array)], [3, 3])
    assert.equal(JSON.parse(again.stdout).tasks[0].completed, 2)
    assert.equal((await worker)?.stderr.match(/Left after (\d) blocks/)?.[1], '3', (await worker)?.stderr)
  })

  it('does blocks of the next start of its run, which replaces everything', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const smooth = (...more: string[]) => [
      'smooth',
      raw,
      'out.zarr/s',
      '--sigma',
      '2',
      '--block-write',
      '4,24,24',
      ...more,
    ]
    const output = join(cwd, 'out.zarr/s')
    let worker: ReturnType<typeof bellis> | undefined
    const killed = await bellis(smooth('--pool', 'none'), {
      cwd,
      async meanwhile({ pid }) {
        const run = await until('the run has a folder', () => runsIn(cwd)[0])
        await until('workers may join', () => existsSync(join(cwd, '.bellis', run, 'context')))
        worker = bellis(['worker', run], { cwd })
        await until('blocks are done', () => chunksIn(output) > 5)
        process.kill(pid, 'SIGKILL')
      },
    })
    assert.equal(killed.code, 'SIGKILL')
    const again = await bellis(smooth('--pool', 'none', '--overwrite', '--yes', '--max-retries', '0'), { cwd })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(await hashVoxels(output), SMOOTHED)
    const { code, stderr } = (await worker) ?? {}
    assert.equal(code, 0, stderr)
    assert.match(stderr ?? '', /Reconnected as w/)
  })
})
