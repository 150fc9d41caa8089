import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BatchCalls } from '../../../src/adapters/batch/batch-calls.ts'
import { batchQueue } from '../../../src/adapters/batch/batch-queue.ts'
import type { BatchSystem } from '../../../src/adapters/batch/batch-system.ts'
import { temporaryFolder } from '../../support/command-line.ts'

/** A system that loses submissions while `isDeaf`: it prints nothing, and lists their jobs only if told to. */
function deafSystem() {
  const words = {
    system: 'Deaf',
    temporary: /try again/,
    permanent: /never/,
    full: /full/,
    noise: /^x/,
    passesOn: () => true,
  }
  const state = { isDeaf: true, asked: [] as string[], listed: new Map<string, string[]>(), cancelled: [] as string[] }
  const system: BatchSystem = {
    calls: new BatchCalls(words, 5000),
    folderName: 'deaf',
    cancelAll: ['true'],
    scriptText: () => '#!/bin/sh\n',
    check: () => Promise.resolve({ exitCode: 0, stdout: '', stderr: '' }),
    byHand: () => 'true',
    submission: () => (state.isDeaf ? ['sh', '-c', 'echo try again >&2; exit 1'] : ['echo', '7']),
    jobIdsIn: (printed) => (printed.trim() === '' ? undefined : [printed.trim()]),
    submittedWith: (names) => {
      state.asked.push(names)
      return Promise.resolve(state.listed.get(names) ?? [])
    },
    status: () => Promise.resolve(new Map()),
    cancel: (ids) => {
      state.cancelled.push(...ids)
      return Promise.resolve()
    },
    cancelWaiting: () => Promise.resolve(),
  }
  return { system, state }
}

async function withQueue(
  test: (queue: ReturnType<typeof batchQueue>, state: ReturnType<typeof deafSystem>['state']) => Promise<void>,
) {
  using folder = temporaryFolder()
  const { system, state } = deafSystem()
  const options = { folder: folder.path, jobName: 'jobs', command: ['true'], readLog: () => Promise.resolve('') }
  await using queue = batchQueue(system, options)
  await assert.rejects(queue.submit(['w1']), { code: 'QUEUE_UNAVAILABLE' })
  state.isDeaf = false
  state.asked.length = 0
  await test(queue, state)
}

describe('a submission without an answer', () => {
  it('is looked for at the next ones, but not forever', async () => {
    await withQueue(async (queue, state) => {
      for (let count = 0; count < 8; count++) assert.deepEqual(await queue.submit(['w2']), ['7'])
      assert.equal(state.asked.length, 5)
      assert.deepEqual(state.cancelled, [])
    })
  })

  it('has its jobs cancelled when they appear, once', async () => {
    await withQueue(async (queue, state) => {
      await queue.submit(['w2'])
      const [names = ''] = state.asked
      state.listed.set(names, ['3'])
      for (let count = 0; count < 3; count++) await queue.submit(['w2'])
      assert.deepEqual([state.cancelled, state.asked.length], [['3'], 2])
    })
  })
})
