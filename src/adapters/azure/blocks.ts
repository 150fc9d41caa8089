import { createHash, randomBytes } from 'node:crypto'
import { given } from '../../core/given.ts'
import type { LargeObject, ObjectRequests } from '../objects/object-service.ts'
import { cut, sendParts } from '../objects/parts.ts'

/** Most blocks of an object. */
const MOST_BLOCKS = 50_000
const ANSWER_BYTES = 1_000_000

/** Writes an object in blocks, which become visible together with their list. Those without a list are forgotten by the service. */
export async function putBlocks(
  requests: ObjectRequests,
  key: string,
  { pieces, bytes, partBytes, before }: LargeObject,
): Promise<{ readonly version?: string }> {
  const common = { method: 'PUT', action: 'write', key, atMost: ANSWER_BYTES, before } as const
  const size = Math.max(partBytes, Math.ceil(bytes / MOST_BLOCKS))
  // Of this upload alone: another one may have left blocks. All have the same length.
  const upload = randomBytes(9).toString('base64')
  const ids = await sendParts(Math.ceil(bytes / size), async (number) => {
    const id = Buffer.from(`${upload}${String(number).padStart(6, '0')}`).toString('base64')
    const body = cut(pieces, number * size, Math.min(bytes, (number + 1) * size))
    await requests.send({
      ...common,
      query: [
        ['comp', 'block'],
        ['blockid', id],
      ],
      headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
      body,
    })
    return id
  })
  const list = ids.map((id) => `<Latest>${id}</Latest>`).join('')
  const { headers } = await requests.send({
    ...common,
    query: [['comp', 'blocklist']],
    headers: { 'content-type': 'application/xml', 'x-ms-blob-content-type': 'application/octet-stream' },
    body: Buffer.from(`<?xml version="1.0" encoding="utf-8"?><BlockList>${list}</BlockList>`),
  })
  return given({ version: headers.get('etag') ?? undefined })
}
