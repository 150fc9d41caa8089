import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'

/** In the environment of a worker: what its programs, and all that they start, are known by. */
export const WORKER_KEY_VARIABLE = 'BELLIS_WORKER_KEY'
/** In the environment of a program, and of all that it starts: the key of the worker whose program it is. */
const PROGRAM_VARIABLE = 'BELLIS_PROGRAM_OF'
/** A program may start another one while they are being killed. */
const MAX_PASSES = 10

/** A new key of a worker. */
export const newWorkerKey = (): string => randomUUID()

/** The environment of a program of the worker whose environment this is. */
export function programEnvironment<Value>({
  [WORKER_KEY_VARIABLE]: key,
  ...others
}: Readonly<Record<string, Value>>): Record<string, Value> {
  return key === undefined ? others : { ...others, [PROGRAM_VARIABLE]: key }
}

/** Kills all programs that workers have left behind, with all that these have started. Only Linux tells which they are. */
export function killProgramsOf(workerKeys: ReadonlySet<string>): void {
  if (process.platform !== 'linux' || workerKeys.size === 0) return
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const left = processesWith(PROGRAM_VARIABLE, workerKeys)
    if (left.length === 0) return
    for (const pid of left) kill(pid)
  }
}

let waiting: { readonly keys: Set<string>; readonly done: Promise<void> } | undefined

/** As {@link killProgramsOf}, for one worker; those of several that end at once are looked for together. */
export function killProgramsLeftBy(workerKey: string): Promise<void> {
  if (waiting === undefined) {
    const keys = new Set<string>()
    const done = turn().then(() => {
      waiting = undefined
      killProgramsOf(keys)
    })
    waiting = { keys, done }
  }
  waiting.keys.add(workerKey)
  return waiting.done
}

/**
 * The processes of this machine that were started with one of these values of a variable, and those that they have started with it. Only
 * Linux tells. A process that is ending has no environment any more: it can't write either.
 */
export function processesWith(variable: string, values: ReadonlySet<string>): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => {
      const value = /^\d+$/.test(name) ? valueIn(`/proc/${name}/environ`, variable) : undefined
      return value !== undefined && values.has(value) ? [Number(name)] : []
    })
  } catch {
    return []
  }
}

function valueIn(file: string, variable: string): string | undefined {
  try {
    const environment = `\0${readFileSync(file, 'latin1')}`
    const at = environment.indexOf(`\0${variable}=`)
    if (at === -1) return undefined
    const start = at + variable.length + 2
    return environment.slice(start, environment.indexOf('\0', start))
  } catch {
    // The process has ended, or is another user's.
    return undefined
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
