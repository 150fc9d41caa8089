import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeStrictly, parseObjectAddress, showObjectAddress } from '../../../src/adapters/objects/object-address.ts'
import { webAddressOf } from '../../../src/adapters/s3/s3-address.ts'
import { signedHeaders } from '../../../src/adapters/s3/signature.ts'
import type { ConfigError } from '../../../src/core/errors.ts'

const KEYS = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const SCOPE = { region: 'us-east-1', service: 's3', date: new Date('2013-05-24T00:00:00Z') }
const HOST = 'https://examplebucket.s3.amazonaws.com'

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

const signatureOf = (path: string, { method = 'GET', headers = {}, body = '' }: Asked = {}) => {
  const request = { method, url: new URL(HOST + path), headers, body: Buffer.from(body) }
  return /Signature=(.*)/.exec(signedHeaders(request, KEYS, SCOPE).authorization as string)?.[1]
}

describe('a signature', () => {
  it('is that of the examples in the documentation of S3', () => {
    assert.equal(
      signatureOf('/test.txt', { headers: { range: 'bytes=0-9' } }),
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    )
    assert.equal(
      signatureOf('/test%24file.text', {
        method: 'PUT',
        headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        body: 'Welcome to Amazon S3.',
      }),
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    )
    assert.equal(signatureOf('/?lifecycle'), 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543')
    assert.equal(
      signatureOf('/?prefix=J&max-keys=2'),
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    )
  })

  it('covers the token of temporary credentials, and contains no secret', () => {
    const request = { method: 'GET', url: new URL(`${HOST}/a`), headers: {}, body: new Uint8Array(0) }
    const headers = signedHeaders(request, { ...KEYS, sessionToken: 'token' }, SCOPE)
    assert.equal(headers['x-amz-security-token'], 'token')
    assert.match(headers.authorization as string, /SignedHeaders=[^,]*x-amz-security-token/)
    assert.ok(!JSON.stringify(headers).includes(KEYS.secretAccessKey))
  })
})

const service = { endpoint: undefined, region: 'eu-central-1', isPathStyle: false }

describe('the address of an object', () => {
  it('has one spelling, whatever its slashes', () => {
    assert.equal(showObjectAddress(parseObjectAddress('S3://b//a.zarr///raw/')), 's3://b/a.zarr/raw')
    assert.equal(showObjectAddress(parseObjectAddress('s3://b/')), 's3://b')
  })

  it('leads to the bucket by its host, and by its path for a service of one’s own or a name with dots', () => {
    const place = { bucket: 'b', key: 'a/c' }
    const own = { ...service, endpoint: 'http://127.0.0.1:9000/s3/', isPathStyle: true }
    assert.equal(webAddressOf(service, place).href, 'https://b.s3.eu-central-1.amazonaws.com/a/c')
    assert.equal(webAddressOf(own, place).href, 'http://127.0.0.1:9000/s3/b/a/c')
    assert.equal(
      webAddressOf(service, { bucket: 'b.org', key: '' }, [['prefix', 'a b/']]).href,
      'https://s3.eu-central-1.amazonaws.com/b.org?prefix=a%20b%2F',
    )
    assert.equal(webAddressOf({ ...service, region: 'cn-north-1' }, place).host, 'b.s3.cn-north-1.amazonaws.com.cn')
  })

  it('is refused where a web address would lead elsewhere, or has no bucket', () => {
    for (const wrong of ['s3://', 's3:///a', 's3://b/../c', 's3://b/a/./c', 's3://b@c/a', 's3://../a']) {
      assert.throws(
        () => parseObjectAddress(wrong),
        (error: ConfigError) => error.code === 'INVALID_CONFIG' && error.message.startsWith(wrong),
        wrong,
      )
    }
    assert.throws(() => webAddressOf(service, { bucket: 'b', key: 'a/..' }), { code: 'INVALID_CONFIG' })
    assert.throws(() => webAddressOf({ ...service, endpoint: 'minio:9000' }, { bucket: 'b', key: '' }), {
      code: 'INVALID_CONFIG',
    })
  })

  it('keeps any key to the last character', () =>
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(name !== '.' && name !== '..' && !name.includes('/'))
        const { pathname } = webAddressOf({ ...service, isPathStyle: true }, { bucket: 'b', key: name })
        assert.equal(pathname, `/b/${encodeStrictly(name)}`)
        assert.equal(decodeURIComponent(pathname.slice(3)), name)
      }),
    ))
})
