import assert from 'node:assert/strict'
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runBlockwise } from '../../../src/entry/run.ts'
import { resetRun } from '../../../src/entry/run-folder/reset-run.ts'
import type { ProgressStore } from '../../../src/ports/progress-store.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { line } from '../../support/inline-run.ts'
import { type MemoryPlace, memoryProgress } from '../../support/memory-progress.ts'

/** A store whose records can be cleared only some times, as if the process was killed then. */
function dyingStore(stored: MemoryPlace, clears: number): ProgressStore {
  const store = memoryProgress(stored)
  let left = clears
  return {
    ...store,
    async open(identity, options) {
      const record = await store.open(identity, options)
      return {
        ...record,
        async clear(task, blocks) {
          if (left-- === 0) throw new Error('killed')
          await record.clear(task, blocks)
        },
      }
    },
  }
}

describe('a reset that is killed between two tasks', () => {
  it('R8: leaves no task to be done again whose readers are still recorded as done', async () => {
    for (const clears of [1, 2]) {
      using folder = temporaryFolder()
      const stored: MemoryPlace = new Map()
      const ran: string[] = []
      const task = (id: string, after: ReturnType<typeof line>[]) =>
        line(id, 4, async ({ index }) => void ran.push(`${id}/${index}`), { after })
      const first = task('first', [])
      const second = task('second', [first])
      const tasks = [first, second, task('third', [second])]
      const options = { pool: 'inline', runDir: join(folder.path, 'runs') } as const
      await runBlockwise(tasks, { ...options, progress: memoryProgress(stored) })
      const run = join(options.runDir, readdirSync(options.runDir)[0] as string)
      await assert.rejects(resetRun(run, { place: dyingStore(stored, clears) }), /killed/)
      ran.length = 0
      await runBlockwise(tasks, { ...options, progress: memoryProgress(stored) })
      const again = [...new Set(ran.map((block) => block.split('/')[0]))].sort()
      assert.deepEqual(again, clears === 1 ? ['third'] : ['second', 'third'])
    }
  })
})

describe('the folder of a run', () => {
  it('R8: stops the run when it is removed, since another start could begin', async () => {
    using folder = temporaryFolder()
    const runDir = join(folder.path, 'runs')
    let wasRemoved = false
    const result = await runBlockwise(
      line('endless', 1e6, async () => {
        if (!wasRemoved) renameSync(runDir, join(folder.path, 'moved'))
        wasRemoved = true
        await new Promise((resolve) => setImmediate(resolve))
      }),
      { pool: 'inline', runDir, progress: 'sqlite' },
    )
    assert.equal(result.ok, false)
    assert.match(result.error?.message ?? '', /runs\/endless-\w+ was removed or replaced during the run/)
  })

  it('R8: names its run.json if that is damaged, and leaves the record', async () => {
    using folder = temporaryFolder()
    const runDir = join(folder.path, 'runs')
    const start = () =>
      runBlockwise(
        line('one', 2, async () => {}),
        { pool: 'inline', runDir, progress: 'sqlite' },
      )
    await start()
    const run = join(runDir, readdirSync(runDir)[0] as string)
    writeFileSync(join(run, 'run.json'), '')
    await assert.rejects(start(), { code: 'CORRUPT_DATA', message: /one-\w+\/run\.json is damaged: expected the JSON/ })
    assert.ok(existsSync(join(run, 'progress.sqlite')))
  })
})
