import { realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { systemReason } from '../../../core/system-errors.ts'
import type { RunResult } from '../../../runtime/coordinator/run-result.ts'
import type { PlannedPipeline, PlannedTask } from '../../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../../runtime/tasks/task-node.ts'
import { showTime } from '../../local-time.ts'
import { ownCommand as commandToPrint } from '../../own-command.ts'
import { moduleName } from '../../workers/module-name.ts'
import { commandOfProcess } from '../continuation.ts'
import { ownCommand, ownVersion } from '../run-command.ts'
import { readJson, replaceFile } from '../run-files.ts'
import { userName } from '../run-folder.ts'
import { type OlderBlocks, olderBlocks, type TaskAtStart } from './changed-code.ts'
import { changedInputs, describeChangedInputs } from './changed-inputs.ts'
import { codeOf } from './code-hash.ts'
import { type IdentifiedArray, type InputAtStart, identityOfInput } from './input-identity.ts'
import { newestChunk } from './newest-chunk.ts'
import { fullPath, inputsOf } from './output-provenance.ts'
import { withoutSecrets } from './without-secrets.ts'

/** The content of `provenance.json`. */
export interface Provenance {
  readonly run: string
  /** The id of the record, with which the outputs are marked. Another record, after `--overwrite`, begins another list of starts. */
  readonly record: string
  readonly tasks: readonly TaskProvenance[]
  /** Every start of the run with this record, the last one last; the oldest are dropped. */
  readonly starts: readonly StartProvenance[]
}

interface TaskProvenance {
  readonly id: string
  readonly name?: string
  readonly module?: string
  readonly after: readonly string[]
  /** Without secrets. */
  readonly config: unknown
  readonly blocks: number
  /** Absolute paths. */
  readonly outputs: readonly string[]
}

/** One start of a run. */
export interface StartProvenance {
  readonly started: string
  /** Missing while it is running, and if it was killed. */
  readonly ended?: string
  readonly outcome?: 'done' | 'failed' | 'stopped'
  readonly command: {
    /** For a shell, without secrets. */
    readonly line: string
    /** The same, one word each. */
    readonly argv: readonly string[]
    readonly directory: string
    /** The files that were run, without links: Node with its options, and the program. */
    readonly node: readonly string[]
    readonly program: string
  }
  readonly versions: { readonly bellis: string; readonly node: string; readonly system: string }
  readonly host: string
  readonly user: string
  readonly pid: number
  /** The volume had grown, and the blocks that were done before were carried over: they count as made from its inputs. */
  readonly grown?: true
  /** For each task: its code, and how many of its blocks were done before. */
  readonly tasks: readonly TaskAtStart[]
  /** What the tasks read that no task of the run writes. */
  readonly inputs: readonly InputAtStart[]
}

const FILE = 'provenance.json'
const MAX_STARTS = 1000
const THIS_COMMAND = { next: 'this command', all: 'add --overwrite' }

/** The provenance of a run; undefined for runs of earlier versions. */
export const readProvenance = (folder: string): Provenance | undefined => readJson(join(folder, FILE))

export interface ProvenanceSetting {
  readonly pipeline: PlannedPipeline
  readonly folder: string
  readonly record: string
  /** ISO. */
  readonly started: string
  /** How many blocks of a task are recorded as done; undefined if the task checks that itself, or if nothing is recorded. */
  completed(task: PlannedTask): number | undefined
  /** Whether the record was carried over to a volume that has grown. */
  readonly hasGrown: boolean
  /** Whether the times of the chunks of inputs count, too. */
  readonly checkInputs: boolean
  /** Called if the file can't be written, and if the code has changed since blocks were done. */
  warn(message: string): void
  /** Called if inputs have changed since blocks were done. */
  onChangedInputs(message: string): void
}

/**
 * Adds a start to the provenance of a run.
 * @returns a function that notes its end
 */
export async function noteRunStart(setting: ProvenanceSetting): Promise<(ended: string, result: RunResult) => void> {
  const { pipeline, folder, record } = setting
  const before = readProvenance(folder)
  const earlier = before?.record === record ? before.starts.slice(1 - MAX_STARTS) : []
  const start = await startOf(setting)
  const write = (last: StartProvenance) => {
    const document: Provenance = {
      run: basename(folder),
      record,
      tasks: pipeline.tasks.map(describeTask),
      starts: [...earlier, last],
    }
    try {
      replaceFile(join(folder, FILE), `${JSON.stringify(document, null, 2)}\n`)
    } catch (error) {
      setting.warn(`${join(folder, FILE)} can't be written: ${systemReason(error)}`)
    }
  }
  const older = olderBlocks(earlier, start.tasks)
  if (older.length > 0) setting.warn(describeOlder(older, folder))
  const changed = changedInputs(earlier, start)
  if (changed.length > 0) setting.onChangedInputs(describeChangedInputs(changed, folder, THIS_COMMAND))
  write(start)
  const { started, ...rest } = start
  return (ended, { ok, stopped }) =>
    write({ started, ended, outcome: ok ? 'done' : stopped ? 'stopped' : 'failed', ...rest })
}

function describeOlder(tasks: readonly OlderBlocks[], folder: string): string {
  const each = tasks.map(({ id, blocks, isExact, completed, from, to }) => {
    const [start, end] = [showTime(from), showTime(to)]
    const when = start === end ? start : `${start} to ${end}`
    return `${id}: ${isExact ? '' : 'up to '}${blocks} of its ${completed} completed blocks were done by older code (${when})`
  })
  const again = commandToPrint('reset', folder, ...tasks.flatMap(({ id }) => ['--task', id]))
  return `The code has changed. ${each.join('; ')}. To do them again with this code: ${again}, then this command.`
}

async function startOf(setting: ProvenanceSetting): Promise<StartProvenance> {
  const { started, completed, hasGrown } = setting
  const { tasks } = setting.pipeline
  const program = process.argv[1] ?? ''
  return {
    started,
    command: {
      line: ownCommand(),
      argv: commandOfProcess(),
      directory: process.cwd(),
      node: [process.execPath, ...process.execArgv],
      program: resolved(program),
    },
    versions: { bellis: ownVersion(), node: process.version, system: `${process.platform} ${process.arch}` },
    host: hostname(),
    user: userName(),
    pid: process.pid,
    ...(hasGrown ? { grown: true } : {}),
    tasks: tasks.map((task) => atStart(task, completed(task))),
    inputs: await Promise.all(inputsOf(tasks).map((input) => inputAtStart(input, setting))),
  }
}

function atStart(task: PlannedTask, before: number | undefined): TaskAtStart {
  const { id, source, reads } = task
  const code = isTaskNode(source) ? codeOf(source.definition.module) : undefined
  return {
    ...{ id, reads: [...new Set(reads.map(({ path }) => fullPath(path)))] },
    ...(code === undefined ? {} : { code: code.hash }),
    ...(before === undefined ? {} : { before }),
  }
}

/** Formats with a file for each chunk. */
const CHUNK_FILES = ['zarr2', 'zarr3', 'n5', 'precomputed']

async function inputAtStart(input: IdentifiedArray, { checkInputs, warn }: ProvenanceSetting): Promise<InputAtStart> {
  const identity = await identityOfInput(input)
  if (!checkInputs || !CHUNK_FILES.includes(input.format)) return identity
  try {
    const newest = await newestChunk(input.path)
    return newest === undefined ? identity : { ...identity, newestChunk: newest }
  } catch (error) {
    warn(`The times of the chunks of ${input.path} can't be read: ${systemReason(error)}.`)
    return identity
  }
}

const resolved = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const describeTask = ({ id, after, source, grid, outputs }: PlannedTask): TaskProvenance => ({
  id,
  ...(isTaskNode(source) ? { name: source.definition.options.name, module: moduleName(source.definition.module) } : {}),
  after,
  config: withoutSecrets(isTaskNode(source) ? source.config : {}),
  blocks: grid.blockCount,
  outputs: outputs.map(({ path }) => fullPath(path)),
})
