import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, beforeEach, describe, it } from 'node:test'
import { gsBucket } from '../../../src/adapters/gs/gs-bucket.ts'
import { type GsSettings, readGsSettings } from '../../../src/adapters/gs/gs-settings.ts'
import type { BearerToken } from '../../../src/adapters/objects/credentials/bearer-token.ts'
import { CredentialChain } from '../../../src/adapters/objects/credentials/credential-chain.ts'
import { describeObjectBucket } from '../../contracts/object-bucket.contract.ts'
import { gsOrSkip } from '../../support/gs.ts'
import type { SeenRequest } from '../../support/object-server.ts'

const skipped: string[] = []
const server = await gsOrSkip({ skip: (reason = '') => void skipped.push(reason) })
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('reads and writes the objects of a bucket', { skip: reason })

const PART = 2 ** 20
const NO_BUCKET = {
  error: { code: 404, message: 'The specified bucket does not exist.', errors: [{ reason: 'notFound' }] },
}

if (server !== undefined) {
  await server.makeBucket('objects')
  const settings = readGsSettings(server.env)
  const open = (changed: Partial<GsSettings> = {}, options = {}) =>
    gsBucket('objects', { ...settings, ...changed }, { retryDelayMs: 1, partBytes: PART, ...options })
  const bucket = open()
  const isPart = ({ method, bytes }: SeenRequest) => method === 'PUT' && bytes > 0
  const rangeOf = ({ headers }: SeenRequest) => headers['content-range']

  describeObjectBucket('Google Cloud Storage', {
    server,
    open: (name, options) => gsBucket(name, settings, { retryDelayMs: 1, ...options }),
    address: 'gs://objects',
    says: {
      internalError: { status: 500, code: 'backendError' },
      slowDown: { status: 429, code: 'rateLimitExceeded' },
      forbidden: { status: 403, code: 'forbidden' },
      noBucket: { status: 404, text: JSON.stringify(NO_BUCKET) },
    },
    isPut: ({ method, path }) => method === 'POST' && path.includes('uploadType=media'),
    isPart,
    isAbort: ({ method, path }) => method === 'DELETE' && path.includes('upload_id='),
    isList: ({ path }) => /\/o\?prefix=/.test(path),
  })

  describe('a bucket of Google Cloud Storage', () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    for (const [when, arrived] of [
      ['before it has arrived', 'PART'],
      ['when it has arrived in part', 'PART+512K'],
      ['after it has arrived', '2*PART'],
    ] as const) {
      it(`W1: asks what has arrived of a large object when a connection ends ${when}, and sends the rest`, async () => {
        const content = randomBytes(3 * PART - 1000)
        let parts = 0
        let known = 0
        server.fault = (request) => {
          if (isPart(request)) {
            if (++parts !== 2) return undefined
            known = arrived === 'PART' ? PART : arrived === '2*PART' ? 2 * PART : PART + 2 ** 19
            // Only what has arrived is known to the server behind the proxy.
            return { reset: arrived === '2*PART' ? 'after' : 'before' }
          }
          // The server behind the proxy does not know this question.
          return rangeOf(request)?.startsWith('bytes */') === true
            ? { status: 308, headers: { range: `bytes=0-${known - 1}` } }
            : undefined
        }
        if (arrived === 'PART+512K') {
          await assert.rejects(bucket.put('resumed', [content]), /the service has \d+ of \d+ bytes/)
          assert.equal(
            server.seen.filter(isPart).map(rangeOf)[2],
            `bytes ${PART + 2 ** 19}-${2 * PART + 2 ** 19 - 1}/${content.length}`,
          )
          return
        }
        await bucket.put('resumed', [content])
        const found = await bucket.get('resumed', { atMost: 1e9 })
        assert.ok(typeof found === 'object' && content.equals(found.body))
        assert.equal(server.seen.filter(isPart).length, arrived === '2*PART' ? 3 : 4)
      })
    }

    it('is listed page by page', async () => {
      const keys = ['pages/a', 'pages/b', 'pages/c', 'pages/d/e']
      for (const key of keys) await bucket.put(key, [Buffer.from('x')])
      const cut = (body: Buffer) => {
        const { items, ...rest } = JSON.parse(body.toString())
        // The token of this server is the key that is next.
        const nextPageToken = items?.[1]?.name ?? rest.prefixes?.[0]
        return Buffer.from(JSON.stringify({ ...rest, prefixes: [], items: items?.slice(0, 1), nextPageToken }))
      }
      let pages = 0
      server.fault = () => (++pages < 3 ? { change: cut } : undefined)
      assert.deepEqual(await bucket.list('pages/'), { objects: keys.slice(0, 3), folders: ['pages/d/'] })
      assert.equal(pages, 3)
    })

    it('is sent an object again that it has received damaged', async () => {
      let isFirst = true
      const damage = (body: Buffer) => Buffer.from(body.toString().replace(/"md5Hash":"[^"]*"/, '"md5Hash":"AAAA"'))
      server.fault = () => {
        const fault = isFirst ? { change: damage } : undefined
        isFirst = false
        return fault
      }
      await bucket.put('damaged', [Buffer.from('0123')])
      assert.equal(server.seen.length, 2)
    })

    it('reads what a server without conditions sends, and still tells versions apart', async () => {
      await bucket.put('plain', [Buffer.from('one')])
      const found = await bucket.get('plain', { atMost: 10 })
      assert.ok(typeof found === 'object' && Number.isFinite(found.writtenMs))
      assert.match(found.version ?? '', /^\d{16}$/)
    })

    it('takes no page of a proxy for the absence of an object', async () => {
      for (const text of ['<html>default backend - 404</html>', '', '404 page not found']) {
        server.fault = () => ({ status: 404, text })
        await assert.rejects(open({}, { retries: 1 }).get('nothing', { atMost: 10 }), { code: 'IO_ERROR' })
      }
      server.fault = () => ({ status: 404, text: 'No such object: objects/nothing' })
      assert.equal(await bucket.get('nothing', { atMost: 10 }), 'missing')
      server.fault = () => ({ status: 404, text: 'what it says', headers: { 'x-guploader-uploadid': 'A' } })
      assert.equal(await bucket.get('nothing', { atMost: 10 }), 'missing')
    })

    for (const [what, text] of Object.entries({
      'is a page': '<html>Please sign in</html>',
      'is cut off': '{"kind":"storage#objects","items":[{"name":"p/1"}',
      'has no names': '{"kind":"storage#objects","items":[{}]}',
      'has what was not asked for': '{"kind":"storage#objects","items":[{"name":"other/1"}]}',
      'goes on, without where': '{"kind":"storage#objects","nextPageToken":""}',
      'is nothing': 'null',
    })) {
      it(`W4: is not believed a list that ${what}`, async () => {
        server.fault = () => ({ status: 200, text })
        await assert.rejects(open({}, { retries: 1 }).list('p/'), { code: 'IO_ERROR' })
      })
    }
  })

  describe('tokens of Google Cloud Storage', () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })
    const chainOf = (...tokens: string[]) => {
      const left = [...tokens]
      const load = async () => ({ token: (left.length > 1 ? left.shift() : left[0]) as string })
      return new CredentialChain<BearerToken>([{ name: 'the test', remedy: 'sign in again', load }])
    }

    it('are sent with each request, and got again when they have expired', async () => {
      await bucket.put('a', [Buffer.from('0123456789')])
      server.seen.length = 0
      server.fault = ({ headers }) =>
        headers.authorization === 'Bearer old' ? { status: 401, code: 'authError' } : undefined
      assert.equal(typeof (await open({ credentials: chainOf('old', 'new') }).get('a', { atMost: 10 })), 'object')
      assert.deepEqual(
        server.seen.map(({ headers }) => headers.authorization),
        ['Bearer old', 'Bearer new'],
      )
    })

    it('that have expired for good end in one error that says what to do', async () => {
      server.fault = () => ({ status: 401, code: 'authError' })
      await assert.rejects(open({ credentials: chainOf('old') }).get('a', { atMost: 10 }), {
        code: 'UNAUTHORIZED',
        message:
          "Can't read gs://objects/a: the credentials from the test have expired; sign in again, then run the same command again.",
      })
    })

    it('are missing: the error says how to get some', async () => {
      server.fault = () => ({
        status: 401,
        text: 'Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.',
      })
      await assert.rejects(open().put('a', [Buffer.from('a')]), {
        code: 'UNAUTHORIZED',
        message: /no credentials were used: set GOOGLE_APPLICATION_CREDENTIALS/,
      })
      // Whoever may not list is not told what is missing.
      server.fault = undefined
      const anonymous = open()
      await anonymous.put('there', [Buffer.from('a')])
      server.fault = ({ path }) =>
        /\?prefix|nothing/.test(path) ? { status: 401, text: 'Anonymous caller does not have access.' } : undefined
      await anonymous.get('there', { atMost: 10 })
      assert.equal(await anonymous.get('nothing', { atMost: 10 }), 'missing')
    })

    it('are sent to nobody else, whatever address an answer names', async () => {
      const elsewhere = 'http://127.0.0.1:9/upload'
      server.fault = ({ path }) =>
        path.includes('uploadType=resumable')
          ? { status: 200, text: '{}', headers: { location: elsewhere } }
          : undefined
      const signed = open({ credentials: chainOf('secret') }, { retries: 0 })
      await assert.rejects(signed.put('a', [randomBytes(PART + 1)]), { code: 'IO_ERROR' })
    })
  })
}
