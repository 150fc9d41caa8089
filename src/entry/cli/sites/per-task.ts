import { InvalidArgumentError } from 'commander'
import { BATCH_KINDS, type BatchKind, POOLS, type PoolKind, TASK_POOLS, type TaskPool } from '../../workers/pools.ts'
import type { Site } from './site.ts'

/** The values of a flag that can be given for all tasks, and again for single ones: `--pool process --pool predict:slurm`. */
export interface PerTask<Value> {
  readonly all?: Value
  readonly tasks: Readonly<Record<string, Value>>
}

/** A parser of the values of such a flag, one after the other. */
export const perTask =
  <Value>(parse: (text: string, isForTask: boolean) => Value) =>
  (text: string, before: PerTask<Value> | undefined): PerTask<Value> => {
    const { tasks = {}, ...all } = before ?? {}
    // Options start with a dash.
    const [, task, value = ''] = /^([\p{L}_][^\s:=]*):(.*)$/su.exec(text) ?? []
    if (task === undefined) return { tasks, all: parse(text, false) }
    return { ...all, tasks: { ...tasks, [task]: parse(value, true) } }
  }

export const poolName = (text: string, isForTask: boolean): PoolKind | 'inline' => {
  const names: readonly (PoolKind | 'inline')[] = isForTask ? TASK_POOLS : POOLS
  const found = names.find((name) => name === text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(`expected ${names.slice(0, -1).join(', ')} or ${names.at(-1)}.`)
}

export const anyText = (text: string): string => text

/** The flags that can be given for single tasks. */
export type PerTaskFlags = { readonly pool?: PerTask<PoolKind | 'inline'> } & {
  readonly [Kind in BatchKind]?: PerTask<string>
}

/** The pools of single tasks that flags and the profile of a site give. Flags take precedence. @param ids the tasks of the run */
export function taskPoolsOf(flags: PerTaskFlags, site: Site, ids: ReadonlySet<string>): Record<string, TaskPool> {
  const pools: Record<string, TaskPool> = {}
  // A profile may name tasks of other runs.
  for (const [id, pool] of Object.entries(site.tasks ?? {})) if (ids.has(id)) pools[id] = pool as TaskPool
  for (const name of ['pool', ...BATCH_KINDS] as const) {
    for (const [id, value] of Object.entries(flags[name]?.tasks ?? {})) pools[id] = { ...pools[id], [name]: value }
  }
  return pools
}
