import { type ChildProcess, spawn } from 'node:child_process'
import { InfrastructureError } from '../../core/errors.ts'

/** How a program ended. */
export interface ProgramResult {
  /** 0 for success; -1 if a signal ended the program, or `giveUpOn` did. */
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunProgramOptions {
  /** After this time the program is killed, and the call fails. */
  readonly timeoutMs: number
  /** Kills the program when aborted. */
  readonly signal?: AbortSignal
  readonly env?: NodeJS.ProcessEnv
  /** The folder in which it runs. @default the current one */
  readonly cwd?: string | undefined
  /** Kills the program as soon as its error output matches: it would only try the same again and again. */
  readonly giveUpOn?: RegExp | undefined
  /** Whose program it is, for messages: `SLURM`. */
  readonly system: string
}

/** More than the status of a large cluster needs. */
const MAX_OUTPUT_BYTES = 256 * 2 ** 20

/**
 * Runs a program to its end, without a shell; a Ctrl-C in this process's terminal does not reach it.
 * @throws InfrastructureError `QUEUE_UNAVAILABLE` if it is not found, does not end in time, or prints too much
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { timeoutMs, signal, env = process.env, cwd, giveUpOn, system }: RunProgramOptions,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    let bytes = 0
    const child = spawn(program, args, {
      // In its own process group, so that its children can be killed with it and a terminal's Ctrl-C does not reach it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...env, LC_ALL: 'C' },
      ...(cwd === undefined ? {} : { cwd }),
    })
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (reason: string, cause?: unknown) => {
      settle()
      endGroup(child)
      reject(new InfrastructureError('QUEUE_UNAVAILABLE', `${program} ${reason}`, { cause }))
    }
    const onAbort = () => fail('was killed because the run is over')
    const timer = setTimeout(() => fail(`did not answer within ${timeoutMs / 1000} s`), timeoutMs)
    signal?.addEventListener('abort', onAbort, { once: true })
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (part: Buffer) => {
        bytes += part.length
        if (bytes > MAX_OUTPUT_BYTES) fail(`printed more than ${MAX_OUTPUT_BYTES} bytes`)
        else output[name].push(part)
        if (name === 'stderr' && giveUpOn?.test(textOf(output.stderr))) {
          settle()
          endGroup(child)
          resolve({ exitCode: -1, stdout: textOf(output.stdout), stderr: textOf(output.stderr) })
        }
      })
    }
    child.once('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' ? notFound(system) : `can't be started: ${error.message}`, error),
    )
    child.once('close', (code) => {
      settle()
      resolve({ exitCode: code ?? -1, stdout: textOf(output.stdout), stderr: textOf(output.stderr) })
    })
    if (signal?.aborted) onAbort()
  })
}

const textOf = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('utf8')

const notFound = (system: string) => `was not found; is ${system} installed here, and on the PATH?`

function endGroup(child: ChildProcess): void {
  // Otherwise a child that holds the pipes open would keep this process running.
  child.stdout?.destroy()
  child.stderr?.destroy()
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    // It has ended by itself in the meantime.
  }
}
