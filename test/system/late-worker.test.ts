import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openArray } from '../../src/entry/arrays.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

const task = fileURLToPath(new URL('../support/tasks/late-fill.ts', import.meta.url))

describe('a worker that outlived its run', () => {
  it('R5: cannot write into what another run has made of the output since', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const output = join(cwd, 'out.zarr', 'filled')
    const fill = (value: number) => ['run', task, '--folder', cwd, '--output', output, '--value', String(value)]
    const killed = bellis([...fill(1), '--pool', 'none'], {
      cwd,
      async meanwhile({ pid }) {
        const run = await until('the run has a folder', () => existsSync(join(cwd, '.bellis')) && runsIn(cwd)[0])
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
})
