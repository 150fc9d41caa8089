import { hostname, userInfo } from 'node:os'
import { hasDesktop, openBrowser } from '../../adapters/browser/open-browser.ts'
import { hostInUrl, isLoopback, LOCAL_HOST } from '../../core/addresses.ts'

/** How a page that was begun to be served is opened. */
export interface OpenFlags {
  readonly open: boolean
  /** Where browsers come in. @default '127.0.0.1' */
  readonly host?: string | undefined
}

/**
 * Opens a page in the user's browser, where there is one; else says how it is reached from another machine.
 * @returns whether it was opened
 */
export async function openPage(
  { open, host = LOCAL_HOST }: OpenFlags,
  { address, port }: { readonly address: string; readonly port: number },
  tell: (text: string) => void,
): Promise<boolean> {
  if (open && hasDesktop() && (await openBrowser(address))) return true
  if (isLoopback(host)) {
    tell(
      `Open it in a browser of this machine. From another one, make a tunnel first, and open the same address there:\n\n  ${tunnel(host, port)}\n`,
    )
  }
  return false
}

/** @param host the loopback address that the server listens at: a tunnel to another one would find nobody */
function tunnel(host: string, port: number): string {
  const user = process.env.USER ?? process.env.LOGNAME ?? userName()
  return `ssh -N -L ${port}:${hostInUrl(host)}:${port} ${user === undefined ? '' : `${user}@`}${hostname()}`
}

function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}

/** Until Ctrl-C, or what else asks a program to end. */
export const untilEnded = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
