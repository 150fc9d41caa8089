import assert from 'node:assert/strict'
import { createHmac, randomBytes } from 'node:crypto'
import { after, beforeEach, describe, it } from 'node:test'
import { azureBucket } from '../../../src/adapters/azure/azure-bucket.ts'
import { type AzureSettings, readAzureSettings } from '../../../src/adapters/azure/azure-settings.ts'
import type { AzureCredentials } from '../../../src/adapters/azure/credentials/azure-credentials.ts'
import { CredentialChain } from '../../../src/adapters/objects/credentials/credential-chain.ts'
import { describeObjectBucket } from '../../contracts/object-bucket.contract.ts'
import { ACCOUNT, ACCOUNT_KEY, azureOrSkip } from '../../support/azure.ts'

const skipped: string[] = []
const server = await azureOrSkip({ skip: (reason = '') => void skipped.push(reason) })
after(() => server?.[Symbol.asyncDispose]())
for (const reason of skipped) it('reads and writes the objects of a container', { skip: reason })

/** A signature for the container `objects`, as Azure's own tools make them. */
function signatureUntil(expiry: Date): string {
  const until = `${expiry.toISOString().slice(0, 19)}Z`
  const fields = [
    'rcwdl',
    '',
    until,
    `/blob/${ACCOUNT}/objects`,
    '',
    '',
    '',
    '2021-12-02',
    'c',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
  ]
  const sig = createHmac('sha256', Buffer.from(ACCOUNT_KEY, 'base64')).update(fields.join('\n')).digest('base64')
  return new URLSearchParams({ sv: '2021-12-02', sr: 'c', sp: 'rcwdl', se: until, sig }).toString()
}

if (server !== undefined) {
  await server.makeBucket('objects')
  const settings = readAzureSettings(ACCOUNT, server.env)
  const open = (changed: Partial<AzureSettings> = {}, options = {}) =>
    azureBucket(`${ACCOUNT}/objects`, { ...settings, ...changed }, { retryDelayMs: 1, ...options })
  const bucket = open()
  const chainOf = (...loads: AzureCredentials[]) => {
    const left = [...loads]
    const load = async () => (left.length > 1 ? left.shift() : left[0])
    return new CredentialChain<AzureCredentials>([{ name: 'the test', remedy: 'get another one', load }])
  }
  const textOf = async (from: typeof bucket, key: string, range?: string) => {
    const found = await from.get(key, { atMost: 1e6, ...(range === undefined ? {} : { range }) })
    return typeof found === 'object' ? Buffer.from(found.body).toString() : found
  }

  describeObjectBucket('Azure Blob Storage', {
    server,
    open: (name, options) => azureBucket(`${ACCOUNT}/${name}`, settings, { retryDelayMs: 1, ...options }),
    address: `az://${ACCOUNT}/objects`,
    says: {
      internalError: { status: 500, code: 'InternalError' },
      slowDown: { status: 503, code: 'ServerBusy' },
      forbidden: { status: 403, code: 'AuthorizationPermissionMismatch' },
    },
    isPut: ({ method }) => method === 'PUT',
    isPart: ({ path }) => path.includes('comp=block&'),
    isList: ({ path }) => path.includes('comp=list'),
  })

  describe('a container of Azure Blob Storage', () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    it('is asked how long an object is before its end is read, of one version', async () => {
      await bucket.put('end', [Buffer.from('0123456789')])
      assert.equal(await textOf(bucket, 'end', 'bytes=-3'), '789')
      assert.equal(await textOf(bucket, 'end', 'bytes=-300'), '0123456789')
      await bucket.put('empty', [])
      assert.equal(await textOf(bucket, 'empty', 'bytes=-3'), '')
      assert.equal(await textOf(bucket, 'nothing', 'bytes=-3'), 'missing')
      let asked = 0
      server.fault = async ({ method }) => {
        if (method === 'GET' && ++asked === 2) await open().put('end', [Buffer.from('new end')])
        return undefined
      }
      assert.equal(await textOf(bucket, 'end', 'bytes=-3'), 'end')
      assert.equal(asked, 4)
      const first = await bucket.get('end', { atMost: 10 })
      const of = typeof first === 'object' ? first.version : undefined
      await bucket.put('end', [Buffer.from('newer')])
      assert.equal(await bucket.get('end', { atMost: 10, range: 'bytes=-3', of }), 'changed')
    })

    it('is listed page by page, without the folders of accounts that have them', async () => {
      const item = (name: string, more = '') =>
        `<Blob><Name>${name}</Name><Properties>${more}<Etag>1</Etag></Properties></Blob>`
      const page = (content: string, next: string) =>
        `\uFEFF<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>${content}</Blobs>${next}</EnumerationResults>`
      const folder = item('p/c', '<ResourceType>directory</ResourceType>')
      server.fault = ({ path }) => ({
        status: 200,
        text: path.includes('marker=next')
          ? page(`${item('p/b')}<BlobPrefix><Name>p/c/</Name></BlobPrefix>`, '<NextMarker />')
          : page(item('p/a&amp;') + folder, '<NextMarker>next</NextMarker>'),
      })
      assert.deepEqual(await bucket.list('p/'), { objects: ['p/a&', 'p/b'], folders: ['p/c/'] })
      for (const text of ['<html>Please sign in</html>', page(item('p/a'), '').slice(0, -30), page(item('q/a'), '')]) {
        server.fault = () => ({ status: 200, text })
        await assert.rejects(open({}, { retries: 1 }).list('p/'), { code: 'IO_ERROR' })
      }
    })

    it('W1: has the blocks of one upload alone', async () => {
      const small = open({}, { partBytes: 2 ** 18 })
      for (const content of [randomBytes(2 ** 19), randomBytes(2 ** 19 + 1)]) {
        await small.put('large', [content])
        const found = await bucket.get('large', { atMost: 2 ** 20 })
        assert.ok(typeof found === 'object' && content.equals(found.body))
      }
    })

    it('takes no page of a proxy for the absence of an object', async () => {
      server.fault = () => ({ status: 404, text: '<html>default backend - 404</html>' })
      await assert.rejects(open({}, { retries: 1 }).get('nothing', { atMost: 10 }), { code: 'IO_ERROR' })
    })
  })

  describe('credentials of a storage account', () => {
    beforeEach(() => {
      server.fault = undefined
      server.seen.length = 0
    })

    it('may be a signature for one container', async () => {
      const signed = open({ credentials: chainOf({ signature: signatureUntil(new Date(Date.now() + 3_600_000)) }) })
      await signed.put('by signature', [Buffer.from('1')])
      assert.equal(await textOf(signed, 'by signature'), '1')
      assert.deepEqual((await signed.list('by ')).objects, ['by signature'])
      assert.equal(server.seen[0]?.headers.authorization, undefined)
    })

    it('that have expired end in one error, without a secret in it', async () => {
      const signature = signatureUntil(new Date(Date.now() - 3_600_000))
      const expired = open({ credentials: chainOf({ signature }) })
      await assert.rejects(expired.get('a', { atMost: 10 }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'UNAUTHORIZED')
        assert.match(error.message, /^Can't read az:\/\/tests\/objects\/a: /)
        assert.ok(!error.message.includes('sig='), error.message)
        return true
      })
      const detail = 'Signature not valid in the specified time frame'
      const text = `<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>${detail}</AuthenticationErrorDetail></Error>`
      server.fault = () => ({ status: 403, text })
      await assert.rejects(expired.get('a', { atMost: 10 }), {
        message:
          "Can't read az://tests/objects/a: the credentials from the test have expired; get another one, then run the same command again.",
      })
    })

    it('are got again when they have expired', async () => {
      await bucket.put('a', [Buffer.from('1')])
      server.fault = ({ headers }) =>
        headers.authorization === 'Bearer old' ? { status: 401, code: 'InvalidAuthenticationInfo' } : undefined
      assert.equal(await textOf(open({ credentials: chainOf({ token: 'old' }, { key: ACCOUNT_KEY }) }), 'a'), '1')
    })

    it('are refused with a hint', async () => {
      const wrong = open({ credentials: chainOf({ key: Buffer.from('wrong').toString('base64') }) })
      await assert.rejects(wrong.put('a', [Buffer.from('1')]), {
        code: 'UNAUTHORIZED',
        message: /the service refused \(Auth\w+.*check the permissions of the credentials from the test/,
      })
      server.fault = () => ({ status: 401, code: 'NoAuthenticationInformation' })
      await assert.rejects(open({ credentials: undefined }).put('a', [Buffer.from('1')]), {
        code: 'UNAUTHORIZED',
        message: /no credentials were used: set AZURE_STORAGE_CONNECTION_STRING/,
      })
    })

    it('sign by the clock of the service', async () => {
      const later = new Date(Date.now() + 3_600_000)
      const dates: string[] = []
      server.fault = ({ headers }) => {
        dates.push(String(headers['x-ms-date']))
        return dates.length === 1
          ? { status: 403, code: 'AuthenticationFailed', headers: { date: later.toUTCString() } }
          : undefined
      }
      await open()
        .get('a', { atMost: 10 })
        .catch(() => {})
      assert.ok(Math.abs(Date.parse(dates[1] ?? '') - later.getTime()) < 600_000, dates.join())
    })
  })
}
