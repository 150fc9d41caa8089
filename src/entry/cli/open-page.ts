import { hostname, userInfo } from 'node:os'
import { resolve } from 'node:path'
import { fileOpener, hasDesktop, openBrowser } from '../../adapters/browser/open-browser.ts'
import { findProgram } from '../../adapters/processes/find-program.ts'
import { hostInUrl, isLoopback, LOCAL_HOST } from '../../core/addresses.ts'
import { quoteShell } from '../../core/shell-words.ts'
import { addressFile } from '../pages/address-file.ts'
import type { CommonOptions } from './options.ts'
import { warn } from './output.ts'

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
  { open, host = LOCAL_HOST }: OpenFlags,
  { address, port }: { readonly address: string; readonly port: number },
  print: (text: string) => void,
): Promise<boolean> {
  if (open && hasDesktop() && (await openBrowser(address))) return true
  if (isLoopback(host)) {
    print(
      `Open it in a browser on this machine. On another machine, start a tunnel first, then open the same address:\n\n  ${tunnel(host, port)}\n`,
    )
  }
  return false
}

/** What opens a file here, for a shell: a command, or only the path of the file if there is no desktop or no such program. */
export function openCommand(
  file: string,
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const opener = fileOpener(platform)
  // Windows has it in its shells.
  const isThere = hasDesktop(env, platform) && (platform === 'win32' || findProgram(opener, env) !== undefined)
  return `${isThere ? `${opener} ` : ''}${quoteShell(file)}`
}

/**
 * Says what a page means that is served to other machines.
 * @param what whoever has its address can do: `see the state of the run`
 */
export function warnOfExposure(flags: CommonOptions, host: string | undefined, what: string): void {
  if (host === undefined || isLoopback(host)) return
  warn(
    flags,
    `the page at ${host} is not encrypted: whoever can read the network can read its address, and ${what}. An ssh tunnel to 127.0.0.1 avoids that.`,
  )
}

/** What whoever has the address of a run's page can do. @param control whether the page can change the run */
export const whatPagesAllow = (control = false): string =>
  control ? 'see, stop and change the run' : 'see the state of the run and its volumes'

/** The address of a page for a stream that others may read unless it is a terminal: then, where the address is. */
export const pageText = (address: string, file: string, { isTTY }: { readonly isTTY?: boolean }): string =>
  isTTY ? address : `its address is in ${resolve(file)}, which only you can read`

/**
 * What a command prints on standard output for the address of its page: the address on a terminal, and for programs (--json, --quiet);
 * otherwise the name of a file with it. Disposing removes that file.
 */
export function printedAddress(
  address: string,
  { json, quiet }: { readonly json?: boolean; readonly quiet?: boolean },
): Disposable & { readonly text: string } {
  if (process.stdout.isTTY || json || quiet) return { text: address, [Symbol.dispose]() {} }
  const file = addressFile(address)
  return { text: pageText(address, file.path, process.stdout), [Symbol.dispose]: () => file[Symbol.dispose]() }
}

/** @param host the loopback address at which the server listens; a tunnel to another address would reach nothing */
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

/** Resolves on Ctrl-C, SIGTERM or SIGHUP. */
export const untilEnded = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
