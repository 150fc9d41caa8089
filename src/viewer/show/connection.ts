import type { ViewStatus } from '../../core/view/view.ts'

/** Whether the page can still show what it was opened for. */
export type Connection =
  | { readonly state: 'live' }
  | { readonly state: 'missing'; readonly layers: readonly string[] }
  /** So many chunks of these layers are there, but can't be read or decoded. */
  | { readonly state: 'unreadable'; readonly layers: readonly string[]; readonly chunks: number }
  /** Nobody answers: the server has ended, or the tunnel to it. */
  | { readonly state: 'stopped' }
  /** Another start of the server answers, which has another token. */
  | { readonly state: 'replaced' }

const EVERY_MS = 4000

/**
 * Asks after the server and the data now and then, while somebody looks at the page, and tells what has changed.
 * @param unreadable how many chunks of each layer could not be read
 */
export function watchConnection(
  onChange: (connection: Connection) => void,
  unreadable: () => Promise<ReadonlyMap<string, number>>,
): void {
  let last = JSON.stringify({ state: 'live' })
  const look = async () => {
    if (document.hidden) return
    const connection = await currentConnection(unreadable)
    const text = JSON.stringify(connection)
    if (text !== last) onChange(connection)
    last = text
  }
  setInterval(look, EVERY_MS)
  document.addEventListener('visibilitychange', look)
  window.addEventListener('online', look)
}

async function currentConnection(unreadable: () => Promise<ReadonlyMap<string, number>>): Promise<Connection> {
  try {
    const response = await fetch('status.json', { cache: 'no-store', signal: AbortSignal.timeout(EVERY_MS) })
    if (response.status === 403) return { state: 'replaced' }
    const { missing } = (await response.json()) as ViewStatus
    if (missing.length > 0) return { state: 'missing', layers: missing }
    const holes = [...(await unreadable())].filter(([, chunks]) => chunks > 0)
    if (holes.length === 0) return { state: 'live' }
    const chunks = holes.reduce((sum, [, count]) => sum + count, 0)
    return { state: 'unreadable', layers: holes.map(([name]) => name), chunks }
  } catch {
    return { state: 'stopped' }
  }
}
