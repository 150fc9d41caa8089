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
    const left = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isProgramOf(name, workerKeys))
    if (left.length === 0) return
    for (const pid of left) kill(Number(pid))
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

/** A process that is ending has no environment any more: it can't write either. */
function isProgramOf(pid: string, workerKeys: ReadonlySet<string>): boolean {
  try {
    const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`
    const start = environment.indexOf(`\0${PROGRAM_VARIABLE}=`)
    if (start === -1) return false
    const value = start + PROGRAM_VARIABLE.length + 2
    return workerKeys.has(environment.slice(value, environment.indexOf('\0', value)))
  } catch {
    // It has ended, or is another user's.
    return false
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
