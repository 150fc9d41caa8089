import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from '../../src/runtime/run-events.ts'
import type { RunResult } from '../../src/runtime/run-pipeline.ts'
import type { Cluster } from '../support/cluster.ts'
import { type RunningCommand, runNode } from '../support/command-line.ts'
import { until } from './processes.ts'

/** What was seen of a run. */
export interface Driven {
  readonly stderr: string
  readonly events: readonly RunEvent[]
  readonly result: RunResult
}

/** Runs a task of the folder beside this, in a process of its own, with two jobs unless `options` say something else. */
export async function drive(
  cluster: Cluster,
  task: string,
  config: { readonly folder: string } & Readonly<Record<string, unknown>>,
  options: object,
  meanwhile?: (running: RunningCommand) => Promise<void>,
): Promise<Driven> {
  const program = fileURLToPath(new URL('tasks/run.ts', import.meta.url))
  const call = JSON.stringify({ task, config, options: { workers: 2, ...options } })
  const more = meanwhile === undefined ? {} : { meanwhile }
  const { stdout, stderr } = await runNode([program, call], { cwd: config.folder, env: cluster.env, ...more })
  const documents = documentsIn(stdout)
  const result = documents.find((document) => (document as { type: string }).type === 'result')
  assert.ok(result, stderr)
  return {
    stderr,
    events: documents.filter((document) => document !== result) as RunEvent[],
    result: result as RunResult,
  }
}

const documentsIn = (stdout: string): unknown[] =>
  stdout
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))

export const eventsOf = <Type extends RunEvent['type']>({ events }: Pick<Driven, 'events'>, type: Type) =>
  events.filter((event): event is Extract<RunEvent, { type: Type }> => event.type === type)

/** Waits until something that is asked for is so. */
export async function untilAsync<Value>(what: string, look: () => Promise<Value | false>): Promise<Value> {
  let seen: Value | false = false
  let looking = false
  return until(what, () => {
    if (!looking && seen === false) {
      looking = true
      void look().then((value) => {
        seen = value
        looking = false
      })
    }
    return seen === false ? undefined : seen
  })
}

/** The text of all logs of the one run in a folder. */
export function logsIn(folder: string): string {
  const [run] = readdirSync(join(folder, '.bellis'))
  const logs = join(folder, '.bellis', run as string, 'logs')
  return readdirSync(logs)
    .map((name) => readFileSync(join(logs, name), 'utf8'))
    .join('')
}
