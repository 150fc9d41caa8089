import assert from 'node:assert/strict'
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runBlockwise } from '../../../src/entry/run.ts'
import { resetRun } from '../../../src/entry/run-folder/reset-run.ts'
import { sessionFile } from '../../../src/entry/run-folder/run-files.ts'
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

describe('a reset', () => {
  it('R11: takes the blocks of what it forgets from workers that have outlived their coordinator, and no others', async () => {
    using folder = temporaryFolder()
    const first = line('first', 4, async () => {})
    const tasks = [first, line('second', 4, async () => {}, { after: [first] })]
    const runDir = join(folder.path, 'runs')
    await runBlockwise(tasks, { pool: 'inline', runDir, progress: 'sqlite' })
    const run = join(runDir, readdirSync(runDir)[0] as string)
    const sessions = [{ number: 1, key: 'k', host: 'far', wasLaunched: false }]
    const lease = (taskId: string, id: number) => ({ id, taskId, blocks: [id], reported: 0 })
    const leases = [lease('first', 1), lease('second', 2)]
    const text = JSON.stringify({
      nextWorker: 2,
      nextLease: 3,
      sessions: sessions.map((each) => ({ ...each, leases })),
    })
    const kept = () => sessionFile(run).saved?.sessions[0]?.leases.map(({ taskId }) => taskId)
    writeFileSync(join(run, 'sessions.json'), text)
    await resetRun(run, { tasks: ['second'] })
    assert.deepEqual(kept(), ['first'])
    await resetRun(run, {})
    assert.deepEqual(kept(), [])
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
