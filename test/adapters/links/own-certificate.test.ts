import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { ownCertificate } from '../../../src/adapters/links/own-certificate.ts'

describe('the certificate of a run', () => {
  it('is signed by its own key, is valid at any time, and can sign nothing', () => {
    const { cert, key } = ownCertificate()
    const certificate = new X509Certificate(cert)
    assert.ok(certificate.verify(certificate.publicKey))
    assert.ok(certificate.checkPrivateKey(createPrivateKey(key)))
    assert.deepEqual([certificate.subject, certificate.issuer, certificate.ca], ['CN=bellis', 'CN=bellis', false])
    assert.equal(certificate.subjectAltName, 'DNS:bellis')
    assert.deepEqual(
      [certificate.validFrom, certificate.validTo],
      ['Jan  1 00:00:00 2000 GMT', 'Dec 31 23:59:59 9999 GMT'],
    )
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
  })

  it('is another one each time, in the shortest encoding whatever its length', () => {
    const made = Array.from({ length: 100 }, () => new X509Certificate(ownCertificate().cert))
    assert.equal(new Set(made.map(({ fingerprint256 }) => fingerprint256)).size, 100)
    assert.equal(new Set(made.map(({ serialNumber }) => serialNumber)).size, 100)
    for (const certificate of made) {
      assert.ok(certificate.verify(certificate.publicKey))
      assert.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/)
      // The outer length says how many bytes follow.
      const [tag, size, high, low] = certificate.raw as unknown as [number, number, number, number]
      assert.deepEqual([tag, size, high * 256 + low], [0x30, 0x82, certificate.raw.length - 4])
    }
  })
})
