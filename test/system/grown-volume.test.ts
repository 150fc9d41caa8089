import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createArray, openArray, roi } from 'bellis'
import { bellis, dyingAfter, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { runsIn } from '../support/recorded-runs.ts'

const voxel = (z: number, y: number, x: number): number => (z * 7 + y * 13 + x * 29 + ((z * y * x) % 31)) % 251

/** Makes an input, or makes it larger: what was there stays, and what is new is written. */
async function makeInput(path: string, shape: readonly number[]): Promise<void> {
  await using array = await createArray(path, { shape, dtype: 'uint8', chunkShape: [8, 16, 16], ifExists: 'grow' })
  const [depth, height, width] = shape as [number, number, number]
  const data = new Uint8Array(depth * height * width)
  let at = 0
  for (let z = 0; z < depth; z++)
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[at++] = voxel(z, y, x)
  await array.write(roi([0, 0, 0], shape), data)
}

const BEFORE = [20, 40, 40]
const AFTER = [28, 40, 52]

async function calls(folder: string) {
  const call = async (...args: string[]) => {
    const done = await bellis(args, { cwd: folder })
    return { ...done, text: `${done.stdout}\n${done.stderr}`.replaceAll(/\s+/g, ' ') }
  }
  return {
    call,
    async succeed(...args: string[]) {
      const done = await call(...args)
      assert.equal(done.code, 0, `${args.join(' ')}: ${done.stderr}`)
      return done
    },
  }
}

/** Two tasks, the output of the first of which is removed as it is read. */
const CHAIN = `
import { definePipeline, z } from 'bellis'
import { smooth } from 'bellis/tasks'
export default definePipeline({
  name: 'chain',
  config: z.object({ output: z.string() }),
  tasks({ output }) {
    const how = { sigma: 0.5, blockWrite: [8, 16, 16] }
    const once = smooth({ input: 'in.zarr/raw', output: output + '/once', ...how }, { id: 'once', transient: true })
    return smooth({ input: output + '/once', output: output + '/twice', ...how }, { id: 'twice', after: [once] })
  },
})`

const inline = ['--pool', 'inline', '--workers', '2']
const smooth = (input: string, output: string) => [
  'smooth',
  input,
  output,
  '--sigma',
  '1',
  '--block-write',
  '8,16,16',
  ...inline,
]

/** Replaces a folder by what was saved of it. */
function putBack(saved: string, folder: string): void {
  rmSync(folder, { recursive: true })
  cpSync(saved, folder, { recursive: true, preserveTimestamps: true })
}

describe('a run whose volume has grown', () => {
  for (const [format, output] of [
    ['Zarr 3', 'out.zarr/s'],
    ['N5', 'out.n5/s'],
  ] as const) {
    it(`continues with --grow (${format}): it says what is carried over, keeps those blocks, and has the voxels of a run from scratch`, async () => {
      using folder = temporaryFolder()
      const cwd = folder.path
      const { call, succeed } = await calls(cwd)
      await makeInput(join(cwd, 'in.zarr/raw'), BEFORE)
      await succeed(...smooth('in.zarr/raw', output))
      await makeInput(join(cwd, 'in.zarr/raw'), AFTER)
      const refused = await call(...smooth('in.zarr/raw', output))
      assert.equal(refused.code, 2)
      assert.match(
        refused.text,
        /its shape is \(20, 40, 40\), not \(28, 40, 52\); continue it with the larger volume \(--grow\), overwrite it/,
      )
      // 3 × 3 × 3 blocks became 4 × 3 × 4. Those whose context of 4 voxels reaches beyond the old ends along z and x are done again.
      const plan = await succeed('plan', ...smooth('in.zarr/raw', output), '--grow')
      assert.match(plan.text, /has grown 12 blocks carried over, 15 done again, 21 new/)
      const { tasks } = JSON.parse((await succeed('plan', ...smooth('in.zarr/raw', output), '--grow', '--json')).stdout)
      assert.deepEqual([tasks[0].growth, tasks[0].done], [{ carried: 12, again: 15, added: 21 }, 12])
      const again = await succeed(...smooth('in.zarr/raw', output), '--grow', '--json')
      const [task] = JSON.parse(again.stdout).tasks
      assert.deepEqual([task.total, task.completed, task.skipped], [48, 48, 12])
      assert.match(again.text, /The volume has grown\. smooth: 12 blocks carried over, 15 done again, 21 new\./)
      assert.doesNotMatch(again.text, /changed/)
      await succeed(...smooth('in.zarr/raw', 'scratch.zarr/s'))
      assert.equal(await hashVoxels(join(cwd, output)), await hashVoxels(join(cwd, 'scratch.zarr/s')))
      // From here on it is the run of the larger volume, and calm.
      for (const more of [[], ['--grow']]) {
        const calm = await succeed(...smooth('in.zarr/raw', output), ...more)
        assert.match(calm.text, /Nothing left to do/)
        assert.doesNotMatch(calm.text, /changed|has grown/)
      }
      const run = runsIn(cwd).find((name) => name.includes('-out-')) as string
      assert.match((await succeed('status', run)).text, /48 of 48 blocks/)
    })
  }

  it('R6: has the voxels of a run from scratch whenever it is killed, in a chain with a transient array, too', async () => {
    using folder = temporaryFolder()
    using saved = temporaryFolder()
    const cwd = folder.path
    const { succeed } = await calls(cwd)
    writeFileSync(join(cwd, 'chain.ts'), CHAIN)
    const chain = (output: string) => ['run', 'chain.ts', '--output', output, ...inline, '--json', '--quiet']
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 48, 56])
    await succeed(...chain('out.zarr'))
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 64, 60])
    await succeed(...chain('scratch.zarr'))
    const expected = await hashVoxels(join(cwd, 'scratch.zarr/twice'))
    cpSync(cwd, saved.path, { recursive: true, preserveTimestamps: true })
    // Before the outputs are made larger, between the two, before the record is carried over, and before the run's folder says so.
    for (const steps of [3, 4, 6, 8]) {
      const killed = await bellis([...chain('out.zarr'), '--grow'], { cwd, env: dyingAfter(steps) })
      assert.equal(killed.code, 'SIGKILL')
      const { stdout } = await succeed(...chain('out.zarr'), '--grow')
      assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), expected, `killed before step ${steps}`)
      const skipped = JSON.parse(stdout).tasks.map((task: { readonly skipped: number }) => task.skipped)
      assert.deepEqual(skipped, [0, 4])
      putBack(saved.path, cwd)
    }
  })

  it('is refused without --grow, also once its output was made larger, and then continues with it', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { call, succeed } = await calls(cwd)
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 32, 32])
    await succeed(...smooth('in.zarr/raw', 'out.zarr/s'))
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 32, 48])
    await makeInput(join(cwd, 'out.zarr/s'), [16, 32, 48])
    const { code, text } = await call(...smooth('in.zarr/raw', 'out.zarr/s'))
    assert.equal(code, 2)
    assert.match(text, /belongs to another run: .*--grow if its volume has grown at its ends, or --overwrite/)
    assert.match((await succeed(...smooth('in.zarr/raw', 'out.zarr/s'), '--grow')).text, /The volume has grown/)
  })

  it('is refused with the remedy, and left as it was, if its blocks are others or depend on the whole volume, or if the output can not grow', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { call, succeed } = await calls(cwd)
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 32, 32])
    const wrap = [...smooth('in.zarr/raw', 'wrap.zarr/s'), '--mode', 'wrap']
    const reduce = ['reduce', 'in.zarr/raw', '--parts', 'parts.zarr/r', '--block', '8,16,16', ...inline]
    const precomputed = smooth('in.zarr/raw', 'out.precomputed')
    const packed = ['convert', 'in.zarr/raw', 'copy.zarr.zip/raw', ...inline]
    for (const args of [wrap, reduce, precomputed, packed]) await succeed(...args)
    await makeInput(join(cwd, 'in.zarr/raw'), [16, 48, 32])
    const refusals: [string[], RegExp][] = [
      [wrap, /can't be carried over to this volume: task "smooth": its blocks depend on more than what they read/],
      [reduce, /task "reduce": its blocks depend on more than what they read|chunk shape/],
      [precomputed, /can't be made larger: the names of a precomputed volume's chunks say where it ends; start again/],
      [packed, /copy\.zarr\.zip exists, and such files are written once/],
      [[...wrap, '--overwrite', '--yes'], /grow true: expected without overwrite, which does all blocks again/],
      [[...wrap, '--only', 'failed'], /Only failed: expected without grow, which forgets which blocks failed/],
    ]
    for (const [args, expected] of refusals) {
      const { code, text } = await call(...args, '--grow')
      assert.equal(code, 2, text)
      assert.match(text, expected)
    }
    const { shape } = JSON.parse((await succeed('info', 'wrap.zarr/s', '--json')).stdout)
    assert.deepEqual(shape, [16, 32, 32])
  })

  it('keeps the blocks and chunks of its record if none are given, though it would choose others for the larger volume', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { succeed } = await calls(cwd)
    const input = join(cwd, 'in.zarr/raw')
    const commands = (name: string): Record<string, string[]> => ({
      smooth: ['smooth', 'in.zarr/raw', `${name}.zarr/s`, '--sigma', '1', ...inline],
      map: ['map', 'in.zarr/raw', `${name}.zarr/m`, '--expr', '255 - x', ...inline],
      convert: ['convert', 'in.zarr/raw', `${name}.zarr/c`, ...inline],
      toN5: ['convert', 'in.zarr/raw', `${name}.n5/c`, ...inline],
    })
    const outputs = (name: string) => ['s', 'm', 'c'].map((each) => `${name}.zarr/${each}`).concat(`${name}.n5/c`)
    await makeInput(input, [20, 40, 40])
    for (const args of Object.values(commands('out'))) await succeed(...args)
    await makeInput(input, [50, 40, 130])
    const carried: Record<string, unknown> = {}
    for (const [name, args] of Object.entries(commands('out'))) {
      const { stdout } = await succeed(...args, '--grow', '--json')
      const [task] = JSON.parse(stdout).tasks
      carried[name] = [task.total, task.skipped]
    }
    // The one block of 20 × 40 × 40 (in map, of whole chunks of the input) is followed by others of its size.
    assert.deepEqual(carried, { smooth: [12, 0], map: [9, 0], convert: [12, 1], toN5: [12, 1] })
    for (const args of Object.values(commands('scratch'))) await succeed(...args)
    for (const [at, output] of outputs('out').entries()) {
      const scratch = outputs('scratch')[at] as string
      assert.equal(await hashVoxels(join(cwd, output)), await hashVoxels(join(cwd, scratch)), output)
    }
    for (const args of Object.values(commands('out'))) {
      // The same command continues it, as every other run.
      for (const more of [['--grow'], []]) assert.match((await succeed(...args, ...more)).text, /Nothing left to do/)
      assert.doesNotMatch((await succeed('plan', ...args)).text, /has grown|belongs to another/)
    }
  })

  it('keeps its mask, which may have grown, and all channels', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { succeed } = await calls(cwd)
    const make = async (path: string, shape: readonly number[], voxelSize: number[], value: (at: number) => number) => {
      const options = { shape, voxelSize, dtype: 'uint8', chunkShape: shape.map(() => 8), ifExists: 'grow' } as const
      await using array = await createArray(join(cwd, path), options)
      const count = shape.reduce((product, length) => product * length, 1)
      await array.write(
        array.roi,
        Uint8Array.from({ length: count }, (_, at) => value(at)),
      )
    }
    const plane = (x: number) => [2, 8, 16, x]
    const channels = (x: number) => (at: number) => (at % x) + 3 * Math.floor(at / x)
    await make('in.zarr/raw', plane(32), [1, 1, 1], channels(32))
    // Blocks of x from 0 to 8 are left out, and those from 32 to 40.
    const inside = (length: number) => (at: number) => Number(at % length !== 0 && at % length !== 4)
    await make('masks.zarr/m', [1, 2, 4], [8, 8, 8], inside(4))
    const smooth = (output: string) => {
      const blocks = ['--sigma', '0.5', '--block-write', '8,8,8', '--mask', 'masks.zarr/m']
      return ['smooth', 'in.zarr/raw', output, ...blocks, ...inline, '--json']
    }
    const [first] = JSON.parse((await succeed(...smooth('out.zarr/s'))).stdout).tasks
    assert.deepEqual([first.total, first.masked], [8, 2])
    await make('in.zarr/raw', plane(48), [1, 1, 1], channels(48))
    await make('masks.zarr/m', [1, 2, 6], [8, 8, 8], inside(6))
    const { stdout } = await succeed(...smooth('out.zarr/s'), '--grow')
    const [grown] = JSON.parse(stdout).tasks
    assert.deepEqual([grown.total, grown.masked], [12, 4])
    await succeed(...smooth('scratch.zarr/s'))
    await using array = await openArray(join(cwd, 'out.zarr/s'))
    await using scratch = await openArray(join(cwd, 'scratch.zarr/s'))
    assert.deepEqual(array.shape, [2, 8, 16, 48])
    const [is, expected] = [await array.read(array.roi), await scratch.read(scratch.roi)]
    assert.deepEqual(is.data, expected.data)
  })

  it('continues in shards, and consolidated metadata name the new shape', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { succeed } = await calls(cwd)
    const input = join(cwd, 'in.zarr/raw')
    const convert = (...more: string[]) => ['convert', 'in.zarr/raw', ...more, '--chunk', '8,16,16', ...inline]
    await makeInput(input, [12, 40, 140])
    await succeed(...convert('out.zarr/sharded', '--shard', '16,64,64'))
    await succeed(...convert('two.zarr/raw', '--zarr-format', '2'))
    const consolidated = join(cwd, 'two.zarr/.zmetadata')
    const metadata = Object.fromEntries(
      ['.zgroup', 'raw/.zarray', 'raw/.zattrs'].map((name) => [
        name,
        JSON.parse(readFileSync(join(cwd, 'two.zarr', name), 'utf8')),
      ]),
    )
    writeFileSync(consolidated, JSON.stringify({ zarr_consolidated_format: 1, metadata }))
    await makeInput(input, [12, 40, 180])
    await succeed(...convert('out.zarr/sharded', '--shard', '16,64,64'), '--grow')
    await succeed(...convert('two.zarr/raw', '--zarr-format', '2'), '--grow')
    const expected = await hashVoxels(input)
    for (const path of ['out.zarr/sharded', 'two.zarr/raw']) assert.equal(await hashVoxels(join(cwd, path)), expected)
    const { 'raw/.zarray': array, 'raw/.zattrs': attributes } = JSON.parse(readFileSync(consolidated, 'utf8')).metadata
    assert.deepEqual(array.shape, [12, 40, 180])
    assert.equal(attributes.bellis.task, 'convert')
  })
})

/** Adds 1 to a region of an array in one that is there already. */
const ADD = `
import { defineTask, parseRoi, roi, z } from 'bellis'
export default defineTask({
  name: 'add',
  config: z.object({ roi: z.string() }),
  async plan(config, { arrays }) {
    const output = await arrays.open('out.zarr/sum')
    await arrays.open('in.zarr/raw')
    const totalRoi = parseRoi(config.roi, 'nm', output)
    const block = roi(totalRoi.offset, [8, 16, 16])
    const context = roi(totalRoi.offset.map((start) => start - 1), [10, 18, 18])
    return {
      totalRoi: roi(totalRoi.offset.map((start) => start - 1), totalRoi.shape.map((length) => length + 2)),
      readRoi: context, writeRoi: block, writes: [output], regionFields: ['roi'],
    }
  },
  async setup(config, { arrays }) {
    const [input, output] = [await arrays.open('in.zarr/raw'), await arrays.open('out.zarr/sum', { mode: 'r+' })]
    return async (block) => {
      const voxels = await input.read(block.writeRoi)
      await output.write(block.writeRoi, { ...voxels, data: voxels.data.map((value) => value + 1) })
    }
  },
})`

describe('a run whose region has grown', () => {
  const copy = (roi: string, output: string) => [
    'convert',
    'in.zarr/raw',
    output,
    ...(roi === '' ? [] : ['--roi', roi]),
    ...['--chunk', '8,16,16', ...inline],
  ]

  it('is the same run, and continues with --grow up to the whole volume, in the same folder', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { call, succeed } = await calls(cwd)
    await makeInput(join(cwd, 'in.zarr/raw'), [160, 64, 64])
    await succeed(...copy('0:130,0:32,0:64', 'out.zarr/c'))
    const refused = await call(...copy('0:160,0:64,0:64', 'out.zarr/c'))
    assert.equal(refused.code, 2)
    assert.match(refused.text, /its shape is \(130, 32, 64\), not \(160, 64, 64\); continue it with the larger volume/)
    const runs = runsIn(cwd)
    // Blocks have 128 × 32 × 64 voxels: the second one was cut.
    const again = await succeed(...copy('0:160,0:32,0:64', 'out.zarr/c'), '--grow', '--json')
    const [task] = JSON.parse(again.stdout).tasks
    assert.deepEqual([task.total, task.completed, task.skipped], [2, 2, 1])
    assert.match(again.text, /The volume has grown\. convert: 1 blocks carried over, 1 done again, 0 new\./)
    // Without a region, it is that of the whole volume.
    const whole = JSON.parse((await succeed(...copy('', 'out.zarr/c'), '--grow', '--json')).stdout)
    assert.deepEqual([whole.tasks[0].total, whole.tasks[0].skipped], [4, 2])
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/c')), await hashVoxels(join(cwd, 'in.zarr/raw')))
    assert.match((await succeed(...copy('', 'out.zarr/c'), '--grow')).text, /Nothing left to do/)
    // Another text for the same region.
    assert.match((await succeed(...copy('0:160,0:64,0:64', 'out.zarr/c'), '--grow')).text, /Nothing left to do/)
    assert.deepEqual(runsIn(cwd), runs)
    assert.equal(runs.length, 1)
  })

  it('has the voxels of a run from scratch whenever it is killed', async () => {
    using folder = temporaryFolder()
    using saved = temporaryFolder()
    const cwd = folder.path
    const { succeed } = await calls(cwd)
    const [before, after] = ['0:20,0:32,0:32', '0:40,0:48,0:64']
    await makeInput(join(cwd, 'in.zarr/raw'), [40, 48, 64])
    await succeed(...copy(before, 'out.zarr/c'))
    await succeed(...copy(after, 'scratch.zarr/c'))
    const expected = await hashVoxels(join(cwd, 'scratch.zarr/c'))
    cpSync(cwd, saved.path, { recursive: true, preserveTimestamps: true })
    for (const steps of [1, 2, 3, 4, 5]) {
      const killed = await bellis([...copy(after, 'out.zarr/c'), '--grow'], { cwd, env: dyingAfter(steps) })
      assert.equal(killed.code, 'SIGKILL', `step ${steps}`)
      await succeed(...copy(after, 'out.zarr/c'), '--grow')
      assert.equal(await hashVoxels(join(cwd, 'out.zarr/c')), expected, `killed before step ${steps}`)
      assert.match((await succeed(...copy(after, 'out.zarr/c'), '--grow')).text, /Nothing left to do/)
      putBack(saved.path, cwd)
    }
  })

  it('is refused, and left as it was, if the new region does not contain the old one, or starts before an array that the run created', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { call, succeed } = await calls(cwd)
    await makeInput(join(cwd, 'in.zarr/raw'), [32, 48, 64])
    await succeed(...copy('8:24,0:32,0:32', 'out.zarr/c'))
    const refusals: [string, RegExp][] = [
      [
        '8:16,0:48,0:32',
        /its shape is \(16, 32, 32\), not \(8, 48, 32\); an array grows at its ends only: write a region/,
      ],
      [
        '16:32,0:32,0:32',
        /at \(8, 0, 0\) nm, not .* at \(16, 0, 0\) nm; an array grows at its ends only: write a region/,
      ],
      [
        '0:24,0:32,0:32',
        /at \(8, 0, 0\) nm, not .* at \(0, 0, 0\) nm; an array grows at its ends only: write a region/,
      ],
    ]
    for (const [roi, expected] of refusals) {
      const { code, text } = await call(...copy(roi, 'out.zarr/c'), '--grow')
      assert.equal(code, 2, text)
      assert.match(text, expected)
    }
    assert.match((await succeed(...copy('8:24,0:32,0:32', 'out.zarr/c'))).text, /Nothing left to do/)
  })

  it('may grow by whole blocks at its start if the task opens its output itself', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    const { call, succeed } = await calls(cwd)
    writeFileSync(join(cwd, 'add.ts'), ADD)
    await makeInput(join(cwd, 'in.zarr/raw'), [32, 48, 64])
    const options = { shape: [32, 48, 64], dtype: 'uint8', chunkShape: [8, 16, 16] } as const
    await (await createArray(join(cwd, 'out.zarr/sum'), options)).close()
    const add = (roi: string) => ['run', 'add.ts', '--roi', roi, ...inline]
    await succeed(...add('16,16,16:16,32,32'))
    const smaller = await call(...add('24,16,16:8,32,32'), '--grow')
    assert.equal(smaller.code, 2)
    assert.match(
      smaller.text,
      /task "add": it wrote 16,16,16:16,32,32, which is not inside 24,16,16:8,32,32\. A volume may grow at its ends/,
    )
    const askew = await call(...add('12,16,16:20,32,32'), '--grow')
    assert.match(askew.text, /\(4, 0, 0\) were added at the start, which are not whole blocks of \(8, 16, 16\)/)
    const other = await call(...add('8,0,16:24,48,48'))
    assert.match(other.text, /belongs to another run: task "add" was recorded with .*--grow if its volume has grown/)
    const { stdout } = await succeed(...add('8,0,16:24,48,48'), '--grow', '--json')
    // All 8 blocks that were there read beyond an old end, so they are done again.
    const [task] = JSON.parse(stdout).tasks
    assert.deepEqual([task.total, task.skipped], [27, 0])
    await using output = await openArray(join(cwd, 'out.zarr/sum'))
    const { data } = await output.read(roi([8, 0, 16], [24, 48, 48]))
    const expected: number[] = []
    for (let z = 8; z < 32; z++)
      for (let y = 0; y < 48; y++) for (let x = 16; x < 64; x++) expected.push(voxel(z, y, x) + 1)
    assert.deepEqual(Array.from(data, Number), expected)
  })
})
