import assert from 'node:assert/strict'
import { after, beforeEach, describe, it } from 'node:test'
import { CredentialChain } from '../../../src/adapters/objects/credentials/credential-chain.ts'
import type { Credentials } from '../../../src/adapters/s3/credentials/credentials.ts'
import { s3Bucket } from '../../../src/adapters/s3/s3-bucket.ts'
import { readSettings, type S3Settings } from '../../../src/adapters/s3/s3-settings.ts'
import { describeObjectBucket } from '../../contracts/object-bucket.contract.ts'
import { s3OrSkip } from '../../support/s3.ts'

const skipped: string[] = []
const server = await s3OrSkip({ skip: (reason = '') => void skipped.push(reason) })
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('reads and writes the objects of a bucket', { skip: reason })

if (server !== undefined) {
  server.makeBucket('objects')
  const settings = readSettings(server.env)
  const open = (changed: Partial<S3Settings> = {}, options = {}) =>
    s3Bucket('objects', { ...settings, ...changed }, { retryDelayMs: 1, ...options })
  const bucket = open()
  const bytes = (text: string) => [Buffer.from(text)]

  beforeEach(() => {
    server.fault = undefined
    server.seen.length = 0
  })

  describeObjectBucket('S3', {
    server,
    open: (name, options) => s3Bucket(name, settings, { retryDelayMs: 1, ...options }),
    partBytes: 5 * 2 ** 20,
    address: 's3://objects',
    says: {
      internalError: { status: 500, code: 'InternalError' },
      slowDown: { status: 503, code: 'SlowDown' },
      forbidden: { status: 403, code: 'AccessDenied' },
      damaged: { status: 400, code: 'BadDigest' },
    },
    isPut: ({ method }) => method === 'PUT',
    isPart: ({ path }) => path.includes('partNumber='),
    isAbort: ({ method, path }) => method === 'DELETE' && path.includes('uploadId='),
    isList: ({ path }) => path.includes('list-type'),
    manyKeys: 1010,
  })

  describe('a bucket of S3', () => {
    it('writes without a condition where the service knows none', async () => {
      await bucket.remove('only')
      let isFirst = true
      server.fault = () => {
        const fault = isFirst ? { status: 501, code: 'NotImplemented' } : undefined
        isFirst = false
        return fault
      }
      assert.notEqual(await bucket.put('only', bytes('1'), { only: 'new' }), 'refused')
      const found = await bucket.get('only', { atMost: 10 })
      assert.ok(typeof found === 'object' && Buffer.from(found.body).toString() === '1')
    })

    it('names the variables if the service has never answered', async () => {
      const nowhere = open({ endpoint: 'http://127.0.0.1:9' })
      await assert.rejects(
        nowhere.get('a', { atMost: 10 }),
        /127\.0\.0\.1:9 has not answered at all: check AWS_ENDPOINT_URL/,
      )
    })
  })

  describe('credentials of a bucket', () => {
    const keys = {
      accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
    }
    const chainOf = (loads: readonly { accessKeyId: string; secretAccessKey: string }[]) => {
      const left = [...loads]
      return new CredentialChain<Credentials>([
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
