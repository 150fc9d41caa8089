import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { roi } from '../../../src/core/geometry/roi.ts'
import { definePipeline, defineTask, isTaskDefinition } from '../../../src/runtime/tasks/define-task.ts'
import { planPipeline } from '../../../src/runtime/tasks/plan-pipeline.ts'
import type { PlanContext, TaskPlan } from '../../../src/runtime/tasks/task-options.ts'
import { line } from '../../support/inline-run.ts'
import { memoryArray } from '../../support/memory-array.ts'
import { memoryStore } from '../../support/memory-store.ts'

const axis = (scale: number) => ({ name: 'x', type: 'space', unit: 'nanometer', scale }) as const
const raw = (scale = 4) => memoryArray({ shape: [32], dtype: 'uint8', axes: [axis(scale)], path: 'raw' })

/** A task of blocks of `block` voxels that copies `input` to `output`. */
const copy = (block: number, more: Partial<TaskPlan> = {}) =>
  defineTask({
    name: 'copy',
    config: z.object({
      input: z.string().default('raw'),
      output: z.string().default('out'),
      chunk: z.number().default(4),
    }),
    async plan({ input, output, chunk }, { arrays }: PlanContext) {
      const source = await arrays.open(input)
      const size = [block * (source.voxelSize[0] ?? 1)]
      const target = await arrays.create(output, { like: source, chunkShape: [chunk] })
      return {
        totalRoi: source.roi,
        readRoi: roi(source.offset, size),
        writeRoi: roi(source.offset, size),
        fit: 'shrink',
        readWriteConflict: false,
        writes: [target],
        ...more,
      }
    },
    setup: () => () => {},
  })

describe('planning', () => {
  it('determines the grid, the outputs and the sizes without creating anything', async () => {
    const store = memoryStore({ raw: raw() })
    const { tasks } = await planPipeline([copy(8)({})], { arrays: store })
    assert.deepEqual(
      [tasks[0]?.grid.blockCount, tasks[0]?.outputs.map((output) => output.path), store.created],
      [4, ['out'], []],
    )
    assert.equal(tasks[0]?.bytesPerBlock, 16n)
  })

  it('counts no voxels of a block beyond the total, unless blocks hang over', async () => {
    const bytes = async (more: Partial<TaskPlan>) => {
      const { tasks } = await planPipeline([copy(1000, more)({})], { arrays: memoryStore({ raw: raw() }) })
      return tasks[0]?.bytesPerBlock
    }
    const whole = (await planPipeline([copy(8)({})], { arrays: memoryStore({ raw: raw() }) })).tasks[0]
    assert.equal(await bytes({}), 16n * BigInt(whole?.grid.blockCount ?? 0))
    assert.equal(await bytes({ fit: 'overhang' }), 2000n)
  })

  it('takes the memory of a block from the plan, or else counts the voxels that it reads and writes', async () => {
    const plan = (more: Partial<TaskPlan>) => planPipeline([copy(8, more)({})], { arrays: memoryStore({ raw: raw() }) })
    assert.equal((await plan({})).tasks[0]?.memoryPerBlock, 16)
    assert.equal((await plan({ memory: 5e9 })).tasks[0]?.memoryPerBlock, 5e9)
    for (const memory of [-1, Number.NaN]) {
      await assert.rejects(plan({ memory }), {
        code: 'INVALID_TASK',
        message: /^Task "copy": "memory" of its plan is /,
      })
    }
  })

  it('counts the actual voxels of cropped blocks', async () => {
    const voxels = async (more: Partial<TaskPlan>) => {
      const { tasks } = await planPipeline([copy(12, more)({})], { arrays: memoryStore({ raw: raw() }) })
      return (tasks[0]?.voxelsPerBlock ?? 0) * (tasks[0]?.grid.blockCount ?? 0)
    }
    assert.equal(await voxels({ fit: 'shrink' }), 32)
    assert.equal(await voxels({ fit: 'valid' }), 24)
  })

  it('lets a task open an array that another task will create', async () => {
    const once = copy(8)({ output: 'once' }, { id: 'one' })
    const { tasks } = await planPipeline([copy(8)({ input: 'once', output: 'twice' }, { id: 'two', after: [once] })], {
      arrays: memoryStore({ raw: raw() }),
    })
    assert.deepEqual(
      tasks.map((task) => [task.id, task.after]),
      [
        ['one', []],
        ['two', ['one']],
      ],
    )
  })

  it('uses the finest unit that any array needs for all tasks', async () => {
    const store = memoryStore({
      raw: raw(4),
      fine: memoryArray({ shape: [32], dtype: 'uint8', axes: [axis(4.6)], path: 'fine' }),
    })
    const { tasks, unit } = await planPipeline(
      [copy(8)({}, { id: 'a' }), copy(8)({ input: 'fine', output: 'fine-out' }, { id: 'b' })],
      { arrays: store },
    )
    assert.equal(unit, 'pm')
    assert.deepEqual(
      tasks.map((task) => task.grid.writeRoi.shape),
      [[32000], [36800]],
    )
  })

  it('refuses blocks that would overwrite each other in a shared chunk, and suggests a chunk shape', async () => {
    await assert.rejects(
      planPipeline([copy(6)({})], { arrays: memoryStore({ raw: raw() }) }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'CHUNK_CONFLICT')
        assert.match(error.message, /axis 0.*Use chunks of \(3\)/)
        return true
      },
    )
    const ordered = copy(6, {
      readRoi: roi([0], [40]),
      writeRoi: roi([8], [24]),
      totalRoi: roi([-8], [144]),
      readWriteConflict: true,
    })
    await planPipeline([ordered({})], { arrays: memoryStore({ raw: raw() }) })
  })

  it('refuses two tasks that write the same array without an order between them', async () => {
    const both = (after: boolean) => {
      const one = copy(8)({}, { id: 'one' })
      return [one, copy(8)({}, { id: 'two', ...(after ? { after: [one] } : {}) })]
    }
    await assert.rejects(planPipeline(both(false), { arrays: memoryStore({ raw: raw() }) }), {
      code: 'OUTPUT_CONFLICT',
    })
    await planPipeline(both(true), { arrays: memoryStore({ raw: raw() }) })
  })

  it('refuses to replace what the run reads', async () => {
    await assert.rejects(
      planPipeline([copy(8)({ output: 'raw' })], { arrays: memoryStore({ raw: raw() }), overwrite: true }),
      { code: 'OUTPUT_CONFLICT' },
    )
  })

  it('refuses blocks that are not a whole number of voxels of the output, or have other axes', async () => {
    const refused = (more: Partial<TaskPlan>) =>
      planPipeline([copy(8, more)({})], { arrays: memoryStore({ raw: raw() }) })
    await assert.rejects(refused({ readRoi: roi([0], [6]), writeRoi: roi([0], [6]) }), { code: 'NOT_VOXEL_ALIGNED' })
    const flat = roi([0, 0], [4, 4])
    await assert.rejects(refused({ totalRoi: flat, readRoi: flat, writeRoi: flat }), { code: 'RANK_MISMATCH' })
  })

  it('reports how many voxels the fit "valid" leaves out', async () => {
    const { tasks } = await planPipeline([copy(12, { fit: 'valid' })({})], { arrays: memoryStore({ raw: raw() }) })
    assert.match(tasks[0]?.warnings[0] ?? '', /leaves out 8 voxels/)
  })

  it('refuses a cycle, two tasks with the same id, and a plan without Rois', async () => {
    const a = line('a', 3, () => {})
    await assert.rejects(planPipeline([a, line('a', 3, () => {})], { arrays: memoryStore({}) }), {
      code: 'DUPLICATE_TASK_ID',
    })
    const b = line('b', 3, () => {}, { after: [a] })
    await assert.rejects(planPipeline([{ ...a, after: [b] }, b], { arrays: memoryStore({}) }), {
      code: 'DUPLICATE_TASK_ID',
    })
    Object.assign(a, { after: [b] })
    await assert.rejects(planPipeline([a, b], { arrays: memoryStore({}) }), { code: 'TASK_CYCLE' })
    const empty = defineTask({
      name: 'empty',
      config: z.object({}),
      plan: () => ({}) as TaskPlan,
      setup: () => () => {},
    })
    await assert.rejects(planPipeline([empty({})], { arrays: memoryStore({}) }), { code: 'INVALID_TASK' })
  })
})

describe('definitions of tasks', () => {
  it('know the file that they were written in', () => {
    const task = copy(4)
    assert.ok(isTaskDefinition(task))
    assert.equal(task.module, import.meta.url)
  })

  it('check a configuration, fill in its defaults, and name each invalid field', () => {
    assert.deepEqual(copy(4)({ chunk: 2 }).config, { input: 'raw', output: 'out', chunk: 2 })
    assert.throws(
      () => copy(4)({ chunk: 'two' as unknown as number }, { id: 'mine' }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'INVALID_CONFIG')
        assert.match(error.message, /"mine".*"chunk"/)
        return true
      },
    )
  })

  it('refuse an unknown field, unless their schema accepts any', () => {
    const misspelt: Record<string, unknown> = { chnk: 2 }
    assert.throws(() => copy(4)(misspelt), /there is no "chnk"; the fields are input, output, chunk/)
    const options = { plan: () => ({}) as TaskPlan, setup: () => () => {} }
    const loose = defineTask({ name: 'loose', config: z.looseObject({}), ...options })
    assert.deepEqual(loose(misspelt).config, misspelt)
  })

  it('are refused with the mistake and its place in the file', () => {
    const wrong = (options: object) => () => defineTask(options as Parameters<typeof defineTask>[0])
    assert.throws(wrong({ config: z.object({}), plan() {}, setup() {} }), /plan-pipeline\.test\.ts.*"name" is missing/)
    assert.throws(wrong({ name: 'a', plan() {}, setup() {} }), /plan-pipeline\.test\.ts.*"config"/)
    assert.throws(
      wrong({ name: 'a', config: z.object({}), setup() {} }),
      /defineTask in \/.*plan-pipeline\.test\.ts:\d+: "plan" of "a" is missing; expected a function/,
    )
  })

  it('of pipelines give the tasks', () => {
    const pipeline = definePipeline({
      config: z.object({ input: z.string() }),
      tasks: ({ input }) => copy(4)({ input }),
    })
    assert.deepEqual(
      pipeline({ input: 'raw' }).map((task) => task.id),
      ['copy'],
    )
    assert.throws(() => pipeline({} as { input: string }), { code: 'INVALID_CONFIG' })
  })
})
