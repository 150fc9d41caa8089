import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import { hasEnded, identityOfProcess } from '../../../src/adapters/files/process-identity.ts'
import { mongodbProgress } from '../../../src/adapters/mongodb/mongodb-progress.ts'
import type { StoreStatus } from '../../../src/core/events.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import type { LockOwner, ProgressStore, RunLock, RunReader } from '../../../src/ports/progress-store.ts'
import { readCompleted } from '../../../src/runtime/coordinator/progress-recorder.ts'
import { recordedAttempts } from '../../../src/runtime/coordinator/recorded-attempts.ts'
import {
  describeProgressStore,
  failedAttempt,
  identityOf,
  recordedTask,
} from '../../contracts/progress-store.contract.ts'
import { holdingProxy } from '../../support/holding-proxy.ts'
import { mongodbOrSkip, ownMongodbOrSkip } from '../../support/mongodb.ts'

let whyNot = ''
const first = await mongodbOrSkip({ skip: (message = '') => (whyNot = message) })
if (first === undefined) it.skip(`keeps progress in MongoDB: ${whyNot}`)
else {
  const newDatabase = async () => (await mongodbOrSkip({ skip: assert.fail })) as string
  describeProgressStore(
    'MongoDB',
    async () => {
      const url = await newDatabase()
      return { open: () => mongodbProgress(url), writer: ['mongodb', url], dispose: () => {} }
    },
    { manyRuns: true },
  )
}

const identity = identityOf(recordedTask('one', 1e6))
const page = (...ones: number[]) => {
  const bits = new Uint8Array(8192)
  for (const at of ones) bits[at >> 3]! |= 1 << (at & 7)
  return { task: 0, page: 0, bits }
}

/** Resolves with the next reported status of the connection. */
type ReportedStatus = Exclude<StoreStatus, { readonly status: 'slow' }>

function watchLink(): {
  next(): Promise<ReportedStatus>
  onStatus(link: StoreStatus): void
  readonly all: StoreStatus['status'][]
} {
  const all: StoreStatus['status'][] = []
  const reported: ReportedStatus[] = []
  const waiting: ((link: ReportedStatus) => void)[] = []
  return {
    all,
    onStatus(link) {
      all.push(link.status)
      if (link.status === 'slow') return
      const wake = waiting.shift()
      if (wake === undefined) reported.push(link)
      else wake(link)
    },
    next: () =>
      new Promise((resolve) => {
        const link = reported.shift()
        if (link === undefined) waiting.push(resolve)
        else resolve(link)
      }),
  }
}

async function triesOf(record: RunReader): Promise<number[]> {
  const blocks: number[] = []
  for await (const { block } of record.failedAttempts(0)) blocks.push(block)
  return blocks
}

describe('progress in MongoDB', () => {
  it('waits while the server is gone, reports that, and continues when it is back, with everything that was recorded', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    await using store = mongodbProgress(`${server.url}progress`)
    const { next, onStatus, all } = watchLink()
    const record = await store.open(identity, { onStatus })
    await record.commit({ pages: [page(1)], failedAttempts: [failedAttempt({ block: 1 })] })
    await server.kill()
    const written = record.commit({ pages: [page(1, 2)], failedAttempts: [failedAttempt({ block: 2 })] })
    // Closing the store, should the test fail before, must not hide why.
    written.catch(() => {})
    const lost = await next()
    assert.equal(lost.status, 'lost')
    assert.ok(
      lost.message.startsWith(`No server answers at mongodb://127.0.0.1:${server.port}/progress (`),
      lost.message,
    )
    await server.restart()
    await written
    assert.equal((await next()).status, 'back')
    // It is reported as slow only if its end was not noticed at once, and only before it is reported as lost.
    assert.deepEqual(all.slice(all.indexOf('lost')), ['lost', 'back'])
    const bitmap = await readCompleted(record, 0)
    assert.equal(bitmap[0], 0b110)
    assert.deepEqual(await triesOf(record), [1, 2])
  })

  it('reports a server that takes long as slow, then as lost, until it answers', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    await using store = mongodbProgress(server.url)
    const { next, onStatus, all } = watchLink()
    const record = await store.open(identity, { onStatus })
    server.freeze()
    const written = record.commit({ pages: [page(1)], failedAttempts: [] })
    assert.match((await next()).message, /^No server answers at mongodb:\/\/127\.0\.0\.1:\d+\/bellis \(not for 1 s\)/)
    server.thaw()
    await written
    assert.deepEqual(all, ['slow', 'lost', 'back'])
  })

  it('stops waiting for a lost server when it is aborted', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    await using store = mongodbProgress(server.url)
    const { next, onStatus } = watchLink()
    const record = await store.open(identity, { onStatus })
    await server.kill()
    const giveUp = new AbortController()
    const written = record.commit({ pages: [page(1)], failedAttempts: [] }, { signal: giveUp.signal })
    assert.equal((await next()).status, 'lost')
    giveUp.abort()
    const lost = { name: 'InfrastructureError', code: 'CONNECTION_LOST' }
    await assert.rejects(written, lost)
    await assert.rejects(record.commit({ pages: [page(1)], failedAttempts: [] }, { signal: giveUp.signal }), lost)
    await assert.rejects(store.open(identity), lost)
  })

  it('loses nothing if its server is killed between any two of its answers', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    await using store = mongodbProgress(server.url)
    const record = await store.open(identity)
    const ones: number[] = []
    let kills = 0
    for (let block = 0; block < 60; block++) {
      ones.push(block)
      const written = record.commit({ pages: [page(...ones)], failedAttempts: [failedAttempt({ block })] })
      if (block % 20 === 7) {
        // During the write, or after its answer.
        await wait(kills++ * 3)
        await server.kill()
        await server.restart()
      }
      await written
    }
    assert.equal(kills, 3)
    assert.deepEqual(await triesOf(record), ones)
    const bitmap = await readCompleted(record, 0)
    assert.ok(ones.every((block) => isBitSet(bitmap, block)))
  })

  it('refuses a record that a newer Bellis wrote, and leaves it unchanged', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using store = mongodbProgress(url)
    await store.open(identity)
    await using client = new MongoClient(url)
    await client
      .db()
      .collection('runs')
      .updateOne({}, { $set: { version: 7 } })
    const newer = { name: 'ConfigError', code: 'UNSUPPORTED', message: /newer Bellis \(version 7; .* reads 2\)/ }
    await assert.rejects(store.open(identity), newer)
    await assert.rejects(store.read(identity.run), newer)
  })

  it('uses the database that the address names, and "bellis" if it names none', async (t) => {
    await using server = await ownMongodbOrSkip(t)
    if (server === undefined) return
    await using plain = mongodbProgress(server.url)
    await using named = mongodbProgress(`${server.url}em%2Dlab?retryReads=false`)
    assert.equal(plain.name, `mongodb://127.0.0.1:${server.port}/bellis`)
    assert.equal(named.name, `mongodb://127.0.0.1:${server.port}/em-lab`)
    await plain.open(identity)
    await named.open({ ...identity, run: 'other' })
    const runsIn = (store: ProgressStore) =>
      Promise.all([identity.run, 'other'].map(async (run) => (await store.read(run))?.identity.run))
    assert.deepEqual(
      [await runsIn(plain), await runsIn(named)],
      [
        [identity.run, undefined],
        [undefined, 'other'],
      ],
    )
  })

  it('keeps the records of runs apart, whatever their names', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using store = mongodbProgress(url)
    const names = ['a', 'a/0', 'a%2F0', 'a/000000000000000', 'ä b', 'a0']
    for (const [at, run] of names.entries()) {
      const record = await store.open({ ...identity, run })
      await record.commit({ pages: [page(at)], failedAttempts: [failedAttempt({ block: at })] })
    }
    for (const [at, run] of names.entries()) {
      const record = await store.open({ ...identity, run })
      assert.equal((await readCompleted(record, 0))[0], 1 << at)
      assert.deepEqual(await triesOf(record), [at])
    }
    await store.remove('a')
    const left = await Promise.all(names.map(async (run) => (await store.read(run))?.identity.run))
    assert.deepEqual(left, [undefined, ...names.slice(1)])
  })
})

describe('a record of version 1 in MongoDB', () => {
  it('is read as it is, and has the same content in the current version once it is opened for writing', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    const { run, tasks } = identity
    await using client = new MongoClient(url)
    const collection = (name: string) => client.db().collection<{ _id: string }>(name)
    await collection('runs').insertOne({ _id: run, version: 1, tasks } as { _id: string })
    const key = (number: number) => `${run}/${'0'.repeat(15)}/${String(number).padStart(15, '0')}`
    await collection('finished_pages').insertOne({ _id: key(0), page: 0, bits: Buffer.from(page(5).bits) } as {
      _id: string
    })
    const failed = [1, 2, 3].map((attempt) => failedAttempt({ attempt, isFinal: attempt === 3, time: attempt }))
    const old = [...failed.map((each) => ({ ...each, time: 0 })), ...failed].map(
      ({ task: _, error, ...rest }, number) => ({
        ...{ _id: key(number), number, ...rest, ...error },
      }),
    )
    await collection('failed_tries').insertMany(old)

    await using store = mongodbProgress(url)
    const reader = (await store.read(run)) as RunReader
    assert.deepEqual(await triesOf(reader), Array(6).fill(7))
    const record = await store.open(identity)
    const found = []
    for await (const each of record.failedAttempts(0)) found.push(each)
    assert.deepEqual(found, failed)
    assert.equal((await readCompleted(record, 0))[0], 1 << 5)
    assert.equal(await collection('failed_tries').countDocuments(), 0)
    assert.equal(await collection('error_texts').countDocuments(), 2)
    await using _lock = await (store.lock as NonNullable<ProgressStore['lock']>)(
      run,
      { host: 'a', pid: 1, since: 1 },
      hasEnded,
    )
    assert.equal((await readCompleted(await store.open(identity), 0))[0], 1 << 5)
  })
})

describe('the address of a MongoDB', () => {
  const secrets = /sec\b|secret|\bret\b|sesame|jane/

  it('appears without its credentials in every error', async () => {
    // Nothing listens on port 1 of this machine.
    await using store = mongodbProgress('mongodb://jane:open%40sesame@127.0.0.1:1/progress?authSource=admin')
    assert.equal(store.name, 'mongodb://127.0.0.1:1/progress')
    const error = await store.open(identity).catch((error: Error) => error)
    assert.ok(error instanceof Error)
    assert.match(error.message, /No server answers at mongodb:\/\/127\.0\.0\.1:1\/progress/)
    assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}${String(error.cause)}`, secrets)
  })

  it('is refused without being quoted if it cannot be parsed', () => {
    for (const url of [
      'mongodb://jane:sec/ret@127.0.0.1/x',
      'mongodb://jane:sec?ret@127.0.0.1/x',
      'mongodb://jane:sec@ret/x@127.0.0.1/x',
      'mongodb://jane:secret@127.0.0.1:99999/x',
      'mongodb://jane:secret@127.0.0.1/x?sesame=open',
      'mysql://jane:secret@127.0.0.1',
      'mongodb+srv://jane:secret@127.0.0.1:27017/x',
    ]) {
      assert.throws(
        () => mongodbProgress(url),
        (error: Error & { code?: string }) => {
          assert.equal(error.name, 'ConfigError')
          assert.equal(error.code, 'INVALID_CONFIG')
          assert.match(error.message, /mongodb:\/\/user:password@host:27017\/database/)
          assert.doesNotMatch(`${error.stack?.replace(/\n.*/gs, '')} ${String(error.cause)}`, secrets)
          return true
        },
        url,
      )
    }
  })

  it('is refused with the reason if it has no credentials', () => {
    assert.throws(() => mongodbProgress('mongodb://127.0.0.1/x?colour=red'), {
      message: /option colour is not supported/,
    })
  })
})

describe('the lock of a run in MongoDB', () => {
  const owner = (more: Partial<LockOwner> = {}): LockOwner => ({ host: 'node-1', pid: 4242, since: 1e12, ...more })
  const lockOf = (store: ProgressStore, who: LockOwner, run = 'smooth-1'): Promise<RunLock> =>
    (store.lock as NonNullable<ProgressStore['lock']>)(run, who, hasEnded)
  const held = (message: RegExp) => ({ name: 'ConfigError', code: 'RUN_LOCKED', message })

  it('is held by one process at a time, and another one is refused with the holder', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using here = mongodbProgress(url)
    await using there = mongodbProgress(url)
    for (const pid of [1, 2, 3]) {
      const lock = await lockOf(here, owner({ pid }))
      const byIt = held(new RegExp(`smooth-1 .*process ${pid} on node-1 since 2001-09-09`))
      await assert.rejects(lockOf(there, owner({ host: 'node-2' })), byIt)
      await assert.rejects(lockOf(here, owner({ pid })), byIt)
      await using other = await lockOf(there, owner(), 'smooth-2')
      assert.ok(!other.lost.aborted)
      await lock[Symbol.asyncDispose]()
      await lock[Symbol.asyncDispose]()
      assert.ok(!lock.lost.aborted)
    }
  })

  it('is given to exactly one of many processes that ask at the same time', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    for (let round = 0; round < 5; round++) {
      const stores: ProgressStore[] = Array.from({ length: 6 }, () => mongodbProgress(url))
      const answers = await Promise.allSettled(
        stores.map((store, pid) => lockOf(store, owner({ host: `node-${pid}`, since: 1e12 + round }))),
      )
      const locks = answers.filter((answer) => answer.status === 'fulfilled')
      assert.equal(locks.length, 1)
      for (const answer of answers) if (answer.status === 'rejected') assert.equal(answer.reason.code, 'RUN_LOCKED')
      for (const store of stores) await store[Symbol.asyncDispose]()
    }
  })

  it('is taken over at once from a process of the same machine that has died, whatever the machines are called', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    const here = identityOfProcess()
    const deadPid = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }))
    await using store = mongodbProgress(url)
    const running = held(/has been run by/)
    // Another machine may have the same name.
    await using elsewhere = await lockOf(store, { ...here, machine: 'elsewhere', pid: deadPid, since: 1 }, 'other')
    assert.ok(!elsewhere.lost.aborted)
    await assert.rejects(lockOf(store, { ...here, since: 2 }, 'other'), running)
    const dead = { ...here, pid: deadPid, processStart: '1', since: 1 }
    await lockOf(store, dead)
    await using taken = await lockOf(store, { ...here, since: 2 })
    assert.ok(!taken.lost.aborted)
    await assert.rejects(lockOf(store, { ...here, machine: 'elsewhere', since: 3 }), running)
    // The id of a dead process may have been given to another one.
    await lockOf(store, { ...here, processStart: '1', since: 1 }, 'reused')
    await using third = await lockOf(store, { ...here, since: 2 }, 'reused')
    assert.ok(!third.lost.aborted)
  })

  it('is taken over from a machine without a sign of life, which then cannot write any more', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using suspended = mongodbProgress(url)
    const before = await lockOf(suspended, owner())
    const record = await suspended.open({ ...identity, run: 'smooth-1' })
    await record.commit({ pages: [page(1)], failedAttempts: [] })
    await using client = new MongoClient(url)
    await client
      .db()
      .collection('locks')
      .updateMany({}, { $set: { beat: new Date(Date.now() - 60_000) } })
    await using store = mongodbProgress(url)
    await using after = await lockOf(store, owner({ host: 'node-2' }))
    const locked = { name: 'InfrastructureError', code: 'RUN_LOCKED', message: /taken over by process 4242 on node-2/ }
    await assert.rejects(record.commit({ pages: [page(1, 2)], failedAttempts: [] }), locked)
    assert.ok(before.lost.aborted)
    assert.equal(before.lost.reason.code, 'RUN_LOCKED')
    await before[Symbol.asyncDispose]()
    assert.ok(!after.lost.aborted)
    const kept = await store.open({ ...identity, run: 'smooth-1' })
    assert.equal((await readCompleted(kept, 0))[0], 0b10)
    await kept.commit({ pages: [page(1, 3)], failedAttempts: [] })
  })

  it('is of no use to a process whose writes arrive after it was taken over: they change nothing', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    const run = 'smooth-1'
    const many = { ...identityOf(recordedTask('one', 1e6)), run }
    const second = { task: 0, page: 1, bits: page(7).bits }
    await using network = await holdingProxy(url)
    await using sleeper = mongodbProgress(network.url)
    await lockOf(sleeper, owner())
    const late = await sleeper.open(many)
    await late.commit({ pages: [page(1)], failedAttempts: [failedAttempt({ block: 4 })] })
    // It has seen that it holds the lock, and its pages are on their way.
    const sent = network.hold('held_pages')
    const written = late.commit({ pages: [page(1, 2), second], failedAttempts: [] })
    await sent
    await using client = new MongoClient(url)
    await client
      .db()
      .collection('locks')
      .updateMany({}, { $set: { beat: new Date(0) } })

    await using store = mongodbProgress(url)
    await using _lock = await lockOf(store, owner({ host: 'node-2' }))
    const record = await store.open(many)
    assert.deepEqual((await readCompleted(record, 0))[0], 0b10)
    await record.clear(0, [1])
    await record.commit({ pages: [page(3)], failedAttempts: [failedAttempt({ block: 5 })] })
    network.release()
    await assert.rejects(written, { code: 'RUN_LOCKED', message: /taken over by process 4242 on node-2/ })
    await assert.rejects(late.commit({ pages: [second], failedAttempts: [] }), { code: 'RUN_LOCKED' })
    await assert.rejects(late.clear(0), { code: 'RUN_LOCKED' })
    await assert.rejects(late.identify('mine'), { code: 'RUN_LOCKED' })
    await assert.rejects(sleeper.remove(run), { code: 'RUN_LOCKED' })

    await using reader = (await store.read(run)) as RunReader
    const bitmap = await readCompleted(reader, 0)
    assert.equal(bitmap[0], 0b1000)
    assert.ok(
      bitmap.subarray(1).every((byte) => byte === 0),
      'a page that only the late writer has does not count',
    )
    assert.deepEqual(await triesOf(record), [4, 5])
    await record.commit({ pages: [page(3), { ...second, bits: page(9).bits }], failedAttempts: [] })
    assert.ok(isBitSet(await readCompleted(record, 0), 65_536 + 9))
    assert.ok(!isBitSet(await readCompleted(record, 0), 65_536 + 7))
  })

  it('is renewed in time while its holder is running', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using store = mongodbProgress(url)
    await using _lock = await lockOf(store, owner())
    await using client = new MongoClient(url)
    const locks = client.db().collection('locks')
    const beat = async () => Number((await locks.findOne({}))?.beat)
    const first = await beat()
    const deadline = AbortSignal.timeout(15_000)
    while (!((await beat()) - first > 3000)) {
      deadline.throwIfAborted()
      await wait(200)
    }
  })
})

describe('a record in MongoDB that others have changed', () => {
  it('is reported as damaged, with the field, and can be started again', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using client = new MongoClient(url)
    const runs = client.db().collection('runs')
    const pages = client.db().collection('held_pages')
    const readAll = async () => {
      await using store = mongodbProgress(url)
      await using record = await store.open(identity)
      return await readCompleted(record, 0)
    }
    const startAgain = async () => {
      await using store = mongodbProgress(url)
      await store.remove(identity.run)
      await using record = await store.open(identity)
      await record.commit({ pages: [page(1)], failedAttempts: [] })
    }
    for (const [field, value] of [
      ...[null, 'x', [1, null], [{ id: 'one' }], [{ ...recordedTask('one', 1), blockCount: 2 ** 50 }]].map(
        (tasks) => ['tasks', tasks] as const,
      ),
      ...(['x', -1, 0.5, 1e300] as const).map((holder) => ['holder', holder] as const),
      ...[['id', 5] as const, ['version', 'two'] as const],
    ]) {
      await startAgain()
      await runs.updateMany({}, { $set: { [field]: value } })
      const message = new RegExp(`is damaged: its field "${field}" was changed; restore it, or start again`)
      await assert.rejects(readAll(), { code: 'CORRUPT_DATA', message })
    }
    for (const change of [{ bits: 'x' }, { bits: null }, { page: 'x' }, { page: 1.5 }]) {
      await startAgain()
      await pages.updateMany({}, { $set: change })
      await assert.rejects(readAll(), { code: 'CORRUPT_DATA', message: /is damaged: a page of task 0 was changed/ })
    }
    await startAgain()
    assert.ok(isBitSet(await readAll(), 1))
  })

  it('is reported as damaged, with what was changed, also if that is a failed attempt', async (t) => {
    const url = await mongodbOrSkip(t)
    if (url === undefined) return
    await using client = new MongoClient(url)
    const attempts = client.db().collection('failed_attempts')
    const startAgain = async () => {
      await using store = mongodbProgress(url)
      await store.remove(identity.run)
      await using record = await store.open(identity)
      await record.commit({ pages: [page(1)], failedAttempts: [failedAttempt({ block: 2 })] })
    }
    const readAttempts = async (reader: RunReader) => {
      for await (const { block } of recordedAttempts(reader, 0)) assert.equal(block, 2)
    }
    const readBoth = async () => {
      await using store = mongodbProgress(url)
      {
        await using reader = (await store.read(identity.run)) as RunReader
        await assert.rejects(readAttempts(reader), damaged)
      }
      await using record = await store.open(identity)
      await readAttempts(record)
    }
    let damaged = {}
    for (const [field, ...values] of [
      ['block', 'x', -1, 1e300],
      ['attempt', 'x', { x: 1 }],
      ['code', 5],
      ['message', 5, { x: 1 }],
      ['stack', { x: 1 }],
      ['workerId', 7],
      ['host', null],
      ['durationMs', 'x'],
      ['time', 'x', 1e300],
      ['number', 'x', null, -1, 1e300],
    ] as const) {
      for (const value of values) {
        await startAgain()
        await attempts.updateMany({}, { $set: { [field]: value } })
        const what = /^(number|message|stack)$/.test(field) ? 'the number, the message or the stack' : `"${field}"`
        damaged = {
          code: 'CORRUPT_DATA',
          message: new RegExp(`is damaged: ${what} of a failed attempt.* was changed; restore`),
        }
        await assert.rejects(readBoth(), damaged, `${field} ${JSON.stringify(value)}`)
      }
    }
    await startAgain()
  })
})
