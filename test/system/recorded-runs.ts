import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from '../../src/runtime/run-events.ts'
import type { RunResult } from '../../src/runtime/run-pipeline.ts'
import { type CommandOptions, runNode } from '../support/command-line.ts'

/** What was seen of a run. */
export interface Ended {
  readonly code: number | string | null
  readonly stderr: string
  readonly events: readonly RunEvent[]
  readonly result: RunResult
}

/** Runs a task of the folder `tasks` in a process of its own. */
export async function drive(
  config: { readonly folder: string } & Readonly<Record<string, unknown>>,
  options: object = {},
  { task = 'count.ts', ...more }: Omit<CommandOptions, 'cwd'> & { readonly task?: string } = {},
): Promise<Ended> {
  const program = fileURLToPath(new URL('tasks/run.ts', import.meta.url))
  const call = JSON.stringify({ task, config, options: { workers: 2, ...options } })
  const { code, stdout, stderr } = await runNode([program, call], { ...more, cwd: config.folder })
  const documents = stdout
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))
  const result = documents.find((document) => document.type === 'result')
  return { code, stderr, events: documents.filter((document) => document !== result), result }
}

/** The blocks that the task `count` has done so far, in that order. */
export const ran = (folder: string): number[] => {
  const file = join(folder, 'ran')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number.parseFloat) : []
}

export const firstTask = ({ result }: Ended) => result.tasks[0] as RunResult['tasks'][number]
/** The folders of runs; one that is just being made has another name. */
export const runsIn = (folder: string) => readdirSync(join(folder, '.bellis')).filter((name) => !name.startsWith('.'))
export const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)
