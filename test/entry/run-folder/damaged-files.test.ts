import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { LogTail } from '../../../src/entry/cli/runs/log-tail.ts'
import { readLiveState, readMasks, sessionFile } from '../../../src/entry/run-folder/run-files.ts'
import { holdRunFolder, readRunDocument, runHolderOf } from '../../../src/entry/run-folder/run-folder.ts'
import { temporaryFolder } from '../../support/command-line.ts'

/** What a full disk, a power cut or a person may leave of a file. */
const DAMAGED = [
  '',
  '{',
  'null',
  '7',
  '[]',
  '{}',
  '{"a":1}',
  '{"sessions":7,"tasks":7}',
  '{"tasks":[{}],"sessions":[{}]}',
  '\0\0\0',
]

const SESSIONS = {
  nextWorker: 3,
  nextLease: 9,
  sessions: [
    {
      number: 2,
      key: 'k',
      host: 'h',
      wasLaunched: false,
      leases: [{ id: 8, taskId: 'a', blocks: [1, 2], reported: 1 }],
    },
  ],
}
const counts = { pending: 1, ready: 0, processing: 0, completed: 2, skipped: 0, failed: 0, orphaned: 0 }
const LIVE = {
  time: '2026-11-29T00:00:00Z',
  seconds: 2,
  busyWorkers: 1,
  tasks: [{ id: 'a', total: 3, ...counts }],
  ok: true,
}

describe('a damaged file of a run folder', () => {
  for (const text of DAMAGED) {
    it(`counts as missing if it contains ${JSON.stringify(text)}`, () => {
      using folder = temporaryFolder()
      for (const name of ['sessions.json', 'live.json', 'holder.json']) writeFileSync(join(folder.path, name), text)
      assert.equal(sessionFile(folder.path).saved, undefined)
      assert.equal(readLiveState(folder.path), undefined)
      assert.equal(runHolderOf(folder.path), undefined)
    })
  }

  it('is damaged as run.json if it names no tasks', () => {
    using folder = temporaryFolder()
    for (const text of DAMAGED.filter((each) => !each.includes('"tasks":['))) {
      writeFileSync(join(folder.path, 'run.json'), text)
      assert.equal(readRunDocument(folder.path), undefined, text)
    }
  })

  it('is read if it is whole', () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'sessions.json'), JSON.stringify(SESSIONS))
    writeFileSync(join(folder.path, 'live.json'), JSON.stringify(LIVE))
    assert.deepEqual(sessionFile(folder.path).saved, SESSIONS)
    assert.deepEqual(readLiveState(folder.path), LIVE)
  })
})

describe('a pipe in place of a file of a run folder, as another user may make one', {
  skip: process.platform === 'win32',
}, () => {
  it('counts as missing, and its writer is not waited for', () => {
    using folder = temporaryFolder()
    for (const name of ['run.json', 'live.json', 'holder.json', 'masks.json']) {
      execFileSync('mkfifo', [join(folder.path, name)])
    }
    assert.equal(readRunDocument(folder.path), undefined)
    assert.equal(readLiveState(folder.path), undefined)
    assert.equal(runHolderOf(folder.path), undefined)
    assert.deepEqual(readMasks(folder.path)(0), {})
  })

  it('is no log', () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'logs'))
    execFileSync('mkfifo', [join(folder.path, 'logs', 'w1.log')])
    for (const last of [3, undefined]) {
      assert.throws(() => new LogTail(folder.path, 'w1.log', last).read(), {
        code: 'UNSUPPORTED',
        message: /a pipe or a device/,
      })
    }
  })
})

describe('a mask that takes more memory than any run has blocks', () => {
  it('counts as missing', () => {
    using folder = temporaryFolder()
    const bomb = deflateRawSync(Buffer.alloc(2 ** 28 + 1)).toString('base64')
    writeFileSync(join(folder.path, 'masks.json'), JSON.stringify({ masked: [bomb], leftOut: [bomb] }))
    assert.deepEqual(readMasks(folder.path)(0), {})
  })
})

describe('a folder in place of that of a run', () => {
  const document = { created: '', directory: '', progress: 'sqlite', tasks: [] }

  it('is used if it contains only what a run wrote after its folder was removed', () => {
    using folder = temporaryFolder()
    const run = join(folder.path, 'run')
    mkdirSync(join(run, 'logs'), { recursive: true })
    writeFileSync(join(run, 'live.json'), '{}')
    using held = holdRunFolder(run, document)
    assert.equal(held.isNew, true)
    assert.deepEqual(readRunDocument(run), document)
  })

  for (const name of ['notes.txt', 'progress.sqlite']) {
    it(`is refused if it contains ${name}`, () => {
      using folder = temporaryFolder()
      const run = join(folder.path, 'run')
      mkdirSync(run)
      writeFileSync(join(run, name), '')
      assert.throws(() => holdRunFolder(run, document), /is not the folder of a run; remove it/)
    })
  }
})
