import { InfrastructureError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import type { ObjectAnswer } from '../objects/answer.ts'
import type { ObjectRequest } from '../objects/object-request.ts'
import type { LargeObject, ObjectRequests } from '../objects/object-service.ts'
import { cut } from '../objects/parts.ts'
import { metadataIn, uploadPath, wrongUpload } from './uploads.ts'

const ANSWER_BYTES = 1_000_000
/** The answer to a part that is not the last one. */
const GOES_ON = 308
/** Answers to the end of an upload: that it has ended, or that there is none. */
const ENDED = [404, 410, 499]

/**
 * Writes an object part by part; it becomes visible with the last one. What has arrived is asked for after each failure, and the rest is sent.
 * @see https://cloud.google.com/storage/docs/resumable-uploads
 */
export async function putResumable(
  requests: ObjectRequests,
  key: string,
  { pieces, bytes, partBytes, before }: LargeObject,
): Promise<{ readonly version?: string }> {
  const common = { action: 'write', key, atMost: ANSWER_BYTES, before }
  const { headers } = await requests.send({
    ...common,
    method: 'POST',
    path: uploadPath(requests.protocol.bucket),
    query: [
      ['uploadType', 'resumable'],
      ['name', key],
    ],
    headers: { 'content-type': 'application/json', 'x-upload-content-type': 'application/octet-stream' },
    body: Buffer.from('{}'),
  })
  const path = headers.get('location')
  if (path === null) throw failed(requests, key, 'the service gave no address for its parts')
  const part = (range: string, body?: Uint8Array): ObjectRequest => ({
    ...common,
    ...given({ body }),
    method: 'PUT',
    path,
    headers: { 'content-range': `bytes ${range}/${bytes}` },
    expected: [GOES_ON],
  })
  try {
    let answer: ObjectAnswer
    let sent = 0
    do {
      const end = Math.min(bytes, sent + partBytes)
      const body = cut(pieces, sent, end)
      answer = await requests.send({ ...part(`${sent}-${end - 1}`, body), again: part('*') })
      const arrived = arrivedIn(answer)
      if (answer.status === GOES_ON && (arrived < sent || arrived >= bytes)) {
        throw failed(requests, key, `the service has ${arrived} bytes of it after ${sent} were there`)
      }
      sent = arrived
    } while (answer.status === GOES_ON)
    const wrong = wrongUpload(answer, ...pieces)
    if (wrong !== undefined) throw failed(requests, key, wrong)
    return given({ version: metadataIn(answer).generation })
  } catch (error) {
    await requests.send({ ...common, before: undefined, method: 'DELETE', path, expected: ENDED }).catch(() => {})
    throw error
  }
}

/** How many bytes the service has. */
function arrivedIn({ headers }: ObjectAnswer): number {
  const last = /^bytes=0-(\d+)$/.exec(headers.get('range') ?? '')?.[1]
  return last === undefined ? 0 : Number(last) + 1
}

const failed = ({ protocol }: ObjectRequests, key: string, why: string): InfrastructureError =>
  new InfrastructureError('IO_ERROR', `Can't write ${protocol.where(key)}: ${why}.`)
