import type { ViewStatus } from '../core/view/view.ts'

/** Whether the page can still show what it was opened for. */
export type Connection =
  | { readonly state: 'live' }
  | { readonly state: 'missing'; readonly layers: readonly string[] }
  /** Nobody answers: the server has ended, or the tunnel to it. */
  | { readonly state: 'stopped' }
  /** Another start of the server answers, which has another token. */
  | { readonly state: 'replaced' }

const EVERY_MS = 4000

/** Asks after the server now and then, while somebody looks at the page, and tells what has changed. */
export function watchConnection(onChange: (connection: Connection) => void): void {
  let last = JSON.stringify({ state: 'live' })
  const look = async () => {
    if (document.hidden) return
    const connection = await currentConnection()
    const text = JSON.stringify(connection)
    if (text !== last) onChange(connection)
    last = text
  }
  setInterval(look, EVERY_MS)
  document.addEventListener('visibilitychange', look)
  window.addEventListener('online', look)
}

async function currentConnection(): Promise<Connection> {
  try {
    const response = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(EVERY_MS) })
    if (response.status === 403) return { state: 'replaced' }
    const { missing } = (await response.json()) as ViewStatus
    return missing.length === 0 ? { state: 'live' } : { state: 'missing', layers: missing }
  } catch {
    return { state: 'stopped' }
  }
}
