import { createHash } from 'node:crypto'
import type { ObjectAnswer } from '../objects/answer.ts'
import { encodeStrictly } from '../objects/object-address.ts'

export const uploadPath = (bucket: string): string => `/upload/storage/v1/b/${encodeStrictly(bucket)}/o`

/** What the service says of an object that was written. */
export interface WrittenObject {
  readonly generation?: string
  readonly size?: string
  readonly md5Hash?: string
}

/** Empty for anything else. */
export function metadataIn({ body }: ObjectAnswer): WrittenObject {
  try {
    return (JSON.parse(new TextDecoder().decode(body)) ?? {}) as WrittenObject
  } catch {
    return {}
  }
}

/** Why an object can't be the one that was sent: it was damaged on its way, or the answer is not the service's. */
export function wrongUpload(answer: ObjectAnswer, ...sent: readonly Uint8Array[]): string | undefined {
  if (answer.status >= 300) return undefined
  const { size, md5Hash } = metadataIn(answer)
  const bytes = sent.reduce((sum, part) => sum + part.length, 0)
  if (size !== String(bytes)) return `the service has ${size ?? 'not said how many'} of ${bytes} bytes`
  if (md5Hash === undefined) return undefined
  const hash = createHash('md5')
  for (const part of sent) hash.update(part)
  return hash.digest('base64') === md5Hash ? undefined : 'the service has received other bytes'
}
