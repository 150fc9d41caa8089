import type { RunEvent } from '../../../core/events.ts'
import type { CodeChange, TaskAtStart } from './changed-code.ts'

/** A task whose code is watched. */
export interface WatchedTask {
  readonly id: string
  /** Its code when the run started. */
  readonly code: string
  /** What workers of an earlier start, which reconnect, may have loaded. */
  readonly earlierCode: readonly string[]
  /** Its code as it is now; undefined if that is not known. */
  codeNow(): string | undefined
  /** How many blocks are recorded as done. */
  completed(): number
}

interface LoadedCode {
  /** What a worker may have loaded. */
  codes: readonly string[]
  /** The blocks that were done when its code was read; undefined once it has done a block, and its code is known. */
  since: number | undefined
}

interface State {
  readonly task: WatchedTask
  readonly loaded: Map<string, LoadedCode>
  /** How many workers may have loaded each code: there may be thousands of workers, and hardly ever more than one code. */
  readonly counts: Map<string, number>
  /** The code that was read last. */
  newest: string
  noted: Pick<TaskAtStart, 'otherCode'> & { readonly code: string }
  /** The blocks that were done then. */
  before: number
}

function addCode(state: State, loaded: LoadedCode, code: string): void {
  if (loaded.codes.includes(code)) return
  loaded.codes = [...loaded.codes, code]
  state.counts.set(code, (state.counts.get(code) ?? 0) + 1)
}

/**
 * Follows which code the workers of a run do blocks with. A worker loads the code of a task with its first block of it, and keeps it; so
 * code is read then, and again when that block is done, since it may have been changed in between.
 */
export class CodeWatch {
  readonly #tasks: ReadonlyMap<string, State>
  readonly #started = new Set<string>()
  readonly #onChange: (change: CodeChange, isNew: boolean) => void

  /** @param onChange called before blocks are done by other code; `isNew` if workers load code that the last ones did not have */
  constructor(tasks: readonly WatchedTask[], onChange: (change: CodeChange, isNew: boolean) => void) {
    this.#tasks = new Map(
      tasks.map((task) => {
        const { id, code } = task
        return [id, { task, loaded: new Map(), counts: new Map(), newest: code, noted: { code }, before: 0 }]
      }),
    )
    this.#onChange = onChange
  }

  receive(event: RunEvent): void {
    switch (event.type) {
      case 'worker-started':
        this.#started.add(event.workerId)
        return
      case 'blocks-leased':
        this.#lease(this.#tasks.get(event.taskId), event.workerId)
        return
      case 'blocks-done':
        this.#done(this.#tasks.get(event.taskId), event.workerId)
        return
      case 'blocks-returned':
        this.#returned(this.#tasks.get(event.taskId), event.workerId)
        return
      case 'worker-ended':
        for (const state of this.#tasks.values()) this.#end(state, event.workerId)
        return
      case 'reset':
        for (const { id, completed } of event.tasks) this.#forgotten(this.#tasks.get(id), completed)
        return
      default:
    }
  }

  #lease(state: State | undefined, workerId: string): void {
    if (state === undefined || state.loaded.has(workerId)) return
    // One that was not started by this start of the run comes from an earlier one.
    const earlier = this.#started.has(workerId) ? [] : state.task.earlierCode
    const loaded: LoadedCode = { codes: [], since: state.task.completed() }
    state.loaded.set(workerId, loaded)
    for (const code of earlier) addCode(state, loaded, code)
    this.#read(state, workerId)
  }

  #end(state: State, workerId: string): void {
    const loaded = state.loaded.get(workerId)
    if (loaded === undefined) return
    state.loaded.delete(workerId)
    for (const code of loaded.codes) {
      const left = (state.counts.get(code) ?? 0) - 1
      if (left > 0) state.counts.set(code, left)
      else state.counts.delete(code)
    }
    this.#note(state)
  }

  #done(state: State | undefined, workerId: string): void {
    const loaded = state?.loaded.get(workerId)
    if (state === undefined || loaded?.since === undefined) return
    this.#read(state, workerId)
    loaded.since = undefined
  }

  /** Its process may have been started again. */
  #returned(state: State | undefined, workerId: string): void {
    const loaded = state?.loaded.get(workerId)
    if (state !== undefined && loaded !== undefined) loaded.since ??= state.task.completed()
  }

  /** Which of the forgotten blocks were done by which code is not known: so many were done before, and so many are left. */
  #forgotten(state: State | undefined, blocks: number): void {
    if (state === undefined || blocks === 0) return
    const { id, completed } = state.task
    const left = completed()
    state.before = left
    for (const before of [left + blocks, left]) this.#onChange({ id, time: now(), before, ...state.noted }, false)
  }

  #read(state: State, workerId: string): void {
    const loaded = state.loaded.get(workerId) as LoadedCode
    const code = state.task.codeNow()
    // The same text once, not once per worker.
    if (code !== undefined && code !== state.newest) state.newest = code
    addCode(state, loaded, state.newest)
    this.#note(state, loaded.since)
  }

  /** @param since how many blocks were done when that may have begun @default all that are done now */
  #note(state: State, since?: number): void {
    const codes = new Set(state.counts.keys())
    if (codes.size === 0) return
    const code = codes.has(state.newest) ? state.newest : ([...codes][0] as string)
    codes.delete(code)
    const otherCode = [...codes].sort()
    if (code === state.noted.code && String(otherCode) === String(state.noted.otherCode ?? [])) return
    const isNew = code !== state.noted.code && state.noted.otherCode?.includes(code) !== true
    state.noted = { code, ...(otherCode.length === 0 ? {} : { otherCode }) }
    const done = state.task.completed()
    state.before = Math.min(Math.max(since ?? done, state.before), done)
    this.#onChange({ id: state.task.id, time: now(), before: state.before, ...state.noted }, isNew)
  }
}

const now = (): string => new Date().toISOString()
