import { InfrastructureError } from '../../core/errors.ts'
import { showS3Address } from './s3-address.ts'
import { versionIn } from './s3-answer.ts'
import type { S3Requests } from './s3-requests.ts'
import { escapeXml, textOf } from './xml.ts'

/** Most parts of an object. */
const MOST_PARTS = 10_000
const AT_ONCE = 4
const ANSWER_BYTES = 1_000_000

export interface PutParts {
  readonly bytes: number
  readonly partBytes: number
  readonly before?: (() => Promise<void>) | undefined
}

/** Writes an object in parts, which become visible together at the end. If that fails, the parts are removed. */
export async function putParts(
  requests: S3Requests,
  key: string,
  pieces: readonly Uint8Array[],
  { bytes, partBytes, before }: PutParts,
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
      const { version } = versionIn(await requests.send({ ...common, method: 'PUT', query, body }))
      if (version === undefined) throw failed(requests, key, `the service gave no tag for part ${number + 1}`)
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

const failed = ({ bucket }: S3Requests, key: string, why: string): InfrastructureError =>
  new InfrastructureError('IO_ERROR', `Can't write ${showS3Address({ bucket, key })}: ${why}.`)

/** @param send returns the tag of a part @returns the tags of all, in order */
async function sendParts(count: number, send: (number: number) => Promise<string>): Promise<string[]> {
  const tags: string[] = []
  let next = 0
  const lane = async () => {
    while (next < count) {
      const number = next++
      tags[number] = await send(number).catch((error) => {
        next = count
        throw error
      })
    }
  }
  const lanes = Array.from({ length: Math.min(AT_ONCE, count) }, lane)
  // No part may still be on its way when they are removed.
  const failure = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason
  return tags
}

/** Bytes of pieces that follow each other, without a copy if one has them all. */
function cut(pieces: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const found: Uint8Array[] = []
  let start = 0
  for (const piece of pieces) {
    const [first, last] = [Math.max(from - start, 0), Math.min(to - start, piece.length)]
    if (first < last) found.push(piece.subarray(first, last))
    start += piece.length
  }
  return found.length === 1 ? (found[0] as Uint8Array) : Buffer.concat(found)
}
