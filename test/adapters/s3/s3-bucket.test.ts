import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, beforeEach, describe, it } from 'node:test'
import { CredentialChain } from '../../../src/adapters/s3/credentials/credentials.ts'
import { S3Bucket } from '../../../src/adapters/s3/s3-bucket.ts'
import { readSettings, type S3Settings } from '../../../src/adapters/s3/s3-settings.ts'
import { type Fault, type SeenRequest, s3OrSkip } from '../../support/s3.ts'

const skipped: string[] = []
const server = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('reads and writes the objects of a bucket', { skip: reason })

if (server !== undefined) {
  server.makeBucket('objects')
  const settings = readSettings(server.env)
  const open = (changed: Partial<S3Settings> = {}, options = {}) =>
    new S3Bucket('objects', { ...settings, ...changed }, { retryDelayMs: 1, ...options })
  const bucket = open()
  const bytes = (text: string) => [Buffer.from(text)]
  const textOf = async (key: string, range?: string) => {
    const found = await bucket.get(key, { atMost: 1e9, ...(range === undefined ? {} : { range }) })
    return typeof found === 'object' ? Buffer.from(found.body).toString() : found
  }

  beforeEach(() => {
    server.fault = undefined
    server.seen.length = 0
  })

  /** Disturbs the first requests. */
  const disturb = (count: number, fault: Fault, only: (request: SeenRequest) => boolean = () => true) => {
    let left = count
    server.fault = (request) => (only(request) && left-- > 0 ? fault : undefined)
  }

  describe('a bucket', () => {
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
      const keys = Array.from({ length: 1010 }, (_, i) => `many/${String(i).padStart(4, '0')}&<`)
      for (let at = 0; at < keys.length; at += 50) {
        await Promise.all(keys.slice(at, at + 50).map((key) => bucket.put(key, bytes('x'))))
      }
      await bucket.put('many/folder/a', bytes('x'))
      server.seen.length = 0
      const { objects, folders } = await bucket.list('many/')
      assert.deepEqual(objects, keys)
      assert.deepEqual(folders, ['many/folder/'])
      assert.ok(server.seen.length >= 2, 'in pages')
      const first = await bucket.list('many/', { isDeep: true, limit: 1 })
      assert.ok(first.objects.length < keys.length, 'no more than asked for')
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

    it('writes without a condition where the service knows none', async () => {
      await bucket.remove('only')
      disturb(1, { status: 501, code: 'NotImplemented' })
      assert.notEqual(await bucket.put('only', bytes('1'), { only: 'new' }), 'refused')
      assert.equal(await textOf('only'), '1')
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
      const parts = [10, 23, 40].map((mb) => randomBytes(mb * 2 ** 20))
      await bucket.put('parts', parts)
      assert.equal(server.seen.filter(({ path }) => path.includes('partNumber=')).length, 3)
      const found = await bucket.get('parts', { atMost: 1e9 })
      assert.ok(typeof found === 'object' && Buffer.concat(parts).equals(found.body))
    })

    it('W1: keeps the old object, and removes the parts, if a part can’t be written', async () => {
      await bucket.put('parts', bytes('old'))
      const isSecond = ({ path }: SeenRequest) => path.includes('partNumber=2')
      server.fault = (request) => (isSecond(request) ? { status: 403, code: 'AccessDenied' } : undefined)
      await assert.rejects(bucket.put('parts', [randomBytes(70 * 2 ** 20)]), { code: 'UNAUTHORIZED' })
      const last = server.seen.at(-1)
      assert.equal(last?.method, 'DELETE')
      assert.match(last?.path ?? '', /uploadId=/)
      assert.equal(await textOf('parts'), 'old')
    })
  })

  describe('a request', () => {
    const passing: Record<string, Fault> = {
      'an internal error': { status: 500, code: 'InternalError' },
      'a request to slow down': { status: 503, code: 'SlowDown' },
      'an error page': { status: 502 },
      'a connection that ends before the request': { reset: 'before' },
      'a connection that ends before the answer': { reset: 'after' },
      'a body that ends early': { cutAfter: 3 },
      'a body that stops': { stallAfter: 3 },
      'a body that was damaged on its way': { status: 400, code: 'BadDigest' },
    }
    for (const [title, fault] of Object.entries(passing)) {
      it(`is sent again after ${title}`, async () => {
        const patient = open({}, 'stallAfter' in fault ? { timeoutMs: 1000 } : {})
        const key = `again/${title}`
        const isPut = ({ method }: SeenRequest) => method === 'PUT'
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
      server.fault = () => ({ status: 503, code: 'SlowDown' })
      const impatient = open({}, { retries: 2 })
      await assert.rejects(impatient.get('a', { atMost: 10 }), {
        code: 'IO_ERROR',
        message: "Can't read s3://objects/a: SlowDown: As the test says.",
      })
      assert.equal(server.seen.length, 3)
    })

    it('names the variables if the service has never answered', async () => {
      const nowhere = open({ endpoint: 'http://127.0.0.1:9' })
      await assert.rejects(
        nowhere.get('a', { atMost: 10 }),
        /127\.0\.0\.1:9 has not answered at all: check AWS_ENDPOINT_URL/,
      )
    })

    it('says that there is no such bucket', async () => {
      const missing = new S3Bucket('no-such-bucket', settings, { retryDelayMs: 1 })
      for (const act of [
        () => missing.get('a', { atMost: 10 }),
        () => missing.put('a', bytes('a')),
        () => missing.list(''),
      ]) {
        await assert.rejects(act(), { code: 'NO_SUCH_FILE', message: /there is no bucket no-such-bucket/ })
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

  describe('credentials of a bucket', () => {
    const keys = {
      accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
    }
    const chainOf = (loads: readonly { accessKeyId: string; secretAccessKey: string }[]) => {
      const left = [...loads]
      return new CredentialChain([
        { name: 'the test', remedy: 'log in again', load: async () => (left.length > 1 ? left.shift() : left[0]) },
      ])
    }

    it('are got again when they have expired', async () => {
      const old = { accessKeyId: 'old', secretAccessKey: 'old' }
      server.fault = ({ headers }) =>
        headers.authorization?.includes('Credential=old/') ? { status: 400, code: 'ExpiredToken' } : undefined
      const renewed = open({ credentials: chainOf([old, keys]) })
      const found = await renewed.get('a', { atMost: 10 })
      assert.equal(typeof found, 'object')
      assert.equal(server.seen.length, 2)
    })

    it('that have expired for good, or are refused, end in one error that says what to do', async () => {
      server.fault = () => ({ status: 400, code: 'ExpiredToken' })
      const expired = open({ credentials: chainOf([keys]) })
      await assert.rejects(expired.get('a', { atMost: 10 }), {
        code: 'UNAUTHORIZED',
        message:
          "Can't read s3://objects/a: the credentials from the test have expired; log in again, then run the same command again.",
      })
      server.fault = undefined
      const wrong = open({ credentials: chainOf([{ ...keys, secretAccessKey: 'wrong' }]) })
      await assert.rejects(wrong.get('a', { atMost: 10 }), {
        code: 'UNAUTHORIZED',
        message: /the service refused \(SignatureDoesNotMatch.*check the permissions of the credentials from the test/,
      })
      const none = open({ credentials: undefined })
      await assert.rejects(none.put('a', bytes('a')), {
        code: 'UNAUTHORIZED',
        message: /no credentials were used: set AWS_/,
      })
    })

    it('W5: that may not list the bucket are not told which objects are missing', async () => {
      const hides = (request: SeenRequest): Fault | undefined =>
        /list-type|nothing/.test(request.path) ? { status: 403, code: 'AccessDenied' } : undefined
      server.fault = hides
      assert.equal(await open().get('nothing', { atMost: 10 }), 'missing')
      // Whoever may list is: then the object is one that may not be read.
      server.fault = (request) => (request.path.includes('list-type') ? undefined : hides(request))
      await assert.rejects(open().get('nothing', { atMost: 10 }), { code: 'UNAUTHORIZED' })
    })

    it('W5: that may read no more find nothing missing', async () => {
      const bucket = open()
      await bucket.put('there', bytes('a'))
      const forbidden = { status: 403, code: 'AccessDenied' }
      server.fault = ({ path }) => (/list-type|nothing/.test(path) ? forbidden : undefined)
      await bucket.get('there', { atMost: 10 })
      assert.equal(await bucket.get('nothing', { atMost: 10 }), 'missing')
      server.fault = () => forbidden
      await assert.rejects(bucket.get('nothing', { atMost: 10 }), { code: 'UNAUTHORIZED' })
    })

    it('are signed for the region and by the clock that the service names', async () => {
      const away = {
        status: 400,
        code: 'AuthorizationHeaderMalformed',
        headers: { 'x-amz-bucket-region': 'us-east-1' },
      }
      server.fault = ({ headers }) => (headers.authorization?.includes('/eu-west-9/') ? away : undefined)
      assert.equal(typeof (await open({ region: 'eu-west-9' }).get('a', { atMost: 10 })), 'object')
      const later = new Date(Date.now() + 3_600_000)
      const skewed = { status: 403, code: 'RequestTimeTooSkewed', headers: { date: later.toUTCString() } }
      let times: string[] = []
      server.fault = ({ headers }) => {
        times.push(String(headers['x-amz-date']))
        return times.length === 1 ? skewed : undefined
      }
      await open()
        .get('a', { atMost: 10 })
        .catch(() => {})
      assert.ok(
        times.length >= 2 &&
          (times[1] as string).slice(0, 11) === later.toISOString().replace(/[:-]/g, '').slice(0, 11),
      )
      times = []
    })
  })
}
