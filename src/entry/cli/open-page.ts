import { hostname, userInfo } from 'node:os'
import { hasDesktop, openBrowser } from '../../adapters/browser/open-browser.ts'

/** How a served page is opened. */
export interface OpenFlags {
  readonly open: boolean
  /** Where the page is served. @default '127.0.0.1' */
  readonly host?: string | undefined
}

/**
 * Opens a page in the user's browser, if there is one; otherwise prints how to reach it from another machine.
 * @returns whether it was opened
 */
export async function openPage(
  { open, host = '127.0.0.1' }: OpenFlags,
  { address, port }: { readonly address: string; readonly port: number },
  print: (text: string) => void,
): Promise<boolean> {
  if (open && hasDesktop() && (await openBrowser(address))) return true
  if (host === '127.0.0.1' || host === 'localhost') {
    print(
      `Open it in a browser on this machine. On another machine, start a tunnel first, then open the same address:\n\n  ${tunnel(port)}\n`,
    )
  }
  return false
}

function tunnel(port: number): string {
  const user = process.env.USER ?? process.env.LOGNAME ?? userName()
  return `ssh -N -L ${port}:127.0.0.1:${port} ${user === undefined ? '' : `${user}@`}${hostname()}`
}

function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}

/** Resolves on Ctrl-C, SIGTERM or SIGHUP. */
export const untilEnded = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
