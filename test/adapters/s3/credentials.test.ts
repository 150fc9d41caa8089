import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CredentialChain } from '../../../src/adapters/objects/credentials/credential-chain.ts'
import type { Credentials } from '../../../src/adapters/s3/credentials/credentials.ts'
import { findCredentials } from '../../../src/adapters/s3/credentials/find-credentials.ts'
import { parseSections } from '../../../src/adapters/s3/credentials/profile-files.ts'
import { readSettings } from '../../../src/adapters/s3/s3-settings.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const OWN = { AWS_ACCESS_KEY_ID: 'own', AWS_SECRET_ACCESS_KEY: 'own-secret' }
const HANDED_OUT = { AccessKeyId: 'id', SecretAccessKey: 'key', Token: 'token', Expiration: '2100-01-01T00:00:00Z' }
const EXPECTED = { accessKeyId: 'id', secretAccessKey: 'key', sessionToken: 'token', expires: Date.UTC(2100, 0, 1) }
const roleAnswer = (action: string) =>
  `<${action}Response><Credentials><AccessKeyId>id</AccessKeyId><SecretAccessKey>key</SecretAccessKey>` +
  `<SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></${action}Response>`

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: URLSearchParams
}

describe('credentials', () => {
  const folder = temporaryFolder()
  const asked: Asked[] = []
  let answer: (request: Asked) => string | number = () => 500
  let service = ''
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    const { method = '', url: path = '', headers } = request
    const now = { method, path, headers, body: new URLSearchParams(body) }
    asked.push(now)
    const found = answer(now)
    if (typeof found === 'number') response.writeHead(found).end()
    else response.end(found)
  })
  let files: Record<string, string> = {}

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    service = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    files = {
      AWS_CONFIG_FILE: join(folder.path, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder.path, 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_ENDPOINT_URL_STS: service,
    }
  })
  after(() => {
    server.close()
    folder[Symbol.dispose]()
  })

  const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text)
  const find = (env: Record<string, string>) => {
    asked.length = 0
    return findCredentials({ ...files, ...env }, 'eu-west-1')
  }

  it('are those of the environment before all others', async () => {
    write('credentials', '[default]\naws_access_key_id = file\naws_secret_access_key = file-secret\n')
    assert.deepEqual(await find(OWN).get(), { accessKeyId: 'own', secretAccessKey: 'own-secret' })
    const env = { ...OWN, AWS_SESSION_TOKEN: 'short' }
    assert.deepEqual(await find(env).get(), {
      accessKeyId: 'own',
      secretAccessKey: 'own-secret',
      sessionToken: 'short',
    })
  })

  it('are those of the profile that is named, from both files', async () => {
    write('credentials', '[lab]\naws_access_key_id = file\naws_secret_access_key=a=b\n')
    write(
      'config',
      '# mine\n[profile lab]\nregion = eu-north-1\naws_session_token = t\ns3 =\n  addressing_style = path\n',
    )
    const env = { AWS_PROFILE: 'lab' }
    assert.deepEqual(await find(env).get(), { accessKeyId: 'file', secretAccessKey: 'a=b', sessionToken: 't' })
    const { region, isPathStyle } = readSettings({ ...files, ...env })
    assert.deepEqual([region, isPathStyle], ['eu-north-1', true])
    await assert.rejects(find({ AWS_PROFILE: 'other' }).get(), /There is no profile "other"/)
  })

  it('are those of a role, asked for with the credentials of another profile', async () => {
    write('credentials', '[base]\naws_access_key_id = file\naws_secret_access_key = s\n')
    write('config', '[profile lab]\nrole_arn = arn:role\nsource_profile = base\nexternal_id = x\n')
    answer = () => roleAnswer('AssumeRole')
    assert.deepEqual(await find({ AWS_PROFILE: 'lab' }).get(), EXPECTED)
    const [request] = asked as [Asked]
    assert.equal(request.body.get('RoleArn'), 'arn:role')
    assert.equal(request.body.get('ExternalId'), 'x')
    assert.match(request.headers.authorization ?? '', /Credential=file\/\d{8}\/eu-west-1\/sts\//)
  })

  it('are those that a program of the profile prints, and what it prints is in no message', async () => {
    write('credentials', '')
    write('config', `[default]\ncredential_process = echo '${JSON.stringify(HANDED_OUT)}'\n`)
    assert.deepEqual(await find({}).get(), EXPECTED)
    write('config', '[default]\ncredential_process = echo hidden-word\n')
    await assert.rejects(find({}).get(), (error: Error) => !error.message.includes('hidden-word'))
  })

  it('of a profile that signs in through SSO are got by the AWS CLI, and a message says how', async () => {
    write('config', '[profile lab]\nsso_session = mine\n')
    await assert.rejects(find({ AWS_PROFILE: 'lab' }).get(), /aws configure export-credentials --profile lab/)
  })

  it('are those of a web identity, without a signature', async () => {
    write('config', '')
    write('token', 'jwt\n')
    answer = () => roleAnswer('AssumeRoleWithWebIdentity')
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: join(folder.path, 'token'), AWS_ROLE_ARN: 'arn:role' }
    assert.deepEqual(await find(env).get(), EXPECTED)
    const [request] = asked as [Asked]
    assert.equal(request.body.get('WebIdentityToken'), 'jwt')
    assert.equal(request.headers.authorization, undefined)
    answer = () => 403
    await assert.rejects(find(env).get(), { code: 'UNAUTHORIZED' })
  })

  it('are those of the container, with its token', async () => {
    answer = () => JSON.stringify(HANDED_OUT)
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${service}/creds`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pod' }
    assert.deepEqual(await find(env).get(), EXPECTED)
    assert.equal(asked[0]?.headers.authorization, 'pod')
  })

  it('are those of the instance, with version 2 of its service', async () => {
    const env = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: service }
    answer = ({ method, path, headers }) => {
      if (method === 'PUT') return 'session'
      if (headers['x-aws-ec2-metadata-token'] !== 'session') return 401
      return path.endsWith('/') ? 'role\n' : JSON.stringify(HANDED_OUT)
    }
    assert.deepEqual(await find(env).get(), EXPECTED)
    assert.equal(asked.at(-1)?.path, '/latest/meta-data/iam/security-credentials/role')
    answer = () => 404
    assert.equal(await find(env).get(), undefined)
  })

  it('are none where nobody has any, or the user wants none', async () => {
    assert.equal(await find({}).get(), undefined)
    assert.equal(readSettings({ ...files, ...OWN, AWS_NO_SIGN_REQUEST: '1' }).credentials, undefined)
  })
})

describe('a chain of credentials', () => {
  const source = (found: Credentials[]) => ({ name: 's', remedy: 'r', load: async () => found.shift() })
  const of = (accessKeyId: string, expires?: number): Credentials => ({
    accessKeyId,
    secretAccessKey: '',
    ...(expires === undefined ? {} : { expires }),
  })

  it('gets them again five minutes before they expire, once for all who ask', async () => {
    let now = 0
    const chain = new CredentialChain([source([of('a', 1_000_000), of('b')])], () => now)
    assert.equal((await chain.get())?.accessKeyId, 'a')
    now = 699_999
    assert.equal((await chain.get())?.accessKeyId, 'a')
    now = 700_001
    const both = await Promise.all([chain.get(), chain.get()])
    assert.deepEqual(
      both.map((found) => found?.accessKeyId),
      ['b', 'b'],
    )
  })

  it('says whether there are others after some were refused', async () => {
    const chain = new CredentialChain([source([of('a'), of('b'), of('b')])])
    const first = await chain.get()
    assert.equal(await chain.renew(first), true)
    // Another request that was refused with the first ones.
    assert.equal(await chain.renew(first), true)
    assert.equal(await chain.renew(await chain.get()), false)
  })
})

it('a file of profiles has comments, groups and values with equals signs', () => {
  const text =
    '[default]\r\na = 1\r\n; no\n#no\ns3 =\n  max = 3\n  style=path\nb = c = d\n[ profile  x ]\na=2\nbroken\n'
  assert.deepEqual(Object.fromEntries(parseSections(text)), {
    default: { a: '1', 's3.max': '3', 's3.style': 'path', b: 'c = d' },
    'profile x': { a: '2' },
  })
})
