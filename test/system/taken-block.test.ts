import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseContext, showContext } from '../../src/adapters/links/context.ts'
import { ResourceStack } from '../../src/core/resource-stack.ts'
import { openArray } from '../../src/entry/arrays.ts'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { oneWayProxy } from '../support/one-way-proxy.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

const task = fileURLToPath(new URL('../support/tasks/taken-fill.ts', import.meta.url))

describe('a block that was taken from its worker', () => {
  for (const [pool, opens, isDeaf] of [
    ['none', 'both', false],
    ['none', 'both', true],
    ['inline', 'worker', false],
  ] as const) {
    const how = `--pool ${pool}${isDeaf ? ', and nothing reaches its worker any more' : ''}`
    it(`R5: writes nothing more into a chunk that it shares, although its run goes on (${how})`, async () => {
      using folder = temporaryFolder()
      await using open = new ResourceStack()
      const { path: cwd } = folder
      const output = join(cwd, 'out.zarr', 'filled')
      const flags = [
        '--folder',
        cwd,
        '--output',
        output,
        '--opens',
        opens,
        '--pool',
        pool,
        '--timeout',
        '3',
        '--max-retries',
        '99',
      ]
      const inFolder = (name: string) => join(cwd, name)
      const workers: Promise<unknown>[] = []
      const { code, stderr } = await bellis(['run', task, ...flags], {
        cwd,
        async meanwhile() {
          if (pool === 'none') {
            const run = await until('the run has a folder', () => runsIn(cwd)[0])
            await until('workers may join', () => existsSync(join(cwd, '.bellis', run, 'context')))
            const context = parseContext(readFileSync(join(cwd, '.bellis', run, 'context'), 'utf8').trim())
            const proxy = open.use(await oneWayProxy(context.port))
            const env = { BELLIS_CONTEXT: showContext({ ...context, port: proxy.port }) }
            const leave = async ({ pid }: { readonly pid: number }) => {
              await until('the late block has tried to write', () => existsSync(inFolder('late')))
              // It never learns that the run is over.
              if (isDeaf) process.kill(pid, 'SIGKILL')
            }
            workers.push(bellis(['worker'], { cwd, env, meanwhile: leave }))
            await until('a block has begun', () => existsSync(inFolder('begun')))
            if (isDeaf) proxy.deafen()
            workers.push(bellis(['worker', run], { cwd }))
          }
          await until('the neighbour has written', () => existsSync(inFolder('neighbour')))
          writeFileSync(inFolder('go'), '')
          await until('the late block has tried to write', () => existsSync(inFolder('late')))
          writeFileSync(inFolder('end'), '')
        },
      })
      await Promise.all(workers)
      assert.equal(code, 0, stderr)
      assert.match(readFileSync(inFolder('late'), 'utf8'), /taken from its worker.*writes nothing more/)
      await using array = await openArray(output)
      assert.deepEqual([...((await array.read(array.roi)).data as Uint8Array)], [10, 20])
    })
  }
})
