import assert from 'node:assert/strict'
import { createVerify, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { findGoogleCredentials } from '../../../src/adapters/gs/credentials/find-credentials.ts'
import { readGsSettings } from '../../../src/adapters/gs/gs-settings.ts'
import { temporaryFolder } from '../../support/command-line.ts'

interface Asked {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const TOKEN = JSON.stringify({ access_token: 'token', expires_in: 3600, token_type: 'Bearer' })

describe('credentials for Google Cloud Storage', () => {
  const folder = temporaryFolder()
  const asked: Asked[] = []
  let answers: Record<string, string | number> = {}
  let service = ''
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    const { url: path = '', headers } = request
    asked.push({ path, headers, body })
    const found = answers[path] ?? 404
    if (typeof found === 'number') response.writeHead(found).end('no')
    else response.end(found)
  })
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    service = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => {
    asked.length = 0
    answers = { '/token': TOKEN }
  })
  after(() => {
    server.close()
    folder[Symbol.dispose]()
  })

  let written = 0
  const write = (fields: object | string) => {
    const file = join(folder.path, `${written++}.json`)
    writeFileSync(file, typeof fields === 'string' ? fields : JSON.stringify(fields))
    return file
  }
  /** Nothing of this machine counts. */
  const find = (env: Record<string, string>) =>
    findGoogleCredentials({ HOME: folder.path, NO_GCE_CHECK: 'true', ...env })
  const named = (fields: object | string) => find({ GOOGLE_APPLICATION_CREDENTIALS: write(fields) })
  const key = () => ({
    type: 'service_account',
    client_email: 'robot@project.example',
    private_key_id: 'k1',
    private_key: pem,
    token_uri: `${service}/token`,
  })

  it('are those of a service account, whose key signs the request for a token', async () => {
    const chain = named(key())
    const held = await chain.get()
    assert.equal(held?.token, 'token')
    assert.ok(Math.abs((held?.expires ?? 0) - Date.now() - 3_600_000) < 60_000)
    const form = new URLSearchParams(asked[0]?.body)
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer')
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.')
    assert.ok(createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url'))
    const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
    assert.deepEqual(decode(header), { alg: 'RS256', typ: 'JWT', kid: 'k1' })
    const { iat, exp, ...others } = decode(claims)
    assert.equal(exp - iat, 3600)
    assert.deepEqual(others, {
      iss: 'robot@project.example',
      scope: 'https://www.googleapis.com/auth/devstorage.read_write',
      aud: `${service}/token`,
    })
    await chain.get()
    assert.equal(asked.length, 1, 'kept until it is about to expire')
  })

  it('are those of a user who has signed in with gcloud', async () => {
    const user = {
      type: 'authorized_user',
      client_id: 'id',
      client_secret: 'secret',
      refresh_token: 'refresh',
      token_uri: `${service}/token`,
    }
    const home = join(folder.path, 'home', '.config', 'gcloud')
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'application_default_credentials.json'), JSON.stringify(user))
    const chain = find({ HOME: join(folder.path, 'home') })
    assert.equal((await chain.get())?.token, 'token')
    assert.deepEqual(Object.fromEntries(new URLSearchParams(asked[0]?.body)), {
      grant_type: 'refresh_token',
      client_id: 'id',
      client_secret: 'secret',
      refresh_token: 'refresh',
    })
    assert.match(chain.source?.remedy ?? '', /gcloud auth application-default login/)
  })

  it('are those of the machine', async () => {
    const account = '/computeMetadata/v1/instance/service-accounts/default'
    answers = { [`${account}/email`]: 'machine@project.example', [`${account}/token`]: TOKEN }
    const chain = find({ NO_GCE_CHECK: '', GCE_METADATA_HOST: service.slice('http://'.length) })
    assert.equal((await chain.get())?.token, 'token')
    assert.ok(asked.every(({ headers }) => headers['metadata-flavor'] === 'Google'))
  })

  it('are exchanged for the token of another identity, which may act for a service account', async () => {
    const external = {
      type: 'external_account',
      audience: 'the pool',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${service}/token`,
      service_account_impersonation_url: `${service}/impersonate`,
      credential_source: { file: write({ jwt: 'subject' }), format: { type: 'json', subject_token_field_name: 'jwt' } },
    }
    answers['/impersonate'] = JSON.stringify({ accessToken: 'of the account', expireTime: '2100-01-01T00:00:00Z' })
    const held = await named(external).get()
    assert.deepEqual(held, { token: 'of the account', expires: Date.UTC(2100, 0, 1) })
    const form = new URLSearchParams(asked[0]?.body)
    assert.equal(form.get('subject_token'), 'subject')
    assert.equal(form.get('audience'), 'the pool')
    assert.equal(asked[1]?.headers.authorization, 'Bearer token')
    answers['/subject'] = 'from an address'
    const byAddress = { ...external, credential_source: { url: `${service}/subject`, headers: { 'x-why': 'test' } } }
    const { service_account_impersonation_url: _, ...direct } = byAddress
    assert.equal((await named(direct).get())?.token, 'token')
    assert.equal(asked[2]?.headers['x-why'], 'test')
    assert.equal(new URLSearchParams(asked[3]?.body).get('subject_token'), 'from an address')
  })

  it('are none where nobody has signed in, and for an emulator', async () => {
    assert.equal(await find({}).get(), undefined)
    assert.equal(await find({ NO_GCE_CHECK: '', GCE_METADATA_HOST: '127.0.0.1:9' }).get(), undefined)
    assert.equal(readGsSettings({ STORAGE_EMULATOR_HOST: 'localhost:4443' }).credentials, undefined)
    assert.equal(readGsSettings({ STORAGE_EMULATOR_HOST: 'localhost:4443' }).endpoint, 'http://localhost:4443')
    assert.throws(() => readGsSettings({ STORAGE_EMULATOR_HOST: 'http://:x' }), { code: 'INVALID_CONFIG' })
  })

  for (const [what, fields, message] of [
    ['is no JSON', 'key', /Can't use the credentials in .*\.json: .*JSON/],
    [
      'is of another kind',
      { type: 'impersonated' },
      /credentials of the type "impersonated"; use the key of a service/,
    ],
    ['lacks a field', { type: 'authorized_user', client_id: 'a' }, /it has no "client_secret"/],
    ['has no key', { type: 'service_account', client_email: 'a', private_key: 'b' }, /its private_key is no key/],
    [
      'names a source of tokens that is not read',
      {
        type: 'external_account',
        audience: 'a',
        subject_token_type: 'b',
        credential_source: { environment_id: 'aws1' },
      },
      /its token comes from no file or address; use the key of a service account/,
    ],
  ] as const) {
    it(`are refused in a file that ${what}`, async () => {
      await assert.rejects(named(fields).get(), { code: 'UNAUTHORIZED', message })
    })
  }

  it('are refused where the service hands out none, without a secret in the error', async () => {
    answers = { '/token': 401 }
    await assert.rejects(named(key()).get(), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'UNAUTHORIZED')
      assert.match(error.message, /Can't get credentials from the key in .*: status 401: no\./)
      assert.ok(!error.message.includes('PRIVATE'))
      return true
    })
    for (const text of ['{}', '{"access_token":"a b"}', '<html>']) {
      answers = { '/token': text }
      await assert.rejects(named(key()).get(), { code: 'UNAUTHORIZED' })
    }
  })
})
