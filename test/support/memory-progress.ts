import { InfrastructureError } from '../../src/core/errors.ts'
import { isInMask, maskPages, pagesOf, withoutMask } from '../../src/core/progress/bitmap-pages.ts'
import { checkSameTasks, type RunIdentity } from '../../src/core/progress/run-identity.ts'
import type { FailedAttempt, ProgressStore, RunRecord } from '../../src/ports/progress-store.ts'

interface StoredRun {
  identity: RunIdentity
  /** per task, by page */
  readonly pages: Map<number, Uint8Array>[]
  readonly failedAttempts: FailedAttempt[][]
}

/** What remains when a store in memory is closed. */
export type MemoryPlace = Map<string, StoredRun>

/** Records that end with the process. @param stored what an earlier store left, to continue with it */
export function memoryProgress(stored: MemoryPlace = new Map()): ProgressStore {
  const name = 'memory'
  let isOpen = true
  const checkOpen = (still = true) => {
    if (!isOpen || !still) throw new InfrastructureError('IO_ERROR', 'The progress in memory was closed.')
  }

  function openRun(run: StoredRun): RunRecord {
    const { identity, pages, failedAttempts } = run
    let isRecordOpen = true
    const ofTask = <T>(list: readonly T[], task: number): T => {
      checkOpen(isRecordOpen)
      return list[task] as T
    }
    return {
      identity,
      async *completedPages(task) {
        const ofThis = ofTask(pages, task)
        for (const page of [...ofThis.keys()].sort((a, b) => a - b)) {
          yield { task, page, bits: (ofThis.get(page) as Uint8Array).slice() }
        }
      },
      async *failedAttempts(task) {
        yield* ofTask(failedAttempts, task)
      },
      async commit(batch) {
        checkOpen(isRecordOpen)
        for (const { task, page, bits } of batch.pages) pages[task]?.set(page, bits.slice())
        for (const failed of batch.failedAttempts) {
          const list = failedAttempts[failed.task] as FailedAttempt[]
          const before = list.findIndex(({ block, attempt }) => block === failed.block && attempt === failed.attempt)
          if (before >= 0) list.splice(before, 1)
          list.push(failed)
        }
      },
      async clear(task, blocks) {
        const ofThis = ofTask(pages, task)
        const attempts = ofTask(failedAttempts, task)
        const mask = blocks === undefined ? undefined : maskPages(blocks)
        const kept = mask === undefined ? [] : attempts.filter(({ block }) => !isInMask(mask, block))
        attempts.splice(0, attempts.length, ...kept)
        if (mask === undefined) ofThis.clear()
        for (const [page, bits] of mask ?? []) {
          const before = ofThis.get(page)
          if (before !== undefined) ofThis.set(page, withoutMask(before, bits))
        }
      },
      async sync() {
        checkOpen(isRecordOpen)
      },
      async identify(id) {
        checkOpen(isRecordOpen)
        run.identity = { ...run.identity, id }
      },
      async continueAs(lineage) {
        checkOpen(isRecordOpen)
        run.identity = { ...run.identity, lineage }
      },
      async [Symbol.asyncDispose]() {
        isRecordOpen = false
      },
    }
  }

  return {
    name,
    async open(identity) {
      checkOpen()
      const { run, tasks } = identity
      const before = stored.get(run)
      if (before !== undefined) {
        checkSameTasks(before.identity.tasks, tasks, name)
        return openRun(before)
      }
      const made = { identity, pages: tasks.map(() => new Map()), failedAttempts: tasks.map(() => []) }
      stored.set(run, made)
      return openRun(made)
    },
    async read(run) {
      checkOpen()
      const found = stored.get(run)
      return found === undefined ? undefined : openRun(found)
    },
    async carryOver(run, tasks, completed) {
      checkOpen()
      const before = stored.get(run)
      if (before === undefined) return
      const pages = completed.map(
        (bitmap) => new Map([...pagesOf(bitmap)].map(({ page, bits }) => [page, bits.slice()])),
      )
      stored.set(run, { identity: { ...before.identity, tasks }, pages, failedAttempts: tasks.map(() => []) })
    },
    async find(ending) {
      checkOpen()
      return [...stored.keys()].filter((run) => run.endsWith(ending)).sort()
    },
    async remove(run) {
      checkOpen()
      stored.delete(run)
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
    },
  }
}
