import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SQLInputValue, StatementSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { STALE_MS } from '../../../src/adapters/zarr/lock-holder.ts'
import { createArray, openArray } from '../../../src/entry/arrays.ts'
import { defineTask, z } from '../../../src/entry/index.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import { type OutputMark, readMark } from '../../../src/entry/run-folder/output-mark.ts'
import type { RunOptions } from '../../../src/entry/run-options.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { contentsOf } from '../../support/folders.ts'
import { upTo } from '../../support/recorded-runs.ts'

/** What blocks wait for, in this process. */
let gate = Promise.resolve()

/** Fills a volume of eight chunks with a value; fails at the blocks from `stopAt` on. */
const fill = defineTask({
  name: 'fill',
  config: z.object({
    output: z.string(),
    value: z.number(),
    length: z.number().default(8),
    stopAt: z.number().default(8),
    ifExists: z.enum(['reuse', 'replace']).optional(),
  }),
  async plan({ output, length, ifExists }, { arrays }) {
    const chosen = ifExists === undefined ? {} : { ifExists }
    // Precomputed volumes have three axes.
    const rest = output.includes('.precomputed') ? [1, 1] : []
    const chunks = { shape: [length, ...rest], chunkShape: [1, ...rest] }
    const array = await arrays.create(output, { ...chunks, dtype: 'uint8', codec: 'raw', ...chosen })
    const block = { offset: chunks.shape.map(() => 0), shape: chunks.chunkShape }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  async setup({ output, value, stopAt }, { arrays }) {
    const array = await arrays.open(output, { mode: 'r+' })
    return async ({ index, writeRoi }) => {
      await gate
      if (index >= stopAt) throw new Error(`stopped at ${index}`)
      await array.write(writeRoi, Uint8Array.of(value))
    }
  },
})

/** A folder with two homes of runs and the path of an output. */
function places(name = 'out.zarr/filled') {
  const folder = temporaryFolder()
  const output = join(folder.path, name)
  const warnings: string[] = []
  const start = (
    config: { value: number; length?: number; stopAt?: number; ifExists?: 'reuse' },
    more: RunOptions & { home?: string } = {},
  ) => {
    const { home = 'x', ...options } = more
    return runBlockwise(fill({ output, ...config }), {
      pool: 'inline',
      workers: 1,
      maxRetries: 0,
      progress: 'sqlite',
      runDir: join(folder.path, home),
      onEvent: (event) => event.type === 'warning' && warnings.push(event.message),
      ...options,
    })
  }
  const voxels = async () => {
    await using array = await openArray(output)
    return [...((await array.read(array.roi)).data as Uint8Array)]
  }
  const lockFromAfar = (about: Record<string, string>, ageMs: number) => {
    const path = join(output, '.bellis-lock')
    writeFileSync(path, JSON.stringify({ token: 't', host: 'far', machine: 'far', pid: 1, since: '', about }))
    const time = new Date(Date.now() - ageMs)
    utimesSync(path, time, time)
  }
  const runIn = (home: string) => join(folder.path, home, readdirSync(join(folder.path, home))[0] as string)
  const mark = async () => (await readMark(output)) as OutputMark
  /** What a lock says of the run of the mark. */
  const about = async () => {
    const { run, folder, command, started } = await mark()
    return { run, folder, command, started }
  }
  return { ...folder, output, start, voxels, warnings, runIn, lockFromAfar, mark, about }
}

/** Without what readers of a record leave beside it. */
const filesIn = (folder: string) => contentsOf(folder).filter((name) => !/sqlite-(shm|wal) /.test(name))

const all = (value: number) => Array<number>(8).fill(value)
const skipped = ({ tasks }: Awaited<ReturnType<typeof runBlockwise>>) => tasks[0]?.skipped

describe('the identity of a record', () => {
  it('R1: is in the mark of the output, with who wrote it; another start keeps it, --overwrite renews it', async () => {
    using at = places()
    await at.start({ value: 1 })
    const { id, ...mark } = await at.mark()
    assert.match(id, /^[\w-]{36}$/)
    assert.equal(mark.run, at.runIn('x').split('/').at(-1))
    assert.equal(mark.folder, at.runIn('x'))
    assert.match(mark.command, /^node /)
    assert.match(mark.bellis, /^\d+\.\d+\.\d+/)
    assert.ok(Date.now() - Date.parse(mark.started) < 60_000)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
    assert.deepEqual(await at.mark(), { id, ...mark })
    await at.start({ value: 1 }, { overwrite: true })
    assert.notEqual((await at.mark()).id, id)
  })

  it('R1: a record is not believed for an output that a run in another folder has replaced and not finished', async () => {
    using at = places()
    await at.start({ value: 1 })
    const unfinished = await at.start({ value: 1, stopAt: 8 }, { home: 'y', overwrite: true, maxRetries: 0 })
    assert.ok(unfinished.ok)
    rmSync(join(at.output, 'c', '5'))
    const before = filesIn(at.path)
    await assert.rejects(at.start({ value: 1 }), { code: 'DATASET_EXISTS' })
    assert.deepEqual(filesIn(at.path), before)
    assert.equal(skipped(await at.start({ value: 1 }, { overwrite: true })), 0)
    assert.deepEqual(await at.voxels(), all(1))
  })

  it('R1: a record is not believed for an output without its mark: its blocks are done again, with a warning', async () => {
    using at = places()
    await at.start({ value: 1 })
    rmSync(join(at.output, '.bellis-run'))
    assert.equal(skipped(await at.start({ value: 1 })), 0)
    assert.match(at.warnings.join(), /fill: its output .* was written by another run, or replaced, after/)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
  })

  it('R1: a mark of version 0.1.0 is as good as the record that it belongs to, and both get an id', async () => {
    using at = places()
    await at.start({ value: 1 })
    const run = (await at.mark()).run
    await forgetId(join(at.runIn('x'), 'progress.sqlite'))
    writeFileSync(join(at.output, '.bellis-run'), `${run}\n`)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
    assert.deepEqual(at.warnings, [])
    const { id } = await at.mark()
    assert.match(id, /^[\w-]{36}$/)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
    assert.equal((await at.mark()).id, id)
    // A record that has an id does not believe a mark without one.
    writeFileSync(join(at.output, '.bellis-run'), `${run}\n`)
    assert.equal(skipped(await at.start({ value: 1 })), 0)
  })
})

/** Makes a record what version 0.1.0 wrote. */
async function forgetId(file: string): Promise<void> {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(file)
  database.exec('DROP TABLE identity')
  database.close()
}

describe('an output that another run has written', () => {
  it('R2: is refused before anything is written, with the run, its command, its date and what to do', async () => {
    using at = places()
    await at.start({ value: 1 })
    const before = filesIn(at.path)
    const { run, command, started } = await at.mark()
    await assert.rejects(at.start({ value: 2 }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'DATASET_EXISTS')
      for (const part of [run, command, started.slice(0, 10), '--overwrite', at.output]) {
        assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`)
      }
      return true
    })
    assert.deepEqual(filesIn(at.path), before)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
    await at.start({ value: 2 }, { overwrite: true })
    assert.deepEqual(await at.voxels(), all(2))
  })

  it('R2: is refused with the same if it has another shape', async () => {
    using at = places()
    await at.start({ value: 1 })
    const { run, command, started } = await at.mark()
    await assert.rejects(at.start({ value: 2, length: 9 }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'DATASET_EXISTS')
      for (const part of ['its shape is (8), not (9)', run, command, started.slice(0, 10), '--overwrite', at.output]) {
        assert.ok(error.message.includes(part), `${part} is not in: ${error.message}`)
      }
      return true
    })
    rmSync(join(at.output, '.bellis-run'))
    await assert.rejects(at.start({ value: 2, length: 9 }), {
      message: /not \(9\); continue it with the larger volume \(--grow\), overwrite it .* choose another name\.$/,
    })
  })

  it('R2: is refused if that run has only begun, and if it keeps no record', async () => {
    using at = places()
    assert.equal((await at.start({ value: 1, stopAt: 3 })).ok, false)
    await assert.rejects(at.start({ value: 2 }), { code: 'DATASET_EXISTS' })
    await assert.rejects(at.start({ value: 2 }, { progress: 'none' }), { code: 'DATASET_EXISTS' })
    using other = places()
    await other.start({ value: 1 }, { progress: 'none' })
    await assert.rejects(other.start({ value: 2 }), { code: 'DATASET_EXISTS' })
    assert.equal(skipped(await other.start({ value: 1 }, { progress: 'none' })), 0)
  })

  it('R2: is used if no chunk of it was written: nothing can be lost, and a warning names the run that began it', async () => {
    using at = places()
    assert.equal((await at.start({ value: 1, stopAt: 0 })).ok, false)
    assert.deepEqual(at.warnings.splice(0), [])
    assert.ok((await at.start({ value: 2 })).ok)
    assert.match(
      at.warnings.join(),
      /filled was begun by .*\(the run fill-out-filled-\w+, .*\), which has written nothing yet; this run takes it over/,
    )
    assert.deepEqual(await at.voxels(), all(2))
  })

  it('R2: is refused if another program wrote it, and used if it is empty', async () => {
    using at = places()
    const array = await createArray(at.output, { shape: [8], dtype: 'uint8', chunkShape: [1] })
    await array.write({ offset: [0], shape: [1] }, Uint8Array.of(7))
    await array.close()
    await assert.rejects(at.start({ value: 1 }), /contains data that this run did not write, and that no run of Bellis/)
    assert.equal(existsSync(join(at.path, 'x')), false)
    using empty = places()
    await (await createArray(empty.output, { shape: [8], dtype: 'uint8', chunkShape: [1] })).close()
    assert.ok((await empty.start({ value: 1 })).ok)
  })

  it('R2: is written if the task itself chose to write into what exists', async () => {
    using at = places()
    await at.start({ value: 1 })
    assert.ok((await at.start({ value: 2, ifExists: 'reuse' })).ok)
    assert.deepEqual(await at.voxels(), all(2))
  })
})

describe('an output that a run is writing', () => {
  it('R3: of an earlier start that was killed on another machine is waited for, with a word', async () => {
    using at = places()
    await at.start({ value: 1 })
    at.lockFromAfar(await at.about(), STALE_MS - 1500)
    assert.ok((await at.start({ value: 1 })).ok)
    assert.match(
      at.warnings.join(),
      /filled is still locked by an earlier start of this run, process 1 on far, .* up to 1\.\d s/,
    )
    assert.deepEqual(await at.voxels(), all(1))
    assert.equal(existsSync(join(at.output, '.bellis-lock')), false)
  })

  it('R3: of an earlier start on another machine that gives a sign of life is refused', async () => {
    using at = places()
    await at.start({ value: 1 })
    const lock = await at.about()
    at.lockFromAfar(lock, STALE_MS - 30_000)
    const onEvent: RunOptions['onEvent'] = (event) => {
      if (event.type === 'warning' && event.message.includes('sign of life')) at.lockFromAfar(lock, 0)
    }
    await assert.rejects(at.start({ value: 1 }, { onEvent }), {
      code: 'RUN_LOCKED',
      message: /process 1 on far; wait for it, or stop it\.$/,
    })
  })

  it('R3: of another run on another machine is refused, with its last sign of life', async () => {
    using at = places()
    await at.start({ value: 1 })
    at.lockFromAfar({ run: 'other', folder: '/far/other', command: 'bellis other', started: '2026-01-01' }, 90_500)
    const message = /It gave its last sign of life 1 min 3\d s ago; if it was killed, start again in \d\d s\.$/
    await assert.rejects(at.start({ value: 1 }), { code: 'RUN_LOCKED', message })
  })

  for (const name of ['out.zarr/filled', 'out.n5/filled', 'out.precomputed/filled'])
    it(`R3: is refused to every other run, with who writes it, until that run has ended (${name})`, async () => {
      using at = places(name)
      const opened = Promise.withResolvers<void>()
      const leased = Promise.withResolvers<void>()
      gate = opened.promise
      const first = at.start({ value: 1 }, { onEvent: ({ type }) => type === 'blocks-leased' && leased.resolve() })
      await leased.promise
      const refused = { code: 'RUN_LOCKED', message: /filled is being written by .* process \d+ on .*; wait for it/ }
      await assert.rejects(at.start({ value: 2 }, { home: 'y' }), refused)
      await assert.rejects(at.start({ value: 2 }, { home: 'y', overwrite: true }), refused)
      await assert.rejects(at.start({ value: 1 }, { home: 'y', progress: 'none' }), refused)
      await assert.rejects(at.start({ value: 1, length: 9 }, { home: 'y' }), refused)
      assert.equal(existsSync(join(at.path, 'y')), false)
      // Readers are not held up.
      assert.deepEqual(await at.voxels(), all(0))
      opened.resolve()
      assert.ok((await first).ok)
      assert.ok((await at.start({ value: 2 }, { home: 'y', overwrite: true })).ok)
      assert.deepEqual(await at.voxels(), all(2))
      assert.deepEqual(
        contentsOf(at.path).filter((file) => /lock/.test(file) && file.startsWith('out.')),
        [],
      )
    })
})

describe('the leases of earlier starts', () => {
  it('R5: hold no more once the run is started again, and no number is given twice', async () => {
    using at = places()
    const leases = () => JSON.parse(readFileSync(join(at.output, '.bellis-run'), 'utf8')).leases
    await at.start({ value: 1, stopAt: 4 })
    const first = leases()
    assert.deepEqual(first.held, [])
    // A clock that was put back.
    writeFileSync(
      join(at.output, '.bellis-run'),
      JSON.stringify({ ...(await at.mark()), leases: { from: 2 ** 52, held: [5] } }),
    )
    await at.start({ value: 1, stopAt: 4 })
    assert.deepEqual(leases().held, [])
    assert.ok(leases().from > 2 ** 52)
    assert.ok(first.from > 2 ** 40)
  })
})

describe('a block that the record calls done', () => {
  for (const [name, chunks] of [
    ['out.zarr/filled', 'c'],
    ['out.n5/filled', ''],
  ] as const)
    for (const fsync of [false, true])
      it(`R6: has all its chunks under their names, at every moment at which something is recorded (${name}, ${fsync ? 'with' : 'without'} --fsync)`, async (t) => {
        using at = places(name)
        const recorded: number[] = []
        const { run } = StatementSync.prototype
        t.mock.method(StatementSync.prototype, 'run', function (this: StatementSync, ...values: SQLInputValue[]) {
          if (this.sourceSQL.includes('INTO finished_page')) {
            const [bits] = values[2] as Uint8Array
            const done = upTo(8).filter((block) => ((bits as number) >> block) & 1)
            for (const block of done) assert.equal(readFileSync(join(at.output, chunks, String(block))).at(-1), 7)
            recorded.push(done.length)
          }
          return Reflect.apply(run, this, values) as ReturnType<typeof run>
        })
        assert.ok((await at.start({ value: 7 }, { fsync })).ok)
        assert.equal(recorded.at(-1), 8)
        assert.ok(recorded.length > 1, 'blocks are recorded one after the other')
      })
})

describe('a run with --overwrite that can not begin', () => {
  it('R4: has forgotten nothing', async () => {
    using at = places()
    await at.start({ value: 1 })
    const before = filesIn(at.path)
    const { createServer } = await import('node:net')
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((done) => taken.once('listening', done))
    const { port } = taken.address() as { port: number }
    try {
      const refused = { message: /in use/ }
      await assert.rejects(at.start({ value: 1 }, { overwrite: true, pool: 'none', port }), refused)
      await assert.rejects(at.start({ value: 1 }, { overwrite: true, dashboard: { port } }), refused)
    } finally {
      taken.close()
    }
    assert.deepEqual(filesIn(at.path), before)
    assert.equal(skipped(await at.start({ value: 1 })), 8)
    assert.match(readFileSync(join(at.runIn('x'), 'run.json'), 'utf8'), /"fill"/)
  })
})

/** Writes ten times its input, and waits only for another task, which comes after the one that makes the input. */
const tenfold = defineTask({
  name: 'tenfold',
  config: z.object({ input: z.string(), output: z.string() }),
  async plan({ input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const array = await arrays.create(output, { like: raw, chunkShape: [1] })
    const block = { offset: [0], shape: [1] }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  async setup({ input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const array = await arrays.open(output, { mode: 'r+' })
    return async ({ readRoi, writeRoi }) => {
      if (isTenfoldBroken) throw new Error('broken')
      const { data } = await raw.read(readRoi)
      await array.write(writeRoi, Uint8Array.of(10 * Number(data[0])))
    }
  },
})
let isTenfoldBroken = false

describe('an output that was removed', () => {
  it('R1: is made again before anything reads it, also what waits for it by way of tasks that are done', async () => {
    using folder = temporaryFolder()
    const place = (name: string) => join(folder.path, 'out.zarr', name)
    const warnings: string[] = []
    const start = () => {
      const first = fill({ output: place('first'), value: 7 }, { id: 'first' })
      const between = fill({ output: place('between'), value: 1 }, { id: 'between', after: [first] })
      const config = { input: place('first'), output: place('last') }
      return runBlockwise(tenfold(config, { id: 'last', after: [between] }), {
        pool: 'inline',
        workers: 1,
        maxRetries: 0,
        progress: 'sqlite',
        runDir: join(folder.path, 'runs'),
        onEvent: (event) => event.type === 'warning' && warnings.push(event.message),
      })
    }
    isTenfoldBroken = true
    assert.equal((await start()).ok, false)
    isTenfoldBroken = false
    rmSync(place('first'), { recursive: true })
    const { ok } = await start()
    assert.ok(ok)
    await using array = await openArray(place('last'))
    assert.deepEqual([...((await array.read(array.roi)).data as Uint8Array)], all(70))
    assert.match(warnings.join('\n'), /The blocks of "between", "last" are done again, too/)
    // Nothing is done again that is complete.
    warnings.length = 0
    rmSync(place('first'), { recursive: true })
    const again = await start()
    assert.deepEqual(
      again.tasks.map(({ id, skipped }) => [id, skipped]),
      [
        ['first', 0],
        ['between', 8],
        ['last', 8],
      ],
    )
    assert.doesNotMatch(warnings.join('\n'), /done again, too/)
  })
})
