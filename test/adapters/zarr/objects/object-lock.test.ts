import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import { openBucket } from '../../../../src/adapters/buckets/open-bucket.ts'
import { identityOfProcess } from '../../../../src/adapters/files/process-identity.ts'
import { parseObjectAddress } from '../../../../src/adapters/objects/object-address.ts'
import { awaitObjectLock, takeObjectLock } from '../../../../src/adapters/zarr/objects/object-lock.ts'
import {
  KNOWN_MS,
  objectGuard,
  readObjectMark,
  writeObjectMark,
} from '../../../../src/adapters/zarr/objects/object-marks.ts'
import { OBJECT_STORES } from '../../../support/object-stores.ts'

for (const { scheme, name, addressOf, orSkip } of OBJECT_STORES) {
  const skipped: string[] = []
  const server = await orSkip({ skip: (reason = '') => void skipped.push(reason) })
  after(() => server?.[Symbol.asyncDispose]())
  for (const reason of skipped) it(`locks arrays in ${name}`, { skip: reason })
  if (server === undefined) continue
  Object.assign(process.env, server.env)
  await server.makeBucket('locks')
  const root = addressOf('locks')
  const bucket = openBucket(parseObjectAddress(root), { retryDelayMs: 1 })
  const take = (key: string, about = {}) => takeObjectLock(bucket, key, `${root}/${key}`, about)
  const exists = async (key: string) => (await bucket.get(key, { atMost: 1e5 })) !== 'missing'
  const writeHolder = (key: string, holder: object) => bucket.put(key, [Buffer.from(JSON.stringify(holder))])
  const { processStart: _, ...identity } = identityOfProcess()
  beforeEach(() => {
    server.fault = undefined
  })

  describe(`a lock in ${name}`, () => {
    it('W2: is held by one of many who take it at once, and free again afterwards', async () => {
      const locks = await Promise.all(Array.from({ length: 12 }, (_, i) => take('many', { run: `r${i}` })))
      const taken = locks.filter(({ status }) => status === 'taken')
      assert.equal(taken.length, 1)
      const held = locks.find(({ status }) => status === 'held')
      assert.match(JSON.stringify(held), /"run":"r\d+"/)
      for (const lock of taken) if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
      assert.equal(await exists('many'), false)
    })

    it('is waited for', async () => {
      const first = await awaitObjectLock(bucket, 'wait', `${root}/wait`)
      const second = awaitObjectLock(bucket, 'wait', `${root}/wait`, 5)
      await first[Symbol.asyncDispose]()
      await (await second)[Symbol.asyncDispose]()
    })

    it('is taken over at once from a process of this machine that has ended, by one of many', async () => {
      // Above the largest id of a process.
      await writeHolder('dead', { ...identity, token: 'dead', pid: 2 ** 30, about: {} })
      const locks = await Promise.all(Array.from({ length: 6 }, () => take('dead')))
      assert.equal(locks.filter(({ status }) => status === 'taken').length, 1)
      for (const lock of locks) if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
    })

    it('is kept for a process of another machine that may be alive', async () => {
      await writeHolder('away', { ...identity, machine: 'another', token: 'away', pid: 1, about: {} })
      assert.equal((await take('away')).status, 'held')
      // By the clock of the service, it has not been written for a long time.
      server.fault = ({ method }) =>
        method === 'GET' ? { headers: { date: new Date(Date.now() + 600_000).toUTCString() } } : undefined
      const lock = await take('away')
      assert.equal(lock.status, 'taken')
      if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
    })

    it('is taken even if the answer to its write is lost', async () => {
      let isLost = false
      server.fault = ({ method }) => {
        if (method !== (scheme === 'gs' ? 'POST' : 'PUT') || isLost) return undefined
        isLost = true
        return { reset: 'after' }
      }
      const lock = await take('lost')
      assert.equal(lock.status, 'taken')
      if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
    })

    it('that another one has taken over is left to it', async () => {
      const lock = await take('other')
      await writeHolder('other', { ...identity, token: 'other', about: {} })
      if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
      assert.equal(await exists('other'), true)
    })
  })

  describe(`the guard of an array in ${name}`, () => {
    const path = `${root}/guarded.zarr/raw`
    const mark = (id: string) => writeObjectMark(path, JSON.stringify({ id }))

    it('lets the run write whose mark it has, and asks once for writes at once', async () => {
      await mark('mine')
      assert.equal(await readObjectMark(path), '{"id":"mine"}')
      const guard = objectGuard(path, () => 'mine')
      server.seen.length = 0
      await Promise.all([guard(), guard(), guard()])
      assert.equal(server.seen.length, 2)
    })

    it('W3: refuses writes once the mark is that of another run, or is gone', async () => {
      await mark('mine')
      let now = 0
      const guard = objectGuard(
        path,
        () => 'mine',
        () => now,
      )
      await guard()
      await mark('another')
      now = KNOWN_MS
      await guard()
      now++
      await assert.rejects(guard(), { code: 'RUN_LOCKED' })
      await bucket.remove('guarded.zarr/raw/.bellis-run')
      await assert.rejects(guard(), { code: 'RUN_LOCKED' })
    })

    it('refuses writes once another run has locked the array to replace it', async () => {
      await mark('mine')
      const lock = await take('guarded.zarr/raw/.bellis-lock', { replaces: 'mine' })
      await assert.rejects(objectGuard(path, () => 'mine')(), { code: 'RUN_LOCKED' })
      await objectGuard(path, () => 'mine')().catch(() => {})
      if (lock.status === 'taken') await lock[Symbol.asyncDispose]()
      await objectGuard(path, () => 'mine')()
    })
  })
}
