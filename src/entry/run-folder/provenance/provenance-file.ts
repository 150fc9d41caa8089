import { realpathSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { given } from '../../../core/given.ts'
import { systemReason } from '../../../core/system-errors.ts'
import { isAddress } from '../../../core/text/address.ts'
import type { EventStream } from '../../../runtime/coordinator/event-stream.ts'
import type { RunResult } from '../../../runtime/coordinator/run-result.ts'
import type { PlannedPipeline, PlannedTask } from '../../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../../runtime/tasks/task-node.ts'
import { ownCommand as commandToPrint } from '../../own-command.ts'
import { moduleName } from '../../workers/module-name.ts'
import { commandOfProcess } from '../continuation.ts'
import { ownCommand, ownVersion } from '../run-command.ts'
import { readJson, replaceFile } from '../run-files.ts'
import { userName } from '../run-folder.ts'
import {
  blocksOfOtherCode,
  type CodeChange,
  describeOlderBlocks,
  lastCode,
  type OlderBlocks,
  olderBlocks,
  type TaskAtStart,
} from './changed-code.ts'
import { changedInputs, describeChangedInputs } from './changed-inputs.ts'
import { codeOf } from './code-hash.ts'
import { CodeWatch, type WatchedTask } from './code-watch.ts'
import { type IdentifiedArray, type InputAtStart, identityNow, identityOfInput, isSameInput } from './input-identity.ts'
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
  /** From when on workers did blocks by other code. */
  readonly changes?: readonly CodeChange[]
}

const PROVENANCE_FILE = 'provenance.json'
const MAX_STARTS = 1000
const THIS_COMMAND = { next: 'this command', all: 'add --overwrite' }

/** The provenance of a run; undefined for runs of earlier versions. */
export const readProvenance = (folder: string): Provenance | undefined => readJson(join(folder, PROVENANCE_FILE))

/** @throws the system's error */
export const writeProvenance = (folder: string, provenance: Provenance): void =>
  replaceFile(join(folder, PROVENANCE_FILE), `${JSON.stringify(provenance, null, 2)}\n`)

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
  /** What workers do, which load the code of tasks when they need it; undefined if this process does all blocks. */
  readonly events: EventStream | undefined
  /** Called if the file can't be written, and if the code has changed since blocks were done. */
  warn(message: string): void
  /** Called if inputs have changed since blocks were done. */
  onChangedInputs(message: string): void
}

/**
 * Adds a start to the provenance of a run, and to that the code that its workers load later.
 * @returns a function that notes its end, and says what has changed meanwhile
 */
export async function noteRunStart(
  setting: ProvenanceSetting,
): Promise<(ended: string, result: RunResult) => Promise<void>> {
  const { pipeline, folder, record } = setting
  const before = readProvenance(folder)
  const earlier = before?.record === record ? before.starts.slice(1 - MAX_STARTS) : []
  const { started, ...rest } = await startOf(setting)
  const changes: CodeChange[] = []
  let end: Pick<StartProvenance, 'ended' | 'outcome'> = {}
  const start = (): StartProvenance => ({ started, ...end, ...rest, ...(changes.length === 0 ? {} : { changes }) })
  const write = () => {
    const tasks = pipeline.tasks.map(describeTask)
    try {
      writeProvenance(folder, { run: basename(folder), record, tasks, starts: [...earlier, start()] })
    } catch (error) {
      setting.warn(`${join(folder, PROVENANCE_FILE)} can't be written: ${systemReason(error)}`)
    }
  }
  const older = olderBlocks(earlier, rest.tasks)
  if (older.length > 0) setting.warn(describeOlder('The code has changed.', older, folder))
  const changed = changedInputs(earlier, start())
  if (changed.length > 0) setting.onChangedInputs(describeChangedInputs(changed, folder, THIS_COMMAND))
  write()
  const watch = new CodeWatch(watchedTasks(setting, earlier, rest.tasks), (change, isNew) => {
    changes.push(change)
    write()
    const which = isNew ? blocksOfOtherCode([...earlier, start()], change) : []
    if (which.length > 0) setting.warn(describeOlder(CHANGED_NOW, which, folder, ''))
  })
  setting.events?.listen((event) => watch.receive(event))
  return async (ended, { ok, stopped }) => {
    end = { ended, outcome: ok ? 'done' : stopped ? 'stopped' : 'failed' }
    write()
    const starts = [...earlier, start()]
    const changed = changes.filter((change) => hasOtherCode(change, rest.tasks))
    const mixed = [...new Set(changed.map(({ id }) => id))].flatMap((id) => {
      const task = pipeline.tasks.find((each) => each.id === id) as PlannedTask
      const { code } = lastCode(starts, id) ?? {}
      return blocksOfOtherCode(starts, { id, ...given({ code, before: setting.completed(task) }) })
    })
    if (mixed.length > 0) setting.warn(describeOlder('The code changed during the run.', mixed, folder))
    await sayChangedMeanwhile(setting, starts)
  }
}

/** Whether a change is one of the code, and not that blocks were forgotten. */
function hasOtherCode({ id, code, otherCode = [] }: CodeChange, tasks: readonly TaskAtStart[]): boolean {
  const first = tasks.find((task) => task.id === id)?.code
  return [code, ...otherCode].some((each) => each !== first)
}

/** Says which inputs are others than when the run started. */
async function sayChangedMeanwhile(setting: ProvenanceSetting, starts: readonly StartProvenance[]): Promise<void> {
  const { tasks, inputs = [], started = '' } = starts.at(-1) ?? {}
  const now = await Promise.all(
    inputsOf(setting.pipeline.tasks).map((input, i) => inputAtEnd(input, inputs[i], setting)),
  )
  const others = now.filter((input, i): input is InputAtStart => {
    const before = inputs[i]
    if (input === undefined || before === undefined) return false
    return !isSameInput(before, input) || (input.newestChunk !== undefined && input.newestChunk > started)
  })
  const done = (tasks ?? []).map(({ before: _, ...task }) => {
    const planned = setting.pipeline.tasks.find(({ id }) => id === task.id) as PlannedTask
    return { ...task, ...given({ before: setting.completed(planned) }) }
  })
  const changed = changedInputs(starts, { tasks: done, inputs: others })
  if (changed.length === 0) return
  const how = { ...THIS_COMMAND, when: 'while the run was reading' }
  setting.onChangedInputs(describeChangedInputs(changed, setting.folder, how))
}

/** The tasks of which it is known how many blocks are done, and whose code workers load. */
function watchedTasks(
  { pipeline, completed }: ProvenanceSetting,
  earlier: readonly StartProvenance[],
  tasks: readonly TaskAtStart[],
): WatchedTask[] {
  return tasks.flatMap((task): WatchedTask[] => {
    const { id, code, before } = task
    const planned = pipeline.tasks.find((each) => each.id === id)
    if (code === undefined || before === undefined || planned === undefined) return []
    const last = lastCode(earlier, id)
    return [
      {
        ...{ id, code },
        earlierCode: last?.code === undefined ? [] : [last.code, ...(last.otherCode ?? [])],
        codeNow: () => codeOfTask(planned),
        completed: () => completed(planned) ?? 0,
      },
    ]
  })
}

const CHANGED_NOW = 'The code has changed, and workers that have just started use it as it is now.'

/** @param then what follows the command that forgets the blocks, so that they are done again */
function describeOlder(
  what: string,
  tasks: readonly OlderBlocks[],
  folder: string,
  then = ', then this command',
): string {
  const again = commandToPrint('reset', folder, ...tasks.flatMap(({ id }) => ['--task', id]))
  return `${what} ${describeOlderBlocks(tasks)}. To do them again with this code: ${again}${then}.`
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
  const { id, reads } = task
  const code = codeOfTask(task)
  return {
    ...{ id, reads: [...new Set(reads.map(({ path }) => fullPath(path)))] },
    ...given({ code }),
    ...(before === undefined ? {} : { before }),
  }
}

const codeOfTask = ({ source }: PlannedTask): string | undefined =>
  isTaskNode(source) ? codeOf(source.definition.module)?.hash : undefined

/** Formats with a file for each chunk. */
const CHUNK_FILES = ['zarr2', 'zarr3', 'n5', 'precomputed']

const inputAtStart = async (input: IdentifiedArray, setting: ProvenanceSetting): Promise<InputAtStart> =>
  await withNewestChunk(input, await identityOfInput(input), setting)

/** @returns undefined if it can't be read any more */
async function inputAtEnd(
  input: IdentifiedArray,
  before: InputAtStart | undefined,
  setting: ProvenanceSetting,
): Promise<InputAtStart | undefined> {
  const isRemote = isAddress(input.path)
  const identity = isRemote ? await identityOfInput(input) : before && (await identityNow(before))
  return identity && (await withNewestChunk(input, identity, setting))
}

async function withNewestChunk(
  input: IdentifiedArray,
  identity: InputAtStart,
  { checkInputs, warn }: ProvenanceSetting,
): Promise<InputAtStart> {
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
