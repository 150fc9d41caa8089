import type { z } from 'zod'
import { type Program, type ProgramBlock, startProgram } from '../adapters/processes/program.ts'
import { ProgramPool } from '../adapters/processes/program-pool.ts'
import { OutputWriter, WRITER_VARIABLE } from '../adapters/zarr/output-writers.ts'
import { BlockError } from '../core/errors.ts'
import { type TaskDefinition, taskDefinition } from '../runtime/tasks/define-task.ts'
import type { ConfigSchema, ProcessBlock, SetupContext, TaskBlock, TaskOptions } from '../runtime/tasks/task-options.ts'
import { callerOf } from '../runtime/tasks/user-calls.ts'
import { currentLease } from '../runtime/worker/running-block.ts'
import { arraysOfRun } from '../runtime/worker/setup-arrays.ts'
import { AHEAD, type Ahead, NOTED, RETURNED } from '../runtime/worker/worker-options.ts'
import { forgetProgramMemory, noteProgramMemory } from './workers/peak-memory.ts'
import { visibleDevices } from './workers/visible-devices.ts'

/** The options of `defineTask`, with a program in place of `setup`. */
export interface CommandTaskOptions<Schema extends ConfigSchema> extends Omit<TaskOptions<Schema>, 'setup'> {
  /** The program that does the blocks, and its arguments. It is started once per worker, without a shell. */
  command(config: z.output<Schema>): readonly string[]
  /** Variables added to its environment. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Defines a task whose blocks are done by a program, in any language, that speaks the protocol on its standard input
 * and output (docs/PROTOCOL.md, "Programs as tasks"). Each worker starts the program once; it ends with its worker. If
 * it ends unexpectedly, its current block fails, and it is started again for the next one. Its standard error goes to
 * the worker's log.
 * @throws ConfigError `INVALID_TASK`
 */
export function commandTask<Schema extends ConfigSchema>(options: CommandTaskOptions<Schema>): TaskDefinition<Schema> {
  const { command, env, ...rest } = options
  const setup = (config: z.output<Schema>, context: SetupContext) => setUpProgram(command(config), env, config, context)
  return taskDefinition<Schema>({ ...rest, setup }, callerOf(commandTask))
}

async function setUpProgram(
  command: readonly string[],
  env: Readonly<Record<string, string>> | undefined,
  config: unknown,
  { taskId, workerId, unit, resources, signal: over, arrays }: SetupContext,
): Promise<ProcessBlock> {
  const owned = arraysOfRun(arrays)
  const task = {
    id: taskId,
    config,
    unit,
    resources,
    folder: process.cwd(),
    ...(owned === undefined ? {} : { owns: { id: owned.id, outputs: owned.folders } }),
  }
  const writer = owned === undefined ? undefined : new OutputWriter(owned)
  const start = () => {
    const program: Program = startProgram({
      command,
      task,
      workerId,
      env: {
        ...visibleDevices(resources),
        ...env,
        ...(writer === undefined ? {} : { [WRITER_VARIABLE]: writer.token }),
      },
      onUsage: ({ peakMemory }) => noteProgramMemory(program, peakMemory),
    })
    return program
  }
  const programs = new ProgramPool({ start, onOver: forgetProgramMemory })
  over.addEventListener('abort', () => {
    programs.end()
    writer?.[Symbol.dispose]()
  })
  await programs.warm()
  const doOne: ProcessBlock & { [AHEAD]?: Ahead } = async (block, { signal }) => {
    const { taskId, index } = block
    const isFirst = !programs.has(index)
    const given = programBlock(block)
    const outcome = await (writer === undefined
      ? programs.doBlock(given, signal, block.progress)
      : writer.during(currentLease(), (taken) =>
          programs.doBlock(given, AbortSignal.any([signal, taken]), block.progress),
        ))
    switch (outcome.status) {
      case 'done':
      case 'skipped':
        return
      case 'failed': {
        const { code, message, stack } = outcome.error
        // A client that sends a stack has printed it, too.
        throw Object.assign(new BlockError(code, message), stack === undefined ? {} : { stack, [NOTED]: true })
      }
      case 'returned':
        // It was given with others, of which one took long: no attempt was made.
        if (!isFirst) return RETURNED as never
        throw new BlockError('BLOCK_FAILED', `The program returned block ${taskId}/${index} without doing it.`)
      default:
        outcome satisfies never
    }
  }
  doOne[AHEAD] = {
    offer: (index, following) => programs.offer(index, () => programBlocks(following())),
    has: (index) => programs.has(index),
  }
  return doOne
}

const programBlock = ({ index, readRoi, writeRoi }: TaskBlock): ProgramBlock => ({
  index,
  rois: { read: readRoi, write: writeRoi },
})

function* programBlocks(blocks: Iterable<TaskBlock>): Generator<ProgramBlock> {
  for (const block of blocks) yield programBlock(block)
}
