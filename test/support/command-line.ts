import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bytesOf } from '../../src/core/array/dtype.ts'
import { openArray } from '../../src/entry/arrays.ts'

/** The file of the command `bellis`. */
export const program = fileURLToPath(new URL('../../bin/bellis.js', import.meta.url))
const built = new URL('../../dist/entry/cli/main.js', import.meta.url)

export interface CommandResult {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** What the process reads on standard input. @default nothing */
  readonly input?: string
  /** Starts it in a separate process group, as a shell does: `process.kill(-pid, 'SIGINT')` is Ctrl-C then. @default false */
  readonly ownGroup?: boolean
  /** Called while the process runs; if it throws, the call fails and the process ends. */
  readonly meanwhile?: (child: RunningCommand) => void | Promise<void>
}

export interface RunningCommand {
  readonly pid: number
  /** What the process has written so far. */
  readonly output: { readonly stdout: string; readonly stderr: string }
}

/** Runs the built command line to its end, without a terminal, as if `bellis` were installed: so it prints commands to copy. */
export function bellis(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  if (!existsSync(built)) throw new Error('system tests run the built command: npm run build first')
  return runNode([program, ...args], { ...options, env: { PATH: pathWithCommand(), ...options.env } })
}

let commands: (Disposable & { readonly path: string }) | undefined

/** A PATH on which `bellis` and `node` are first. */
export function pathWithCommand(): string {
  if (commands === undefined) {
    commands = temporaryFolder()
    symlinkSync(program, join(commands.path, 'bellis'))
    symlinkSync(process.execPath, join(commands.path, 'node'))
    process.on('exit', () => commands?.[Symbol.dispose]())
  }
  return `${commands.path}${delimiter}${process.env.PATH}`
}

/** Runs a Node program to its end, without a terminal. @param args the file and its arguments */
export function runNode(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  return runProgram(process.execPath, args, options)
}

/** Runs a line of shell unchanged, as if `bellis` were installed. */
export function runLine(line: string, options: CommandOptions): Promise<CommandResult> {
  const env = { ...options.env, PATH: pathWithCommand() }
  return runProgram('bash', ['-c', line], { ...options, env })
}

/** Runs a program to its end, without a terminal. */
export function runProgram(file: string, args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { cwd, env = {}, input = '', ownGroup = false, meanwhile } = options
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: 'pipe',
      detached: ownGroup,
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
    child.stdin.on('error', () => {}).end(input)
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? signal, ...output }))
    if (meanwhile === undefined || child.pid === undefined) return
    Promise.resolve(meanwhile({ pid: child.pid, output })).catch((error: unknown) => {
      child.kill('SIGKILL')
      reject(error)
    })
  })
}

/** An address with its token. */
export const PAGE_ADDRESS = /http:\/\/[^\s"]+\/[\w-]{24}\//

/** Waits for the address of a page that a command prints, or for the file that it names instead. */
export async function shownAddress(
  output: RunningCommand['output'],
  of: 'stdout' | 'stderr' = 'stdout',
): Promise<string> {
  for (const end = Date.now() + 120_000; Date.now() < end; await wait(20)) {
    const file = /its address is in (.*), which only you can read/.exec(output[of])?.[1]
    const address = PAGE_ADDRESS.exec(file === undefined ? output[of] : readFileSync(file, 'utf8'))?.[0]
    if (address !== undefined) return address
  }
  throw new Error(`no address was printed: ${output.stdout}${output.stderr}`)
}

/** An empty folder that is removed when disposed. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'bellis-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 10 }) }
}

/** SHA-256 of all voxels of a dataset in C order, little endian, the same as of NumPy's `tobytes()`. */
export async function hashVoxels(path: string): Promise<string> {
  await using array = await openArray(path)
  const { data } = await array.read(array.roi)
  return createHash('sha256').update(bytesOf(data)).digest('hex')
}

/** The environment of a command that is killed just before it replaces a file or commits to its record for the n-th time. */
export const dyingAfter = (steps: number): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import ${new URL('die-after.ts', import.meta.url).href}`,
  BELLIS_TEST_DIE_AFTER: String(steps),
})

/**
 * The environment in which a run gets a signal as soon as blocks of a task are recorded. Its record must be in its folder.
 * @param place index of the task in its pipeline, from 0
 */
export const dyingAt = (place: number, signal: NodeJS.Signals = 'SIGKILL'): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import ${new URL('die-at.ts', import.meta.url).href}`,
  BELLIS_TEST_DIE_AT: `${place} ${signal}`,
})

/**
 * The environment in which a run is killed while it packs its output into a file.
 * @param place before the n-th write (`write 2`), before the file gets its name, or before the folder beside it is removed;
 * with `hold`, it is not killed, but waits before the file gets its name, until its folder has a file `go-on`;
 * with `lock`, it waits before it takes the lock under which it packs, and makes a file `waits`
 */
export const dyingPacking = (place: `write ${number}` | 'name' | 'remove' | 'hold' | 'lock'): NodeJS.ProcessEnv => ({
  NODE_OPTIONS: `--import ${new URL('die-packing.ts', import.meta.url).href}`,
  BELLIS_TEST_DIE_PACKING: place,
})
