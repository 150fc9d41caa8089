import { createHash } from 'node:crypto'
import { InfrastructureError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { Bucket } from '../objects/bucket.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import type { ObjectCalls, ObjectRequests } from '../objects/object-service.ts'
import { elementsOf, escapeXml, textOf } from '../objects/xml.ts'
import { putParts } from './multipart.ts'
import { S3Protocol } from './s3-protocol.ts'
import { type S3Settings, s3Settings } from './s3-settings.ts'

const LIST_BYTES = 8 * 2 ** 20

export const s3Calls: ObjectCalls = {
  hasEnds: true,
  get: (_, { of, unless }) => ({
    headers: {
      ...(of === undefined ? {} : { 'if-match': of }),
      ...(unless === undefined ? {} : { 'if-none-match': unless }),
    },
  }),
  put: (_key, _body, only) => ({
    method: 'PUT',
    headers: only === 'new' ? { 'if-none-match': '*' } : only === undefined ? {} : { 'if-match': only.of },
  }),
  remove: () => ({}),
  list: (prefix, isDeep, next) => ({
    query: [
      ['list-type', '2'],
      ['prefix', prefix],
      ...(isDeep ? [] : [['delimiter', '/'] as const]),
      ...(next === undefined ? [] : [['continuation-token', next] as const]),
    ],
  }),
  pageOf(xml) {
    if (!xml.slice(-64).includes('</ListBucketResult>')) return undefined
    return {
      objects: elementsOf(xml, 'Contents').map((item) => textOf(item, 'Key') ?? ''),
      folders: elementsOf(xml, 'CommonPrefixes').map((item) => textOf(item, 'Prefix') ?? ''),
      next: textOf(xml, 'IsTruncated') === 'true' ? (textOf(xml, 'NextContinuationToken') ?? '') : undefined,
    }
  },
  versionIn: ({ headers }) => given({ version: headers.get('etag') ?? undefined }),
  putLarge: putParts,
  removeSome,
}

async function removeSome(requests: ObjectRequests, keys: readonly string[]): Promise<void> {
  const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('')
  const body = Buffer.from(
    `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`,
  )
  const { body: answer } = await requests.send({
    method: 'POST',
    action: 'remove',
    key: '',
    query: [['delete', '']],
    headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
    body,
    atMost: LIST_BYTES,
    wrong: ({ body: xml }) =>
      /<DeleteResult[^>]*\/>|<\/DeleteResult>/.test(endOf(xml))
        ? undefined
        : 'the answer does not say what was removed',
  })
  const [failed] = elementsOf(new TextDecoder().decode(answer), 'Error')
  if (failed === undefined) return
  const where = requests.protocol.where(textOf(failed, 'Key') ?? keys[0] ?? '')
  const why = `${textOf(failed, 'Code')}: ${textOf(failed, 'Message')}`
  throw new InfrastructureError('IO_ERROR', `Can't remove ${where}: ${why}.`)
}

/** The end of an answer. */
const endOf = (xml: Uint8Array): string => new TextDecoder().decode(xml.subarray(Math.max(0, xml.length - 256)))

/** The objects of a bucket in S3, or in a service like it. */
export const s3Bucket = (bucket: string, settings: S3Settings = s3Settings(), options: ObjectOptions = {}): Bucket =>
  new Bucket({ protocol: new S3Protocol(bucket, settings), calls: s3Calls }, options)
