import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { readAzureSettings } from '../../../src/adapters/azure/azure-settings.ts'
import { sharedKeyHeader } from '../../../src/adapters/azure/shared-key.ts'
import { parseObjectAddress, showObjectAddress } from '../../../src/adapters/objects/object-address.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const TOKEN = JSON.stringify({ access_token: 'token', expires_on: '4102444800', token_type: 'Bearer' })
const EXPECTED = { token: 'token', expires: Date.UTC(2100, 0, 1) }

interface Asked {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly form: Readonly<Record<string, string>>
}

describe('credentials for a storage account', () => {
  const folder = temporaryFolder()
  const asked: Asked[] = []
  let status = 200
  let service = ''
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    const { url: path = '', headers } = request
    asked.push({ path, headers, form: Object.fromEntries(new URLSearchParams(body)) })
    response.writeHead(status).end(status === 200 ? TOKEN : 'no')
  })
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    service = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => {
    asked.length = 0
    status = 200
  })
  after(() => {
    server.close()
    folder[Symbol.dispose]()
  })

  /** Nothing of this machine counts: no address of a machine, no CLI. */
  const read = (env: Record<string, string>, account = 'mine') =>
    readAzureSettings(account, { AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:9', PATH: folder.path, ...env })
  const held = (env: Record<string, string>, account = 'mine') => read(env, account).credentials?.get()

  it('are those of a connection string, for its account alone', async () => {
    const env = {
      AZURE_STORAGE_CONNECTION_STRING:
        'DefaultEndpointsProtocol=https;AccountName=mine;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn',
    }
    assert.deepEqual(await held(env), { key: 'a2V5==' })
    assert.equal(read(env).endpoint, 'https://mine.blob.core.chinacloudapi.cn')
    assert.equal(await held(env, 'other'), undefined)
    assert.equal(read(env, 'other').endpoint, 'https://other.blob.core.windows.net')
    const shared = {
      AZURE_STORAGE_CONNECTION_STRING: 'BlobEndpoint=https://mine.example.org/;SharedAccessSignature=?sv=1&sig=2',
    }
    assert.deepEqual(await held(shared), { signature: 'sv=1&sig=2' })
    assert.equal(read(shared).endpoint, 'https://mine.example.org')
    const emulator = { AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true' }
    assert.equal(read(emulator, 'devstoreaccount1').endpoint, 'http://127.0.0.1:10000/devstoreaccount1')
  })

  it('are a key or a signature in variables', async () => {
    assert.deepEqual(await held({ AZURE_STORAGE_KEY: 'key' }), { key: 'key' })
    assert.deepEqual(await held({ AZURE_STORAGE_SAS_TOKEN: '?sv=1' }), { signature: 'sv=1' })
    assert.equal(await held({ AZURE_STORAGE_KEY: 'key', AZURE_STORAGE_ACCOUNT: 'other' }), undefined)
  })

  it('are tokens of an application, with a secret or a workload identity', async () => {
    const application = { AZURE_CLIENT_ID: 'id', AZURE_TENANT_ID: 'tenant', AZURE_AUTHORITY_HOST: service }
    assert.deepEqual(await held({ ...application, AZURE_CLIENT_SECRET: 'secret' }), EXPECTED)
    const file = join(folder.path, 'federated')
    writeFileSync(file, 'assertion\n')
    assert.deepEqual(await held({ ...application, AZURE_FEDERATED_TOKEN_FILE: file }), EXPECTED)
    assert.equal(asked[0]?.path, '/tenant/oauth2/v2.0/token')
    assert.equal(asked[0]?.form.client_secret, 'secret')
    assert.equal(asked[1]?.form.client_assertion, 'assertion')
    assert.equal(asked[1]?.form.scope, 'https://storage.azure.com/.default')
    status = 401
    await assert.rejects(held({ ...application, AZURE_CLIENT_SECRET: 'secret' }) as Promise<unknown>, {
      code: 'UNAUTHORIZED',
      message: /Can't get credentials from the application AZURE_CLIENT_ID: status 401/,
    })
  })

  it('are tokens of the machine, or of the application that runs there', async () => {
    assert.deepEqual(await held({ AZURE_POD_IDENTITY_AUTHORITY_HOST: service }), EXPECTED)
    assert.equal(asked[0]?.headers.metadata, 'true')
    assert.match(asked[0]?.path ?? '', /^\/metadata\/identity\/oauth2\/token\?api-version=2018-02-01&resource=https/)
    assert.deepEqual(await held({ IDENTITY_ENDPOINT: `${service}/msi`, IDENTITY_HEADER: 'header' }), EXPECTED)
    assert.equal(asked[1]?.headers['x-identity-header'], 'header')
  })

  it('are tokens of the Azure CLI', async () => {
    const program = join(folder.path, 'az')
    const answer = JSON.stringify({ accessToken: 'token', expires_on: 4102444800 })
    writeFileSync(program, `#!/bin/sh\necho '${answer}'\n`)
    chmodSync(program, 0o755)
    assert.deepEqual(await held({}), EXPECTED)
    writeFileSync(program, '#!/bin/sh\necho "Please run az login" >&2; exit 1\n')
    assert.equal(await held({}), undefined)
  })

  it('are none where the user says so', () => {
    assert.equal(read({ AZURE_STORAGE_ANON: '1', AZURE_STORAGE_KEY: 'key' }).credentials, undefined)
  })

  it('are in no error about a connection string', () => {
    for (const text of ['secret', 'BlobEndpoint=ftp://host;AccountKey=secret']) {
      assert.throws(
        () => read({ AZURE_STORAGE_CONNECTION_STRING: text }),
        (error: Error & { code?: string }) => error.code === 'INVALID_CONFIG' && !error.message.includes('secret'),
      )
    }
  })

  it('sign what the documentation of Azure says is signed', () => {
    const url = new URL('https://mine.blob.core.windows.net/box/a%20b?restype=container&comp=list&prefix=a%2Fb')
    const headers = { 'x-ms-version': '2', 'x-ms-date': 'now', range: 'bytes=0-1' }
    const one = sharedKeyHeader({ method: 'GET', url, headers, bytes: 0 }, 'mine', 'a2V5')
    assert.match(one, /^SharedKey mine:[\w+/]{43}=$/)
    for (const other of [
      { method: 'PUT', url, headers, bytes: 0 },
      { method: 'GET', url, headers, bytes: 1 },
      { method: 'GET', url, headers: { ...headers, range: 'bytes=0-2' }, bytes: 0 },
      { method: 'GET', url: new URL(`${url}c`), headers, bytes: 0 },
    ]) {
      assert.notEqual(sharedKeyHeader(other, 'mine', 'a2V5'), one)
    }
  })
})

describe('an address in Azure Blob Storage', () => {
  it('has an account, a container and a key', () => {
    const parsed = parseObjectAddress('AZ://mine//box/a.zarr//raw/')
    assert.deepEqual(parsed, { scheme: 'az', bucket: 'mine/box', key: 'a.zarr/raw' })
    assert.equal(showObjectAddress(parsed), 'az://mine/box/a.zarr/raw')
    for (const wrong of ['az://mine', 'az:///box/a', 'az://m.i/box/a', 'az://mine/b.x/a', 'az://mine/box/../a']) {
      assert.throws(() => parseObjectAddress(wrong), { code: 'INVALID_CONFIG' })
    }
  })
})
