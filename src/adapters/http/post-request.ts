import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ActionAnswer, ActionTree } from '../../ports/resource.ts'
import { isForeign } from './server-names.ts'

const MAX_BODY_BYTES = 65_536
/** A page of another origin can't set this header without asking first, and the server never allows it. */
const TOKEN_HEADER = 'x-bellis-token'

export interface PostOptions {
  readonly actions: ActionTree
  /** Whether a text is the server's token. */
  readonly isToken: (text: string) => boolean
  readonly onError: (error: unknown) => void
}

/**
 * Answers a request that changes something: JSON from the page of this server itself, with the token in a header besides that in the path.
 * @param path the parts of the path behind the token
 */
export async function answerPost(
  request: IncomingMessage,
  response: ServerResponse,
  path: readonly string[],
  { actions, isToken, onError }: PostOptions,
): Promise<void> {
  const { headers } = request
  const token = headers[TOKEN_HEADER]
  if (typeof token !== 'string' || !isToken(token))
    return send(response, refused(403, `The header ${TOKEN_HEADER} is missing or wrong.`))
  // Browsers name the origin of the page with every POST.
  if (headers.origin === undefined || isForeign(request))
    return send(response, refused(403, 'Only the page of this server may do that.'))
  if (!/^application\/json(?:\s*;|$)/i.test(headers['content-type'] ?? '')) {
    return send(response, refused(415, 'Content-Type: expected application/json.'))
  }
  const text = await readBody(request)
  if (text === undefined) return send(response, refused(413, `The request has more than ${MAX_BODY_BYTES} bytes.`))
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return send(response, refused(400, 'The request is not JSON.'))
  }
  let answer: ActionAnswer
  try {
    answer = (await actions.act(path, body)) ?? refused(404, 'There is nothing here.')
  } catch (error) {
    onError(error)
    answer = refused(500, 'That failed; see the terminal where bellis is running.')
  }
  send(response, answer)
}

const refused = (status: number, error: string): ActionAnswer => ({ status, body: { error } })

/** @returns undefined if it is too long */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_BODY_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function send(response: ServerResponse, { status, body }: ActionAnswer): void {
  response.setHeader('Cache-Control', 'no-store')
  response.setHeader('Content-Type', 'application/json')
  // The rest of a request that was not read must not be taken for another one.
  if (!response.req.complete) response.setHeader('Connection', 'close')
  const text = Buffer.from(JSON.stringify(body))
  response.setHeader('Content-Length', text.length)
  response.writeHead(status).end(text)
}
