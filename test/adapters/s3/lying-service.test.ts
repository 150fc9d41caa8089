import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { fetchText } from '../../../src/adapters/objects/credentials/fetch-text.ts'
import { s3Bucket } from '../../../src/adapters/s3/s3-bucket.ts'
import { readSettings } from '../../../src/adapters/s3/s3-settings.ts'
import { takeObjectLock } from '../../../src/adapters/zarr/objects/object-lock.ts'

interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A service that answers what it likes. @param answer to a request, and how many came before it */
async function lyingService(
  t: TestContext,
  answer: (request: IncomingMessage, body: string, before: number) => Answer,
) {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    asked.push(`${request.method} ${request.url}`)
    const {
      status = 200,
      headers = {},
      body = '',
    } = answer(request, Buffer.concat(pieces).toString(), asked.length - 1)
    response.writeHead(status, headers).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  t.after(() => server.closeAllConnections())
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const env = { AWS_ENDPOINT_URL: endpoint, AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'secret' }
  return { asked, endpoint, bucket: s3Bucket('b', readSettings(env), { retries: 2, retryDelayMs: 1 }) }
}

const atMost = 1000
const list = (content: string) => `<?xml version="1.0"?><ListBucketResult>${content}</ListBucketResult>`

describe('a service that lies, or a proxy in its place', () => {
  for (const [what, answer] of [
    ['a page with the status 404', { status: 404, body: '<html>default backend - 404</html>' }],
    ['nothing but the status 404', { status: 404 }],
    ['304 to what was not asked', { status: 304 }],
    ['412 to what was not asked', { status: 412 }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/' } }],
  ] as const) {
    it(`W5: makes nothing missing by ${what}`, async (t) => {
      const { bucket } = await lyingService(t, () => answer)
      await assert.rejects(bucket.get('c/0', { atMost }), { code: 'IO_ERROR' })
    })
  }

  it('is believed once it says so itself', async (t) => {
    const { bucket, asked } = await lyingService(t, (_, __, before) =>
      before === 0
        ? { status: 404, body: '<html>being restarted</html>' }
        : { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' },
    )
    assert.equal(await bucket.get('c/0', { atMost }), 'missing')
    assert.equal(asked.length, 2)
  })

  for (const [what, body] of [
    ['goes on, without where', list('<IsTruncated>true</IsTruncated><Contents><Key>p/1</Key></Contents>')],
    [
      'goes on where it was',
      list(
        '<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken><Contents><Key>p/1</Key></Contents>',
      ),
    ],
    ['has no names', list('<Contents><Size>1</Size></Contents>')],
    ['has what was not asked for', list('<Contents><Key>other/1</Key></Contents>')],
    ['is cut off', list('<Contents><Key>p/1</Key></Contents>').slice(0, -30)],
    ['is a page', '<html>Please sign in</html>'],
  ] as const) {
    it(`W4: is not believed a list that ${what}: the rest would stay, or others be removed`, async (t) => {
      const { bucket, asked } = await lyingService(t, () => ({ body }))
      await assert.rejects(bucket.list('p/'), { code: 'IO_ERROR' })
      assert.ok(asked.length < 10)
    })
  }

  const page = (before: number, keys: readonly string[], next: string) =>
    list(
      `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>${keys.map((key) => `<Contents><Key>p/${key}</Key></Contents>`).join('')}<!-- ${before} -->`,
    )
  for (const [what, content, said] of [
    ['leads in a circle', (n: number) => page(n, [`${n}`], `${n % 2}`), /leads back to where it was/],
    ['starts again under another name', (n: number) => page(n, [`${n % 3}`], `${n}`), /has keys twice/],
    ['goes on for ever without keys', (n: number) => page(n, [], `${n}`), /goes on after 1001 pages with 0 keys/],
    ['goes on for ever with a key each', (n: number) => page(n, [`${n}`], `${n}`), /goes on after \d+ pages/],
  ] as const) {
    it(`W4: ends a list that ${what}`, async (t) => {
      const { bucket, asked } = await lyingService(t, (_, __, before) => ({ body: content(before) }))
      await assert.rejects(bucket.list('p/'), { code: 'IO_ERROR', message: said })
      assert.ok(asked.length < 1200, `${asked.length} requests`)
    })
  }

  it('W4: is not believed that it has removed objects if its answer does not say so', async (t) => {
    const { bucket } = await lyingService(t, () => ({ body: '<html>Please sign in</html>' }))
    await assert.rejects(bucket.removeAll(['a', 'b']), { code: 'IO_ERROR', message: /does not say what was removed/ })
    for (const body of ['<DeleteResult xmlns="x"/>', '<DeleteResult></DeleteResult>\n']) {
      const honest = await lyingService(t, () => ({ body }))
      await honest.bucket.removeAll(['a', 'b'])
    }
  })

  it('says no more than some words in an error', async (t) => {
    const body = `<Error><Code>AccessDenied</Code><Message>${'no'.repeat(20_000)}</Message></Error>`
    const { bucket } = await lyingService(t, () => ({ status: 403, body }))
    await assert.rejects(bucket.put('a', [Buffer.from('x')]), (error: Error) => error.message.length < 1000)
  })

  it('W2: gives a lock to one of those who take it at once, although it ignores conditions', async (t) => {
    const stored = new Map<string, string>()
    const { bucket } = await lyingService(t, ({ method, url = '' }, body) => {
      if (method === 'PUT') stored.set(url, body)
      const found = stored.get(url)
      if (method === 'DELETE') stored.delete(url)
      return found === undefined
        ? { status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' }
        : { body: found, headers: { etag: '"same for all"', 'last-modified': new Date().toUTCString() } }
    })
    const locks = await Promise.all(Array.from({ length: 4 }, () => takeObjectLock(bucket, 'lock', 's3://b/lock')))
    const taken = locks.filter((lock) => lock.status === 'taken')
    assert.equal(taken.length, 1)
    for (const lock of taken) await lock[Symbol.asyncDispose]()
    assert.equal(stored.size, 0)
  })

  it('takes no memory by an endless answer in place of credentials', async (t) => {
    const { endpoint } = await lyingService(t, () => ({ body: Buffer.alloc(50_000_000, ' ') }))
    await assert.rejects(fetchText(endpoint, { timeoutMs: 10_000 }), /more than 1000000 bytes/)
  })
})
