import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A certificate and its private key, PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/**
 * Makes a new key (ECDSA, P-256) and a certificate that this key has signed itself. Whoever connects recognizes it by its fingerprint, so
 * neither its names nor its dates mean anything, and no authority is needed.
 * @see RFC 5280, sections 4.1 and 4.2
 */
export function ownCertificate(): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signed = toBeSigned(publicKey)
  const certificate = sequence(signed, ECDSA_WITH_SHA256, bitString(sign('sha256', signed, privateKey)))
  return { cert: pem(certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string }
}

function toBeSigned(publicKey: KeyObject): Buffer {
  // A serial number is positive, so its first bit is 0; and not 0 itself.
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40
  return sequence(
    explicit(0, integer(Buffer.from([VERSION_3]))),
    integer(serial),
    ECDSA_WITH_SHA256,
    NAME,
    sequence(FIRST_DAY, LAST_DAY),
    NAME,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(NO_AUTHORITY, ALTERNATIVE_NAME)),
  )
}

// The parts of ASN.1 in DER that a certificate needs: a tag, the length of the content, and the content. See ITU-T X.690.

const [BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OBJECT_ID, UTF8, UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET] = [
  1, 2, 3, 4, 6, 12, 23, 24, 48, 49,
] as const
/** Tags of a context: for a content that is itself encoded, and for plain bytes. */
const [CONSTRUCTED, PRIMITIVE] = [0xa0, 0x80] as const

/** DER allows only the shortest form of a length. Nothing here is longer than two bytes can say. */
function encode(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const long = length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...(length < 128 ? [length] : long)]), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => encode(SEQUENCE, ...parts)
const explicit = (number: number, ...parts: readonly Buffer[]): Buffer => encode(CONSTRUCTED | number, ...parts)
const integer = (bytes: Buffer): Buffer => encode(INTEGER, bytes)
/** No bit of the last byte is unused. */
const bitString = (bytes: Buffer): Buffer => encode(BIT_STRING, Buffer.from([0]), bytes)
const text = (tag: number, content: string): Buffer => encode(tag, Buffer.from(content, 'latin1'))

/** @param bytes how X.690 writes an object identifier */
const objectId = (...bytes: readonly number[]): Buffer => encode(OBJECT_ID, Buffer.from(bytes))

const VERSION_3 = 2
/** 1.2.840.10045.4.3.2 */
const ECDSA_WITH_SHA256 = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))
/** CN=bellis; 2.5.4.3 */
const NAME = sequence(encode(SET, sequence(objectId(0x55, 4, 3), text(UTF8, 'bellis'))))
const FIRST_DAY = text(UTC_TIME, '000101000000Z')
/** What RFC 5280 prescribes for a certificate without an end. */
const LAST_DAY = text(GENERALIZED_TIME, '99991231235959Z')
/** basicConstraints, 2.5.29.19, critical: it can't sign other certificates. */
const NO_AUTHORITY = sequence(
  objectId(0x55, 0x1d, 0x13),
  encode(BOOLEAN, Buffer.from([0xff])),
  encode(OCTET_STRING, sequence()),
)
/** subjectAltName, 2.5.29.17: DNS:bellis */
const ALTERNATIVE_NAME = sequence(
  objectId(0x55, 0x1d, 0x11),
  encode(OCTET_STRING, sequence(text(PRIMITIVE | 2, 'bellis'))),
)

const pem = (der: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`
