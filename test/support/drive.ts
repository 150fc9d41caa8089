import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from '../../src/core/events.ts'
import type { RunResult } from '../../src/runtime/coordinator/run-result.ts'
import { type CommandOptions, runNode } from './command-line.ts'
import { until } from './processes.ts'

/** What a run reported. */
export interface Driven {
  readonly code: number | string | null
  readonly stderr: string
  readonly events: readonly RunEvent[]
  /** Whether the program printed a result, however the run ended. */
  readonly hasResult: boolean
  /** @throws AssertionError if there is none */
  readonly result: RunResult
}

/** Runs a task of `tasks/` in a separate process, with two workers unless `options` give another number. */
export async function drive(
  task: string,
  config: { readonly folder: string } & Readonly<Record<string, unknown>>,
  options: object,
  more: Omit<CommandOptions, 'cwd'> = {},
): Promise<Driven> {
  const program = fileURLToPath(new URL('tasks/run.ts', import.meta.url))
  const call = JSON.stringify({ task, config, options: { workers: 2, ...options } })
  const { code, stdout, stderr } = await runNode([program, call], { ...more, cwd: config.folder })
  const documents = documentsIn(stdout)
  const result = documents.find((document) => (document as { type: string }).type === 'result')
  return {
    code,
    stderr,
    events: documents.filter((document) => document !== result) as RunEvent[],
    hasResult: result !== undefined,
    get result() {
      assert.ok(result, stderr)
      return result as RunResult
    },
  }
}

const documentsIn = (stdout: string): unknown[] =>
  stdout
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))

export const eventsOf = <Type extends RunEvent['type']>({ events }: Pick<Driven, 'events'>, type: Type) =>
  events.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)

/** Waits until `look` returns a value. A call that throws is repeated. */
export async function untilAsync<Value>(what: string, look: () => Promise<Value | false>): Promise<Value> {
  let seen: Value | false = false
  let failure: unknown
  let looking = false
  const lookOnce = async () => {
    looking = true
    try {
      seen = await look()
      failure = undefined
    } catch (error) {
      failure = error
    }
    looking = false
  }
  try {
    return await until(what, () => {
      if (!looking && seen === false) void lookOnce()
      return seen === false ? undefined : seen
    })
  } catch (error) {
    throw failure === undefined ? error : new Error((error as Error).message, { cause: failure })
  }
}
