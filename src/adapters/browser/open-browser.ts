import { spawn } from 'node:child_process'

/** Whether this is a desktop, not a terminal on a remote machine. */
export function hasDesktop(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (env.SSH_CONNECTION !== undefined || env.SSH_TTY !== undefined) return false
  if (platform === 'darwin' || platform === 'win32') return true
  return Boolean(env.DISPLAY) || Boolean(env.WAYLAND_DISPLAY)
}

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  // What the shell's built-in `start` does.
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
}

const DEFAULT_OPENER = ['xdg-open'] as const

/** The program that opens addresses here. */
export const browserOpener = (): string => (OPENERS[process.platform] ?? DEFAULT_OPENER)[0]

/** The command that opens a file in its usual program when it is typed in a shell. */
export const fileOpener = (platform: NodeJS.Platform): string =>
  platform === 'win32' ? 'start' : (OPENERS[platform] ?? DEFAULT_OPENER)[0]

/** Opens an address in the user's browser. @returns whether a program was found that does so */
export function openBrowser(address: string): Promise<boolean> {
  const [program, ...args] = OPENERS[process.platform] ?? DEFAULT_OPENER
  return new Promise((resolve) => {
    const child = spawn(program, [...args, new URL(address).href], { stdio: 'ignore', detached: true, shell: false })
    child.once('error', () => resolve(false))
    child.once('exit', (code) => resolve(code === 0))
    // Some openers run as long as the browser does.
    child.once('spawn', () => setTimeout(resolve, 3000, true).unref())
    child.unref()
  })
}
