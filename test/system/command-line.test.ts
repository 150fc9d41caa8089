import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { showBytes } from '../../src/core/text/numbers.ts'
import { createArray, openArray } from '../../src/entry/arrays.ts'
import {
  bellis,
  type CommandResult,
  hashVoxels,
  PAGE_ADDRESS,
  runNode,
  temporaryFolder,
} from '../support/command-line.ts'
import { contentsOf } from '../support/folders.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { onTerminal } from '../support/terminal.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
/** 16 × 96 × 96 voxels of 40 × 4 × 4 nm, in HDF5 and in Zarr. */
const sample = join(shared.path, 'sample.hdf')
const container = join(shared.path, 'sample.zarr')
const raw = `${container}/volumes/raw`

const ok = async (args: readonly string[], cwd: string): Promise<CommandResult> => {
  const result = await bellis(args, { cwd })
  assert.equal(result.code, 0, result.stderr)
  return result
}

before(async () => {
  await ok(['sample', sample, '--size', '16,96,96', '--quiet'], shared.path)
  for (const name of ['raw', 'labels/neuron_ids']) {
    const to = `${container}/volumes/${name}`
    await ok(['convert', `${sample}/volumes/${name}`, to, '--chunk', '16,48,48', '--pool', 'inline'], shared.path)
  }
})

const smoothTo = (output: string) => ['smooth', raw, output, '--block-write', '8,32,32', '--workers', '2']

/** Checks for plain lines: no escape sequence, no carriage return. */
function assertPlain(text: string): void {
  const control = [...text].filter((character) => character < ' ' && character !== '\n')
  assert.deepEqual(control, [], JSON.stringify(text))
}

describe('the command', () => {
  it('prints help with an example for every command, and its version', async () => {
    const commands = [
      '',
      'demo',
      'sample',
      'info',
      'convert',
      'smooth',
      'run',
      'show',
      'doctor',
      'plan',
      'plan convert',
      'plan smooth',
      'plan run',
    ]
    const calls = [...commands.map((name) => [...name.split(' ').filter(Boolean), '--help']), ['--version']]
    const input = JSON.stringify(calls.map((args) => ({ args, cwd: shared.path })))
    const program = fileURLToPath(new URL('../support/call-many.ts', import.meta.url))
    const { code, stdout, stderr } = await runNode([program], { cwd: shared.path, input })
    assert.equal(code, 0, stderr)
    const answers = JSON.parse(stdout) as CommandResult[]
    const version = answers.pop()
    for (const [index, answer] of answers.entries()) {
      assert.deepEqual([answer.code, answer.stderr], [0, ''])
      assert.match(answer.stdout, new RegExp(`^Usage: bellis ${commands[index]}`))
      assert.match(answer.stdout, /\nExamples?:\n {2}\$ bellis \w+/)
      assertPlain(answer.stdout)
    }
    const headings = (name: string) => answers[commands.indexOf(name)]?.stdout.match(/^[A-Z][\w ]+:$/gm)
    const ofRun = ['Task:', 'Blocks:', 'Output:', 'Workers:', 'Run:', 'Page:']
    for (const name of ['convert', 'smooth', 'plan convert']) {
      assert.deepEqual(headings(name), ['Arguments:', ...ofRun, 'Example:'], name)
    }
    assert.deepEqual(headings('run'), [...ofRun, 'Example:'])
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    assert.deepEqual([version?.code, version?.stdout], [0, `${manifest.version}\n`])
  })

  it('writes one JSON document with --json and nothing else on standard output', async () => {
    using folder = temporaryFolder()
    const { stdout, stderr } = await ok([...smoothTo('out.zarr/s'), '--json'], folder.path)
    assertPlain(stderr)
    const { ok: done, seconds, tasks, workers, ...rest } = JSON.parse(stdout)
    const filter = { sigmaVoxels: [2, 2, 2], sigmaNm: [80, 8, 8], mode: 'constant' }
    assert.deepEqual([done, rest], [true, { stopped: false, filter }])
    assert.ok(seconds > 0)
    assert.equal(tasks.length, 1)
    // Each block of 8 × 32 × 32 uint8 voxels is written once and read with the context around it.
    assert.equal(workers.writtenBytes, 18 * 8 * 32 * 32)
    assert.ok(workers.readBytes > workers.writtenBytes && workers.peakMemory > 2 ** 20, stdout)
    assert.ok(workers.workingSeconds > 0 && workers.workingSeconds < workers.seconds, stdout)
    const { blocksPerSecond, voxelsPerSecond, blockMs, seconds: taskSeconds, ...counts } = tasks[0]
    assert.ok(taskSeconds > 0 && taskSeconds <= seconds, stdout)
    assert.equal(blockMs.count, 18)
    assert.ok(blockMs.p50 > 0 && blockMs.p50 <= blockMs.p95 && blockMs.p95 <= blockMs.max, stdout)
    assert.deepEqual(counts, {
      id: 'smooth',
      total: 18,
      completed: 18,
      skipped: 0,
      failed: 0,
      orphaned: 0,
      pending: 0,
      failures: [],
    })
    assert.ok(blocksPerSecond > 0 && Math.abs(voxelsPerSecond / blocksPerSecond - 8 * 32 * 32) < 1)
  })

  it('writes every event to the file of --events, and reports a file that cannot be written', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'events.jsonl')
    await ok([...smoothTo('out.zarr/s'), '--events', file], folder.path)
    const events = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(events[0].type, 'run-started')
    assert.equal(events.at(-1).type, 'run-finished')
    assert.ok(events.every(({ time }) => !Number.isNaN(Date.parse(time))))
    const done = events.flatMap((event) => (event.type === 'blocks-done' ? event.indices : []))
    assert.equal(new Set(done).size, 18)
    const { code, stderr } = await bellis([...smoothTo('out.zarr/t'), '--events', 'no/such/folder/e'], {
      cwd: folder.path,
    })
    assert.equal(code, 2)
    assert.match(stderr, /^bellis: The events can't be written to no\/such\/folder\/e: there is no such file or folder/)
    // What is no file of events is not lost to a wrong name.
    const mine = join(folder.path, 'mine.json')
    writeFileSync(mine, '{"mine": 1}\n')
    const wrong = await bellis([...smoothTo('out.zarr/t'), '--events', 'mine.json'], { cwd: folder.path })
    assert.deepEqual([wrong.code, readFileSync(mine, 'utf8')], [2, '{"mine": 1}\n'])
    assert.match(wrong.stderr, /^bellis: mine\.json exists and has no events of a run in it.*name another file/)
    assert.equal(existsSync(join(folder.path, 'out.zarr/t')), false)
    await ok([...smoothTo('out.zarr/s'), '--events', file], folder.path)
    assert.match(readFileSync(file, 'utf8'), /"type":"run-started"/)
  })

  it('prints nothing but errors with --quiet, not even warnings', async () => {
    using folder = temporaryFolder()
    const tooLittle = ['--block-read', '10,34,34', '--quiet']
    const { stdout, stderr } = await ok([...smoothTo('out.zarr/s'), ...tooLittle], folder.path)
    assert.deepEqual([stdout, stderr], ['', ''])
    const wrong = await bellis([...smoothTo('out.zarr/s'), '--sigma', '0', '--quiet'], { cwd: folder.path })
    assert.match(wrong.stderr, /^bellis: [^\n]+\n$/)
  })

  it("names the sources in a stack, a task's and its own, with --log-level debug", async () => {
    using folder = temporaryFolder()
    writeFileSync(
      join(folder.path, 'fails.ts'),
      `import { defineTask, roi, z } from 'bellis'
const block = roi([0], [1])
interface Nothing { readonly voxels?: { readonly length: number } }
export default defineTask({
  name: 'fails', config: z.object({}),
  plan: () => ({ totalRoi: block, readRoi: block, writeRoi: block, readWriteConflict: false }),
  setup: () => () => { void ({} as Nothing).voxels!.length },
})`,
    )
    const once = ['--workers', '1', '--max-retries', '0', '--log-level', 'debug']
    const failed = await bellis(['run', 'fails.ts', ...once], { cwd: folder.path })
    assert.equal(failed.code, 1, failed.stderr)
    assert.match(failed.stderr, /^failed fails\/0 after 1 attempt: .*undefined.* \(\/.*\/fails\.ts:7\)/m)
    assert.match(
      failed.stderr,
      /^ {4}at .*\/fails\.ts:7:\d+[\s\S]*^ {4}at .*\/src\/runtime\/worker\/worker-loop\.ts:\d+:\d+/m,
    )
    const missing = await bellis(['info', 'none.zarr/raw', '--log-level=debug'], { cwd: folder.path })
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /^ {4}at .*\/src\/entry\/arrays\.ts:\d+:\d+/m)
    assert.doesNotMatch(failed.stderr + missing.stderr, /\/dist\//)
  })

  it('without a terminal, prints progress at most every 10 s, and the result on standard output', async () => {
    using folder = temporaryFolder()
    const { stdout, stderr } = await ok(smoothTo('out.zarr/s'), folder.path)
    // On a slow machine it may take longer than the 10 s.
    const progress = stderr
    const lines = [
      ...progress.matchAll(
        /^(\d+\.\d|\d+) m?s: smooth \d+\/18(?:, [\d.]+ blocks\/s, [\d.]+ (?:min \d\d )?m?s left)?(?:, \d running)?\n/gm,
      ),
    ]
    assert.equal(lines.map(([line]) => line).join(''), progress, stderr)
    assert.ok(lines.length >= 1 && lines.length <= 1 + Number(lines.at(-1)?.[1]) / 10, stderr)
    const [counts = '', blocks = '', workers = '', ...others] = stdout.split('\n')
    assert.match(counts, /^✔ smooth: 18 of 18 blocks, [\d.]+ m?s, [\d.]+ blocks\/s, [\d.]+ [kM] voxels\/s$/)
    assert.match(blocks, /^ {2}a block takes \d[\d.]* m?s on average: median .+, 95th percentile .+, maximum .+$/)
    assert.match(
      workers,
      /^workers: \d+ % of their time running blocks; read [\d.]+ kB, wrote 147 kB; peak memory [\d.]+ MB( to [\d.]+ MB)? each$/,
    )
    assert.deepEqual(others, [
      'Written: out.zarr/s',
      'To see it: bellis show out.zarr/s; to describe it: bellis info out.zarr/s',
      'Sigma 2 × 2 × 2 voxels, 80 × 8 × 8 nm; mode constant: voxels beyond the volume count as 0, so bright borders get darker.',
      'A voxel is 40 × 4 × 4 nm; --sigma 8nm smooths equally far on every axis.',
      '',
    ])
    assertPlain(stdout)
  })

  it('says how to add workers where they can come, and with --verbose', async () => {
    using folder = temporaryFolder()
    const lines =
      /^To add a worker[^\n]*:\n {2}bellis worker \/[^\n]*\/\.bellis\/smooth-[\w-]+\n {2}sbatch --array=1-4 [^\n]+\n/
    const asked = await ok([...smoothTo('out.zarr/s'), '--verbose'], folder.path)
    assert.match(asked.stderr, lines)
    const open = await ok([...smoothTo('out.zarr/t'), '--host', '0.0.0.0'], folder.path)
    assert.match(open.stderr, lines)
  })
})

describe('on a terminal the command', { concurrency: 2 }, () => {
  const answer = (text: string) => [{ after: /\[y\/N\]/, text: `${text}\n` }]

  it('draws a coloured progress bar for each task on a terminal', async (t) => {
    using folder = temporaryFolder()
    const shown = await onTerminal(t, smoothTo('out.zarr/s'), folder.path)
    if (shown === undefined) return
    assert.equal(shown.code, 0, shown.drawn)
    assert.match(shown.drawn, /smooth .*━+.* \d+\/18/)
    assert.match(shown.drawn, /━{24}.* 18\/18/)
    assert.ok(shown.drawn.includes('\u001b[1A\u001b[0J'), 'it is not redrawn in place')
    assert.ok(shown.drawn.includes('\u001b[32m'), 'it is not green')
  })

  it('draws progress bars without colours if NO_COLOR is set', async (t) => {
    using folder = temporaryFolder()
    const shown = await onTerminal(t, smoothTo('out.zarr/s'), folder.path, { env: { NO_COLOR: '1' } })
    if (shown === undefined) return
    assert.match(shown.drawn, /smooth ━{24} 18\/18/)
    assert.ok(!/\[\d+(;\d+)*m/.test(shown.drawn), JSON.stringify(shown.drawn))
  })

  it('asks before it overwrites an output, and takes any answer but yes as no', async (t) => {
    using folder = temporaryFolder()
    await ok(smoothTo('out.zarr/s'), folder.path)
    const before = contentsOf(folder.path)
    const overwrite = [...smoothTo('out.zarr/s'), '--sigma', '1', '--overwrite']
    const no = await onTerminal(t, overwrite, folder.path, { typed: answer('maybe') })
    if (no === undefined) return
    assert.match(no.drawn, /out\.zarr\/s exists and will be deleted\. Continue\? \[y\/N\]/)
    assert.equal(no.code, 2, no.drawn)
    assert.deepEqual(contentsOf(folder.path), before)
    const yes = await onTerminal(t, overwrite, folder.path, { typed: answer('y') })
    assert.equal(yes?.code, 0, yes?.drawn)
    assert.notDeepEqual(contentsOf(folder.path), before)
  })
})

describe('a plan', () => {
  for (const [title, args] of [
    ['plan', (): string[] => ['plan', ...smoothTo('out.zarr/s')]],
    ['--dry-run', (): string[] => [...smoothTo('out.zarr/s'), '--dry-run']],
  ] as const) {
    it(`${title} prints blocks, levels, chunks and memory of the planned run, and writes nothing`, async () => {
      using folder = temporaryFolder()
      const { stdout, stderr } = await ok(args(), folder.path)
      assert.equal(stderr, '')
      assert.match(stdout, /blocks +18 \(2 × 3 × 3\), 1 level: all independent/)
      assert.match(stdout, /a block reads +24 × 48 × 48 voxels, writes 8 × 32 × 32 voxels/)
      // Per axis, voxels of context on both sides, cut at the ends of the volume: 32/16, 128/96 and 128/96.
      assert.match(stdout, /work +3\.56 voxels read for each one written, [\d.]+ decoded/)
      assert.match(stdout, /memory +about [\d.]+ MB per worker/)
      assert.match(stdout, /out\.zarr\/s: 16 × 96 × 96 uint8, 18 chunks of 8 × 32 × 32/)
      assert.match(stdout, /2 workers; nothing was written/)
      const threads = (await ok([...args(), '--pool', 'thread'], folder.path)).stdout
      assert.match(threads, /2 workers in one process of about \d+ MB; nothing was written/)
      const json = JSON.parse((await ok([...args(), '--json'], folder.path)).stdout)
      const [{ id, blocks, levels, done, memoryPerWorker, perVoxelWritten, writes }] = json.tasks
      assert.deepEqual([json.workers, id, blocks, levels, done], [2, 'smooth', 18, 1, 0])
      assert.deepEqual([writes[0].chunks, writes[0].chunkShape], [18, [8, 32, 32]])
      assert.ok(perVoxelWritten.decoded >= perVoxelWritten.read && perVoxelWritten.read === (2 * 4 * 4) / 9)
      assert.ok(memoryPerWorker > 24 * 48 * 48 + 8 * 32 * 32)
      assert.deepEqual(readdirSync(folder.path), [])
    })
  }

  it('of several tasks says what a worker needs that does blocks of all of them', async () => {
    const plan = ['plan', 'label', raw, join(shared.path, 'labels.zarr/l'), '--block', '16,32,32']
    const json = await ok([...plan, '--workers', '2', '--json'], shared.path)
    const { tasks, memoryPerWorker } = JSON.parse(json.stdout)
    const largest = Math.max(...tasks.map((task: { memoryPerWorker: number }) => task.memoryPerWorker))
    assert.ok(tasks.length > 1 && memoryPerWorker >= largest, `${memoryPerWorker} ${largest}`)
    const lastLine = async (workers: string) =>
      (await ok([...plan, '--workers', workers], shared.path)).stdout.trimEnd().split('\n').at(-1)
    const bytes = showBytes(memoryPerWorker)
    // One worker alone does more blocks, so its memory may differ.
    assert.equal(await lastLine('2'), `2 workers of about ${bytes} each; nothing was written.`)
    assert.match((await lastLine('1')) ?? '', /^1 worker of about [\d.]+ MB; nothing was written\.$/)
  })
})

describe('info', () => {
  const info = async (...paths: string[]) => JSON.parse((await ok(['info', ...paths, '--json'], shared.path)).stdout)
  const expected = {
    raw: { dtype: 'uint8', shape: [16, 96, 96], voxelSize: [40, 4, 4], offset: [0, 0, 0], unit: 'nm' },
    ids: { dtype: 'uint64', shape: [16, 96, 96], voxelSize: [40, 4, 4], offset: [0, 0, 0], unit: 'nm' },
  }
  const part = ({ dtype, shape, voxelSize, offset, unit }: Record<string, unknown>) => ({
    ...{ dtype, shape, voxelSize, offset, unit },
  })

  it('info describes a Zarr array for people and for programs', async () => {
    const array = await info(raw)
    assert.deepEqual(part(array), expected.raw)
    assert.deepEqual([array.format, array.chunkShape, array.shardShape], ['zarr3', [16, 48, 48], null])
    assert.deepEqual([array.codecs, array.chunksStored, array.chunksTotal], [['zstd:3'], 4, 4])
    assert.deepEqual(array.roi, { offset: [0, 0, 0], shape: [640, 384, 384] })
    const { stdout } = await ok(['info', raw], shared.path)
    assert.match(stdout, /volumes\/raw\n {2}format +Zarr 3\n {2}shape +16 × 96 × 96 \(z, y, x\), uint8, 147 kB\n/)
    assert.match(stdout, /chunks +16 × 48 × 48, 4 of 4 stored\n/)
    assert.match(stdout, /voxel size +40 × 4 × 4 nm\n {2}offset +0, 0, 0 nm\n {2}roi +0,0,0:640,384,384 nm\n/)
    assertPlain(stdout)
  })

  it('info describes every array of a group or a container', async () => {
    const paths = (list: { path: string }[]) => list.map(({ path }) => path)
    const all = await info(container)
    assert.deepEqual(paths(all), [`${container}/volumes/labels/neuron_ids`, raw])
    assert.deepEqual(all.map(part), [expected.ids, expected.raw])
    const { stdout } = await ok(['info', container], shared.path)
    const lines = stdout.split('\n')
    assert.match(lines[0] ?? '', /^DATASET +SHAPE +TYPE +SIZE +CHUNKS +STORED +VOXEL \(nm\)$/)
    assert.match(
      lines[2] ?? '',
      /volumes\/raw {2,}16 × 96 × 96 {2,}uint8 {2,}147 kB {2,}16 × 48 × 48 {2,}all {2,}40 × 4 × 4$/,
    )
    assert.deepEqual(lines.slice(3), [`Details of one: bellis info ${container}/volumes/labels/neuron_ids`, ''])
    assert.equal(lines[1]?.indexOf('uint64'), lines[0]?.indexOf('TYPE'), 'columns are aligned')
    // A group with one pyramid stands for its finest array.
    assert.deepEqual((await info(`${container}/volumes/labels/`)).path, `${container}/volumes/labels/neuron_ids`)
  })

  it('info says that chunks differ in shape, with the longest, and convert copies such an array', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'a.zarr', 'raw')
    const options = { shape: [6, 8], dtype: 'uint8', voxelSize: [1, 1], chunkShape: [2, 4], codec: 'raw' } as const
    await (await createArray(path, options)).close()
    const file = join(path, 'zarr.json')
    const chunk_grid = { name: 'rectilinear', configuration: { kind: 'inline', chunk_shapes: [[1, 3, 2], 4] } }
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), chunk_grid }))
    mkdirSync(join(path, 'c', '1'), { recursive: true })
    writeFileSync(join(path, 'c', '1', '1'), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
    assert.match((await ok(['info', 'a.zarr/raw'], folder.path)).stdout, /chunks +up to 3 × 4, 1 of 6 stored\n/)
    await ok(['convert', 'a.zarr/raw', 'b.zarr/raw', '--pool', 'inline'], folder.path)
    await using copy = await openArray(join(folder.path, 'b.zarr', 'raw'))
    const rows = await copy.read(copy.roi)
    assert.deepEqual([...rows.data].slice(8, 32), [
      ...[0, 0, 0, 0, 1, 2, 3, 4],
      ...[0, 0, 0, 0, 5, 6, 7, 8],
      ...[0, 0, 0, 0, 9, 10, 11, 12],
    ])
    const writing = await bellis(['threshold', 'b.zarr/raw', 'a.zarr/raw', '--above', '1'], { cwd: folder.path })
    assert.match(writing.stderr, /a\.zarr\/raw has chunks of different shapes, which Bellis reads but does not write/)
  })

  it('info of a container names the command for the details of its largest array, and why others cannot be read', async () => {
    using folder = temporaryFolder()
    for (const [name, shape] of [
      ['a_mask', [4, 4, 4]],
      ['b_raw', [16, 16, 16]],
      ['c_strings', [8, 8, 8]],
      ['d_table', [9, 9999]],
    ] as const) {
      const voxelSize = shape.map(() => 1)
      const array = await createArray(join(folder.path, 'out.zarr', name), { shape, dtype: 'uint8', voxelSize })
      await array.close()
    }
    const strings = join(folder.path, 'out.zarr', 'c_strings', 'zarr.json')
    writeFileSync(strings, readFileSync(strings, 'utf8').replace('"uint8"', '"string"'))
    const { stdout } = await ok(['info', 'out.zarr'], folder.path)
    assert.match(stdout, /\nDetails of one: bellis info out\.zarr\/b_raw\n$/)
    assert.match(stdout, /\nout\.zarr\/c_strings {2}zarr\.json: the data type "string" is not supported/)
  })

  it('info lists the contents of an HDF5 file', async () => {
    const array = await info(`${sample}/volumes/labels/neuron_ids`)
    assert.deepEqual(part(array), expected.ids)
    assert.equal(array.format, 'hdf5')
    assert.deepEqual(array.codecs.slice(-1)[0]?.split(':')[0], 'gzip')
    const all = (await info(sample)) as { path: string }[]
    const paths = all.map(({ path }) => path)
    for (const name of ['volumes/raw', 'volumes/labels/neuron_ids']) assert.ok(paths.includes(`${sample}/${name}`))
  })
})

describe('lengths in nm and in voxels', () => {
  it('--sigma takes both, equal results for equal lengths, but no mix of them', async () => {
    using folder = temporaryFolder()
    const smoothed = async (name: string, sigma: string) => {
      await ok([...smoothTo(`out.zarr/${name}`), '--sigma', sigma, '--pool', 'inline'], folder.path)
      return hashVoxels(join(folder.path, 'out.zarr', name))
    }
    const even = await smoothed('voxels', '0.25,2,2')
    assert.equal(await smoothed('each', '10nm,8nm,8nm'), await smoothed('other', '0.25,2,2'))
    assert.notEqual(even, await smoothed('one', '2'))
    const { stdout } = await ok([...smoothTo('out.zarr/nm'), '--sigma', '8nm'], folder.path)
    assert.match(stdout, /^Sigma 0\.2 × 2 × 2 voxels, 8 × 8 × 8 nm; mode constant: [^\n]+\n$/m)
    assert.doesNotMatch(stdout, /on every axis/)
    const third = await ok([...smoothTo('out.zarr/third'), '--sigma', '13nm'], folder.path)
    assert.match(third.stdout, /^Sigma 0\.325 × 3\.25 × 3\.25 voxels, 13 × 13 × 13 nm;/m)
    const long = await ok([...smoothTo('out.zarr/long'), '--sigma', '1.23456'], folder.path)
    assert.match(long.stdout, /^Sigma 1\.23 × 1\.23 × 1\.23 voxels, 49\.4 × 4\.94 × 4\.94 nm;/m)
    for (const [sigma, reason] of [
      ['8nm,2,2', 'expected all of them in voxels, such as 0.5,2,2, or all in nm, such as 20nm,8nm,8nm.'],
      ['8nm,8nm', '"sigma" is 8nm,8nm, but '],
      ['0nm', 'expected a number above 0'],
    ] as const) {
      const { code, stderr } = await bellis([...smoothTo('out.zarr/none'), '--sigma', sigma], { cwd: folder.path })
      assert.equal(code, 2)
      assert.ok(stderr.includes(reason), stderr)
    }
  })

  it('--roi takes both, for convert, reduce and reset', async () => {
    using folder = temporaryFolder()
    await ok(['convert', raw, 'part.zarr/nm', '--roi', '160,0,40:320,384,80', '--pool', 'inline'], folder.path)
    await ok(['convert', raw, 'part.zarr/voxels', '--roi', '4:12,:,10:-66', '--pool', 'inline'], folder.path)
    assert.equal(
      await hashVoxels(join(folder.path, 'part.zarr/nm')),
      await hashVoxels(join(folder.path, 'part.zarr/voxels')),
    )
    const outside = await bellis(['convert', raw, 'part.zarr/no', '--roi', '0:20,:,:'], { cwd: folder.path })
    assert.match(
      outside.stderr,
      /^bellis: The roi 0:20,:,: is not inside .*; the part inside is 0,0,0:640,384,384\.\n$/,
    )
    const counts = await ok(['reduce', raw, '--roi', '0:1,0:10,0:10', '--pool', 'inline'], folder.path)
    assert.match(counts.stdout, /100 values/)
    await ok([...smoothTo('out.zarr/s'), '--pool', 'inline'], folder.path)
    const reset = ['reset', 'smooth-', '--yes', '--roi', '0:8,0:33,0:1']
    assert.match((await ok(reset, folder.path)).stdout, /^smooth: forgot 2 completed blocks$/m)
  })
})

describe('an existing output', () => {
  it('an existing output is continued by the same command, replaced with --overwrite --yes, and kept without --yes', async () => {
    using folder = temporaryFolder()
    const output = join(folder.path, 'out.zarr/s')
    await ok(smoothTo('out.zarr/s'), folder.path)
    const [hash, files] = [await hashVoxels(output), contentsOf(output)]
    const again = await ok(smoothTo('out.zarr/s'), folder.path)
    assert.match(
      again.stdout,
      /^✔ Nothing left to do: all 18 blocks were done before; --overwrite does them again\.\nWritten: out\.zarr\/s\n/,
    )
    assert.deepEqual(contentsOf(output), files)

    const other = ['convert', raw, 'out.zarr/s', '--chunk', '16,32,32', '--overwrite', '--workers', '1']
    const refused = await bellis(other, { cwd: folder.path })
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /^bellis: out\.zarr\/s exists and will be deleted; add --yes to confirm\.\n$/)
    assert.deepEqual(contentsOf(output), files)
    await ok([...other, '--yes'], folder.path)
    assert.equal(await hashVoxels(output), await hashVoxels(raw))
    assert.notEqual(await hashVoxels(output), hash)
    assert.ok(contentsOf(output).includes('c/0/2/2/') === false && existsSync(join(output, 'c/0/2/2')))
    assert.deepEqual(readdirSync(join(folder.path, 'out.zarr')).sort(), ['s', 'zarr.json'])
  })
})

describe('a sample', () => {
  it('a sample has the same bytes for the same seed, other bytes for another seed, and never replaces a file', async () => {
    using folder = temporaryFolder()
    const make = async (name: string, seed: string) => {
      await ok(['sample', name, '--size', '12,80,72', '--seed', seed], folder.path)
      return createHash('sha256')
        .update(readFileSync(join(folder.path, name)))
        .digest('hex')
    }
    const first = await make('a.hdf', '5')
    assert.equal(await make('b.hdf', '5'), first)
    assert.notEqual(await make('c.hdf', '6'), first)
    const again = await bellis(['sample', 'a.hdf', '--size', '12,80,72', '--seed', '6'], { cwd: folder.path })
    assert.equal(again.code, 2)
    assert.match(again.stderr, /^bellis: [^\n]*a\.hdf[^\n]*\n$/)
    assert.equal(
      createHash('sha256')
        .update(readFileSync(join(folder.path, 'a.hdf')))
        .digest('hex'),
      first,
    )
  })
})

describe('the demo', () => {
  it('names a folder that it may not create, in one line', { skip: !existsSync('/sys/kernel') }, async () => {
    // Not even root may.
    const { code, stderr } = await bellis(['demo', '/sys/kernel/tour'], { cwd: shared.path })
    assert.equal(code, 2, stderr)
    assert.match(stderr, /^bellis: \/sys\/kernel\/tour: (permission denied|the file system is read-only); .+\.\n$/)
  })

  it('refuses a folder where there can be none, instead of trying for ever', {
    skip: !existsSync('/proc/1'),
  }, async () => {
    for (const args of [
      ['demo', '/proc/tour'],
      ['demo', '/proc/a/tour'],
      ['new', '/proc/tour'],
    ]) {
      const { code, stderr } = await bellis(args, { cwd: shared.path })
      assert.equal(code, 2, stderr)
      assert.match(stderr, /^bellis: \/proc\/(a\/)?tour: no folder can be created there; choose another place\.\n$/)
    }
    for (const args of [
      ['convert', 'sample.hdf/volumes/raw', '/proc/a.zarr/raw'],
      ['sample', '/proc/s.hdf'],
      ['convert', 'sample.hdf/volumes/raw', 'x.zarr/raw', '--run-dir', '/proc/runs'],
    ]) {
      const { code, stderr } = await bellis(
        [...args, '--pool', 'inline'].slice(0, args[0] === 'sample' ? 2 : undefined),
        { cwd: shared.path },
      )
      assert.ok(code === 2 || code === 1, `${args}: ${code}`)
      assert.match(stderr, /^bellis: .*\/proc\//)
      assert.doesNotMatch(stderr, /internal error/)
    }
  })

  it('the demo creates everything that it lists, and its volume that was smoothed twice equals SciPy applied twice', async (t) => {
    const python = pythonOrSkip(t)
    using folder = temporaryFolder()
    const { stdout, stderr } = await ok(['demo', 'tour', '--workers', '2', '--dashboard', '--no-open'], folder.path)
    assert.equal(stderr.match(/The run's page: its address is in /g)?.length, 1)
    assert.doesNotMatch(stderr + stdout, PAGE_ADDRESS)
    const made = stdout.slice(stdout.indexOf('Made:'), stdout.indexOf('Look at it:')).match(/tour\/\S+/g) ?? []
    assert.equal(made.length, 6)
    for (const path of made) assert.ok(existsSync(join(folder.path, path)), path)
    const png = readFileSync(join(folder.path, 'tour/preview.png'))
    assert.equal(png.subarray(1, 4).toString(), 'PNG')
    if (python === undefined) return
    const answer = await runPython(python, new URL('./demo.py', import.meta.url), [join(folder.path, 'tour')])
    assert.match(answer, /all equal/)
  })
})
