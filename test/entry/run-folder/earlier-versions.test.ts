import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { RunFollower } from '../../../src/entry/run-folder/history/run-follower.ts'
import { readLiveState, sessionFile } from '../../../src/entry/run-folder/run-files.ts'
import { readRunState } from '../../../src/entry/run-folder/run-state.ts'
import { temporaryFolder } from '../../support/command-line.ts'

// Files as version 0.1.0 wrote them, byte by byte.
const HISTORY =
  'ADp7InR5cGUiOiJzdGFydCIsInRpbWUiOjE3OTU5MTI4MjAzMDIsImRvbmUiOlsiWXdRQSIsbnVsbF19AF97InR5cGUiOiJ3b3JrZXItc3RhcnRlZCIsIndvcmtlcklkIjoidzEiLCJwaWQiOjcsImhvc3QiOiJub2RlMyIsImxvZ0ZpbGUiOiJsb2dzL3cxLmxvZyIsImF0IjoyfQAmeyJ0eXBlIjoibmFtZSIsIm51bWJlciI6MCwibmFtZSI6IncxIn0BBwIAAAMCAgICCgIAAAICAuIJrAIAjQF7InR5cGUiOiJibG9jay1yZXRyaWVkIiwidGFza0lkIjoiYSIsImluZGV4IjozLCJ3b3JrZXJJZCI6IncxIiwiYXR0ZW1wdCI6MSwiZXJyb3IiOnsiY29kZSI6IkJMT0NLX0ZBSUxFRCIsIm1lc3NhZ2UiOiJubyBzdWNoIG5ldXJvbiJ9LCJhdCI6Mn0BBgIAAAIGAgDyAXsidHlwZSI6ImJsb2NrLWZhaWxlZCIsInRhc2tJZCI6ImEiLCJmYWlsdXJlIjp7ImJsb2NrIjoiYS8zIiwiaW5kZXgiOjMsInJlYWRSb2kiOnsib2Zmc2V0IjpbMF0sInNoYXBlIjpbMV19LCJ3cml0ZVJvaSI6eyJvZmZzZXQiOlswXSwic2hhcGUiOlsxXX0sImVycm9yIjp7ImNvZGUiOiJCTE9DS19GQUlMRUQiLCJtZXNzYWdlIjoibm8gc3VjaCBuZXVyb24ifSwiYXR0ZW1wdHMiOjIsIndvcmtlcklkIjoidzEifSwiYXQiOjJ9AwUCAAABCABjeyJ0eXBlIjoidGFzay1hYmFuZG9uZWQiLCJ0YXNrSWQiOiJiIiwiZXJyb3IiOnsiY29kZSI6IlNFVFVQX0ZBSUxFRCIsIm1lc3NhZ2UiOiJubyBtb2R1bGUifSwiYXQiOjJ9AFB7InR5cGUiOiJzdG9yZSIsInN0YXR1cyI6Imxvc3QiLCJtZXNzYWdlIjoidGhlIGRhdGFiYXNlIGRvZXMgbm90IGFuc3dlciIsImF0IjoyfQBTeyJ0eXBlIjoid29ya2VyLWRpZWQiLCJ3b3JrZXJJZCI6IncxIiwicmVhc29uIjoid2FzIGtpbGxlZCIsImxhc3RPdXRwdXQiOiIiLCJhdCI6Mn0AKXsidHlwZSI6InJ1bi1maW5pc2hlZCIsIm9rIjpmYWxzZSwiYXQiOjJ9'
const LIVE =
  '{"time":"2026-11-29T00:40:20.303Z","seconds":2,"tasks":[{"id":"a","total":8,"pending":0,"ready":4,"processing":0,"completed":3,"skipped":1,"failed":1,"orphaned":0}],"busyWorkers":0,"ok":false}'
const SESSIONS =
  '{"nextWorker":3,"nextLease":9,"sessions":[{"number":2,"key":"k","host":"node3","wasLaunched":false,"leases":[{"id":8,"taskId":"a","blocks":[4,5],"reported":1}]}]}'

const grid = {
  totalRoi: { offset: [0], shape: [8] },
  readRoi: { offset: [0], shape: [1] },
  writeRoi: { offset: [0], shape: [1] },
}
const task = (id: string, after: readonly string[]) => ({ id, after, blocks: 8, unit: 'nm', grid })

function folderOf(files: Readonly<Record<string, string | Uint8Array>>) {
  const folder = temporaryFolder()
  mkdirSync(join(folder.path, 'history'))
  const document = { created: '', directory: '.', progress: 'none', tasks: [task('a', []), task('b', ['a'])] }
  writeFileSync(join(folder.path, 'run.json'), JSON.stringify(document))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content)
  return folder
}

describe('the run folder of an earlier version', () => {
  it('has a history from which the page is drawn', async () => {
    using folder = folderOf({ 'history/000001': Buffer.from(HISTORY, 'base64') })
    using follower = new RunFollower(folder.path)
    await follower.catchUp()
    const { condition, tasks, workers, failures, notes } = follower.picture.summary(Date.now(), 0)
    assert.equal(condition, 'failed')
    const [first, second] = tasks
    assert.deepEqual([first?.completed, first?.skipped, first?.failed], [3, 1, 1])
    assert.equal(second?.error, 'no module')
    assert.deepEqual(
      workers.map(({ id, host, pid, done, status, reason }) => ({ id, host, pid, done, status, reason })),
      [{ id: 'w1', host: 'node3', pid: 7, done: 2, status: 'ended', reason: 'was killed' }],
    )
    assert.deepEqual(
      failures.map(({ index, message, attempts }) => ({ index, message, attempts })),
      [{ index: 3, message: 'no such neuron', attempts: 2 }],
    )
    assert.deepEqual(follower.picture.details(0, 1), { workerId: 'w1', ms: 12.5 })
    assert.equal(notes.length, 3)
  })

  it('has a live state that shows how the run ended', async () => {
    using folder = folderOf({ 'live.json': LIVE })
    assert.deepEqual(readLiveState(folder.path)?.tasks[0]?.completed, 3)
    assert.equal((await readRunState(folder.path))?.condition, 'failed')
    using killed = folderOf({ 'live.json': LIVE.replace(',"ok":false', '') })
    assert.equal((await readRunState(killed.path))?.condition, 'interrupted')
    using complete = folderOf({ 'live.json': LIVE.replace('"ok":false', '"ok":true') })
    assert.equal((await readRunState(complete.path))?.condition, 'done')
  })

  it('has a list of the workers that had blocks', () => {
    using folder = folderOf({ 'sessions.json': SESSIONS })
    assert.deepEqual(sessionFile(folder.path).saved, JSON.parse(SESSIONS))
  })
})
