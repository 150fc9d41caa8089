import { InfrastructureError } from '../../core/errors.ts'
import type { LargeObject, ObjectRequests } from '../objects/object-service.ts'
import { cut, sendParts } from '../objects/parts.ts'
import { escapeXml, textOf } from '../objects/xml.ts'

/** Most parts of an object. */
const MOST_PARTS = 10_000
const ANSWER_BYTES = 1_000_000

/** Writes an object in parts, which become visible together at the end. If that fails, the parts are removed. */
export async function putParts(
  requests: ObjectRequests,
  key: string,
  { pieces, bytes, partBytes, before }: LargeObject,
): Promise<{ readonly version?: string }> {
  const common = { action: 'write', key, atMost: ANSWER_BYTES, before }
  const started = await requests.send({ ...common, method: 'POST', query: [['uploads', '']] })
  const upload = textOf(new TextDecoder().decode(started.body), 'UploadId')
  if (upload === undefined) throw failed(requests, key, 'the service gave no id for its parts')
  try {
    const size = Math.max(partBytes, Math.ceil(bytes / MOST_PARTS))
    const tags = await sendParts(Math.ceil(bytes / size), async (number) => {
      const body = cut(pieces, number * size, Math.min(bytes, (number + 1) * size))
      const query = [
        ['partNumber', String(number + 1)],
        ['uploadId', upload],
      ] as const
      const version = (await requests.send({ ...common, method: 'PUT', query, body })).headers.get('etag')
      if (version === null) throw failed(requests, key, `the service gave no tag for part ${number + 1}`)
      return version
    })
    const list = tags.map((tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${escapeXml(tag)}</ETag></Part>`)
    const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`)
    const answer = await requests.send({ ...common, method: 'POST', query: [['uploadId', upload]], body })
    // It may fail after its status was sent.
    const xml = new TextDecoder().decode(answer.body)
    if (!xml.includes('</CompleteMultipartUploadResult>'))
      throw failed(requests, key, textOf(xml, 'Message') ?? 'its parts were not joined')
    const version = textOf(xml, 'ETag')
    return version === undefined ? {} : { version }
  } catch (error) {
    const abort = {
      action: 'write',
      key,
      atMost: ANSWER_BYTES,
      query: [['uploadId', upload]],
      expected: [404],
    } as const
    await requests.send({ ...abort, method: 'DELETE' }).catch(() => {})
    throw error
  }
}

const failed = ({ protocol }: ObjectRequests, key: string, why: string): InfrastructureError =>
  new InfrastructureError('IO_ERROR', `Can't write ${protocol.where(key)}: ${why}.`)
