import { ConfigError } from '../../core/errors.ts'

/** What a worker needs to connect: the coordinator's address, and its token. */
export interface RunContext {
  readonly host: string
  readonly port: number
  readonly token: string
  /** SHA-256 of the certificate in DER, hexadecimal. The connection uses TLS and accepts only this certificate. */
  readonly fingerprint?: string
  /** Whether it came from the file of a run, which is written again at each start of the run. @default false */
  readonly isRenewed?: boolean
}

/** `bellis://<token>@<host>:<port>[?tls=<fingerprint>]` */
export function showContext({ host, port, token, fingerprint }: RunContext): string {
  const name = host.includes(':') ? `[${host}]` : host
  return `bellis://${token}@${name}:${port}${fingerprint === undefined ? '' : `?tls=${fingerprint}`}`
}

/** @throws ConfigError `INVALID_CONFIG`; the message does not show the text, which is a secret */
export function parseContext(text: string): RunContext {
  const url = URL.parse(text.trim())
  const fingerprint = url?.searchParams.get('tls') ?? undefined
  const isValid =
    url?.protocol === 'bellis:' &&
    /^[0-9a-f]{32}$/.test(url.username) &&
    url.hostname !== '' &&
    url.port !== '' &&
    (fingerprint === undefined || /^[0-9a-f]{64}$/.test(fingerprint))
  if (!isValid) {
    throw new ConfigError(
      'INVALID_CONFIG',
      'The context of the run (BELLIS_CONTEXT, or the file "context" in its folder) is invalid: expected bellis://TOKEN@HOST:PORT. Copy it completely.',
    )
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port),
    token: url.username,
    ...(fingerprint === undefined ? {} : { fingerprint }),
  }
}
