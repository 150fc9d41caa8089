import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { beforeEach, describe, it } from 'node:test'
import type { ObjectOptions } from '../../src/adapters/objects/object-request.ts'
import type { ObjectBucket } from '../../src/ports/object-bucket.ts'
import type { Fault, ObjectServer, SeenRequest } from '../support/object-server.ts'

/** A service, and how its server is disturbed. */
export interface BucketKind {
  readonly server: ObjectServer
  /** The only bucket that was made is `objects`. */
  open(name: string, options?: ObjectOptions): ObjectBucket
  /** Of the parts of large objects. @default 1 MiB */
  readonly partBytes?: number
  /** `s3://objects` */
  readonly address: string
  /** How the service says these things. */
  readonly says: {
    readonly internalError: Fault
    readonly slowDown: Fault
    readonly forbidden: Fault
    /** @default nothing to test: its server says it itself */
    readonly noBucket?: Fault
    /** @default nothing to test */
    readonly damaged?: Fault
  }
  /** Whether a request writes an object as a whole, one of the parts of a large one, or removes those. */
  isPut(request: SeenRequest): boolean
  isPart(request: SeenRequest): boolean
  /** Absent where a service forgets them by itself. */
  isAbort?(request: SeenRequest): boolean
  isList(request: SeenRequest): boolean
  /** Keys that are more than one page of a list. @default as few as are needed for other things */
  readonly manyKeys?: number
}

/** What holds for the buckets of all object stores. */
export function describeObjectBucket(name: string, kind: BucketKind): void {
  const { server, says, isPut, isPart, isList } = kind
  const { partBytes = 2 ** 20 } = kind
  const open = (options: ObjectOptions = {}) => kind.open('objects', { partBytes, ...options })
  const bucket = open()
  const bytes = (text: string) => [Buffer.from(text)]
  const textOf = async (key: string, range?: string) => {
    const found = await bucket.get(key, { atMost: 1e9, ...(range === undefined ? {} : { range }) })
    return typeof found === 'object' ? Buffer.from(found.body).toString() : found
  }

  /** Disturbs the first requests. */
  const disturb = (count: number, fault: Fault, only: (request: SeenRequest) => boolean = () => true) => {
    let left = count
    server.fault = (request) => (only(request) && left-- > 0 ? fault : undefined)
  }

  describe(`a bucket of ${name}`, () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    it('has objects of any name, in whole and in parts', async () => {
      for (const key of ['a', 'b/c d+e%2F&=?#', "é/日本/~!'()*", 'c/.hidden']) {
        await bucket.put(key, [...bytes('0123'), ...bytes('456789')])
        assert.equal(await textOf(key), '0123456789', key)
      }
      assert.equal(await textOf('a', 'bytes=2-4'), '234')
      assert.equal(await textOf('a', 'bytes=8-20'), '89')
      assert.equal(await textOf('a', 'bytes=-3'), '789')
      assert.equal(await textOf('a', 'bytes=10-12'), '')
      assert.equal(await textOf('nothing/there'), 'missing')
    })

    it('is listed in folders, and as a whole in pages', async () => {
      const keys = Array.from({ length: kind.manyKeys ?? 60 }, (_, i) => `many/${String(i).padStart(4, '0')}&<`)
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => bucket.put(key, bytes('x'))))
      }
      await bucket.put('many/folder/a', bytes('x'))
      server.seen.length = 0
      const { objects, folders } = await bucket.list('many/')
      assert.deepEqual(objects, keys)
      assert.deepEqual(folders, ['many/folder/'])
      if (kind.manyKeys !== undefined) assert.ok(server.seen.length >= 2, 'in pages')
      const first = await bucket.list('many/', { isDeep: true, limit: 1 })
      if (kind.manyKeys !== undefined) assert.ok(first.objects.length < keys.length, 'no more than asked for')
      await bucket.removeAll([...keys, 'many/folder/a'])
      assert.deepEqual(await bucket.list('many/', { isDeep: true }), { objects: [], folders: [] })
    })

    it('writes only in place of what was found, where that is asked for', async () => {
      await bucket.remove('only')
      const first = await bucket.put('only', bytes('1'), { only: 'new' })
      assert.notEqual(first, 'refused')
      assert.equal(await bucket.put('only', bytes('2'), { only: 'new' }), 'refused')
      const { version = '' } = first as { version?: string }
      assert.notEqual(await bucket.put('only', bytes('3'), { only: { of: version } }), 'refused')
      assert.equal(await bucket.put('only', bytes('4'), { only: { of: version } }), 'refused')
      assert.equal(await textOf('only'), '3')
      await bucket.remove('only')
      assert.equal(await bucket.put('only', bytes('5'), { only: { of: version } }), 'refused')
    })

    it('tells versions apart', async () => {
      await bucket.put('version', bytes('one'))
      const found = await bucket.get('version', { atMost: 10 })
      assert.ok(typeof found === 'object' && found.version !== undefined)
      const { version } = found
      assert.equal(await bucket.get('version', { atMost: 10, unless: version }), 'same')
      await bucket.put('version', bytes('two'))
      assert.equal(typeof (await bucket.get('version', { atMost: 10, unless: version })), 'object')
      assert.equal(await bucket.get('version', { atMost: 10, of: version }), 'changed')
    })

    it('refuses an object that is larger than expected, without trying again', async () => {
      await bucket.put('large', bytes('0123456789'))
      await assert.rejects(bucket.get('large', { atMost: 9 }), /more than 9 bytes/)
      assert.equal(server.seen.filter(({ method }) => method === 'GET').length, 1)
    })

    it('W1: writes a large object in parts that become visible together', async () => {
      const parts = [0.3, 0.7, 1.25].map((share) => randomBytes(share * partBytes))
      await bucket.put('parts', parts)
      assert.equal(server.seen.filter(isPart).length, 3)
      const found = await bucket.get('parts', { atMost: 1e9 })
      assert.ok(typeof found === 'object' && Buffer.concat(parts).equals(found.body))
    })

    it('W1: keeps the old object, and removes the parts, if a part can’t be written', async () => {
      await bucket.put('parts', bytes('old'))
      let parts = 0
      server.fault = (request) => (isPart(request) && ++parts === 2 ? says.forbidden : undefined)
      await assert.rejects(bucket.put('parts', [randomBytes(2.2 * partBytes)]), { code: 'UNAUTHORIZED' })
      if (kind.isAbort !== undefined) assert.ok(kind.isAbort(server.seen.at(-1) as SeenRequest))
      assert.equal(await textOf('parts'), 'old')
    })
  })

  describe(`a request to ${name}`, () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    const passing: Record<string, Fault> = {
      'an internal error': says.internalError,
      'a request to slow down': says.slowDown,
      'an error page': { status: 502 },
      'a connection that ends before the request': { reset: 'before' },
      'a connection that ends before the answer': { reset: 'after' },
      'a body that ends early': { cutAfter: 3 },
      'a body that stops': { stallAfter: 3 },
      ...(says.damaged === undefined ? {} : { 'a body that was damaged on its way': says.damaged }),
    }
    for (const [title, fault] of Object.entries(passing)) {
      it(`is sent again after ${title}`, async () => {
        const patient = open('stallAfter' in fault ? { timeoutMs: 1000 } : {})
        const key = `again/${title}`
        disturb(2, fault, isPut)
        await patient.put(key, bytes('0123456789'))
        assert.ok(server.seen.filter(isPut).length >= ('stallAfter' in fault || 'cutAfter' in fault ? 1 : 3))
        disturb(2, fault, ({ method }) => method === 'GET')
        server.seen.length = 0
        const found = await patient.get(key, { atMost: 10 })
        assert.ok(typeof found === 'object')
        assert.equal(Buffer.from(found.body).toString(), '0123456789')
        // A slow machine may be waited for less than it takes.
        assert.ok('stallAfter' in fault ? server.seen.length >= 3 : server.seen.length === 3)
      })
    }

    it('is sent again after a part that is shorter than its own range says', async () => {
      await bucket.put('short', bytes('0123456789'))
      server.seen.length = 0
      disturb(2, { change: (body) => body.subarray(1) })
      assert.equal(await textOf('short', 'bytes=2-5'), '2345')
      assert.equal(server.seen.length, 3)
    })

    it('fails with one error when retries do not help', async () => {
      server.fault = () => says.slowDown
      const impatient = open({ retries: 2 })
      await assert.rejects(impatient.get('a', { atMost: 10 }), {
        code: 'IO_ERROR',
        message: new RegExp(`^Can't read ${kind.address}/a: .*As the test says.$`),
      })
      assert.equal(server.seen.length, 3)
    })

    it('says that there is no such bucket', async () => {
      const missing = kind.open('no-such-bucket')
      server.fault = () => says.noBucket
      for (const act of [
        () => missing.get('a', { atMost: 10 }),
        () => missing.put('a', bytes('a')),
        () => missing.list(''),
      ]) {
        await assert.rejects(act(), {
          code: 'NO_SUCH_FILE',
          message: /there is no (bucket|container) [\w/]*no-such-bucket/,
        })
      }
    })

    it('ends with its signal, and does not begin if its guard throws', async () => {
      const stop = new AbortController()
      server.fault = () => {
        stop.abort(new Error('enough'))
        return { stallAfter: 0 }
      }
      await assert.rejects(bucket.get('a', { atMost: 10, signal: stop.signal }), /enough/)
      server.fault = undefined
      server.seen.length = 0
      const before = () => Promise.reject(new Error('taken'))
      await assert.rejects(bucket.put('a', bytes('never'), { before }))
      assert.equal(await textOf('a'), '0123456789')
    })
  })

  describe(`credentials of ${name}`, () => {
    it('W5: that may not list the bucket are not told which objects are missing', async () => {
      const hides = (request: SeenRequest): Fault | undefined =>
        isList(request) || request.path.includes('nothing') ? says.forbidden : undefined
      server.fault = hides
      assert.equal(await open().get('nothing', { atMost: 10 }), 'missing')
      // Whoever may list is: then the object is one that may not be read.
      server.fault = (request) => (isList(request) ? undefined : hides(request))
      await assert.rejects(open().get('nothing', { atMost: 10 }), { code: 'UNAUTHORIZED' })
    })

    it('W5: that may read no more find nothing missing', async () => {
      const bucket = open()
      await bucket.put('there', bytes('a'))
      server.fault = (request) => (isList(request) || request.path.includes('nothing') ? says.forbidden : undefined)
      await bucket.get('there', { atMost: 10 })
      assert.equal(await bucket.get('nothing', { atMost: 10 }), 'missing')
      server.fault = () => says.forbidden
      await assert.rejects(bucket.get('nothing', { atMost: 10 }), { code: 'UNAUTHORIZED' })
    })
  })
}
