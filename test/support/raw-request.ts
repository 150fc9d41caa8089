import { connect } from 'node:net'

export interface RawAnswer {
  /** 0 if the server closed the connection without an answer. */
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/** Sends bytes unchanged, which a client library would not, and returns everything received until the server closes. */
export function sendRaw(port: number, request: string | Uint8Array): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request))
    const parts: Buffer[] = []
    socket.setTimeout(5000, () =>
      socket.destroy(new Error(`no end of the answer to ${JSON.stringify(String(request))}`)),
    )
    socket.on('data', (part) => parts.push(part))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(parse(Buffer.concat(parts)))
      else reject(error)
    })
    socket.on('close', () => resolve(parse(Buffer.concat(parts))))
  })
}

/** Sends a request line and headers over a connection that the server closes after its answer. */
export const requestText = (line: string, headers: readonly string[]): string =>
  `${[line, ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`

function parse(bytes: Buffer): RawAnswer {
  const text = bytes.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, Math.max(0, end)).split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0),
    headers: new Map(headers),
    body: text.slice(end + 4),
  }
}
