import { httpRequest } from '../../http/http-request.ts'
import { MAX_METADATA_BYTES } from '../store.ts'

/**
 * What a server calls the version of an object: its entity tag, or the time of its last change. One request, not repeated.
 * @returns undefined if it does not say, and if there is no such object
 * @throws whatever fetch throws for a lost connection
 */
export async function versionAt(url: string, signal: AbortSignal): Promise<string | undefined> {
  const answer = await httpRequest({
    ...{ url, range: 'bytes=0-0', atMost: MAX_METADATA_BYTES, signal, received: () => {} },
  })
  return typeof answer === 'object' && 'body' in answer ? answer.version?.value : undefined
}
