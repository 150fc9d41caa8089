import { spawn, spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { pathWithCommand, program } from './command-line.ts'

/** What Ctrl-C types. */
export const CTRL_C = '\u0003'

/** Typed once the text is drawn, after what comes before in the list. */
export interface Typed {
  readonly after: RegExp
  readonly text: string
}

export interface TerminalSetting {
  readonly env?: NodeJS.ProcessEnv
  readonly typed?: readonly Typed[]
  /** @default as wide as `script` makes it, which is not known */
  readonly columns?: number
}

/** Runs a command on a terminal of its own, and gives all that it drew there. Skips the test if that is impossible here. */
export async function onTerminal(
  t: TestContext,
  args: readonly string[],
  cwd: string,
  { env = {}, typed = [], columns }: TerminalSetting = {},
): Promise<{ code: number | null; drawn: string } | undefined> {
  const { stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' })
  if (!stdout?.includes('util-linux')) {
    if (process.env.CI) throw new Error('CI has to have "script" of util-linux for this test')
    t.skip('no "script" of util-linux')
    return undefined
  }
  const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(' ')
  const command = columns === undefined ? words : `stty cols ${columns} && exec ${words}`
  // Node draws no colours where CI is set, whatever the terminal.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = process.env
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    cwd,
    env: { ...inherited, PATH: pathWithCommand(), TERM: 'xterm-256color', ...env },
  })
  const waiting = [...typed]
  let drawn = ''
  let seen = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    drawn += text
    const at = waiting[0] === undefined ? -1 : drawn.slice(seen).search(waiting[0].after)
    if (at < 0) return
    seen = drawn.length
    child.stdin.write(waiting.shift()?.text ?? '')
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, drawn }
}
