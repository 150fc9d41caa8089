import type { ViewStatus } from '../../core/view/view.ts'

/** Whether the page can still show its datasets. */
export type Connection =
  | { readonly state: 'live' }
  | { readonly state: 'missing'; readonly layers: readonly string[] }
  /** Chunks of these layers exist but can't be read or decoded. */
  | { readonly state: 'unreadable'; readonly layers: readonly string[]; readonly chunks: number }
  /** No answer: the server or the tunnel to it has ended. */
  | { readonly state: 'stopped' }
  /** The server was started again and has another token. */
  | { readonly state: 'replaced' }

const EVERY_MS = 4000

/**
 * Checks the server and the data regularly while the page is visible, and reports changes.
 * @param unreadable the number of unreadable chunks of each layer
 */
export function watchConnection(
  onChange: (connection: Connection) => void,
  unreadable: () => Promise<ReadonlyMap<string, number>>,
): void {
  let last = JSON.stringify({ state: 'live' })
  const check = async () => {
    if (document.hidden) return
    const connection = await currentConnection(unreadable)
    const text = JSON.stringify(connection)
    if (text !== last) onChange(connection)
    last = text
  }
  setInterval(check, EVERY_MS)
  document.addEventListener('visibilitychange', check)
  window.addEventListener('online', check)
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
