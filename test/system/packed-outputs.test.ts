import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Hdf5Writer } from '../../src/adapters/hdf5/writing/hdf5-writer.ts'
import { writeZip } from '../../src/adapters/zarr/zip/write-zip.ts'
import { provenanceIn } from '../../src/core/progress/array-provenance.ts'
import { createArray } from '../../src/entry/index.ts'
import { bellis, dyingAt, dyingPacking, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { smallDiskOrSkip } from '../support/folders.ts'
import { until } from '../support/processes.ts'
import { seededVoxels } from '../support/seeded-voxels.ts'

/** More than is written at once when it is packed, and several blocks. */
const SHAPE = [40, 300, 400]
const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const input = join(shared.path, 'in.zarr/raw')

before(async () => {
  await using array = await createArray(input, {
    ...{ shape: SHAPE, dtype: 'uint16', chunkShape: [40, 100, 100] },
    ...{ voxelSize: [50, 4, 4], offset: [100, 8, 12], attributes: { note: 'as it was' } },
  })
  await array.write(array.roi, seededVoxels('uint16', 40 * 300 * 400, 5))
})

let folders = 0
/** An empty folder for a test, and what is done there. */
function place() {
  const cwd = join(shared.path, `${folders++}`)
  mkdirSync(cwd)
  const run = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
    bellis([...args, '--quiet'], { cwd, ...(env === undefined ? {} : { env }) })
  const ok = async (...args: readonly string[]) => {
    const result = await run(args)
    assert.equal(result.code, 0, result.stderr)
    return result
  }
  return { cwd, run, ok, left: () => readdirSync(cwd).filter((name) => name !== '.bellis') }
}

for (const { name, path } of [
  { name: 'a zip file', path: 'out.zarr.zip/raw' },
  { name: 'an HDF5 file', path: 'out.h5/volumes/raw' },
  { name: 'an OME-Zarr file', path: 'out.ozx/image/raw' },
]) {
  const [file = ''] = path.split('/')
  const convert = ['convert', input, path, '--chunk', '20,100,200', '--workers', '2']

  describe(`a run that writes ${name}`, () => {
    it('writes it once, with voxels, placement, attributes and provenance; the same command has nothing to do', async () => {
      const { cwd, ok, left } = place()
      const first = await bellis([...convert, '--events', 'events.jsonl'], { cwd })
      assert.equal(first.code, 0, first.stderr)
      assert.match(first.stderr, new RegExp(`^packing \\S*${file} …\npacked \\S*${file}: [\\d.]+ MB in `, 'm'))
      const events = readFileSync(join(cwd, 'events.jsonl'), 'utf8').trim().split('\n')
      const ends = events.slice(-3).map((line) => JSON.parse(line))
      assert.deepEqual(
        ends.map(({ type, path, bytes }) => [type, path === undefined ? undefined : basename(path), bytes]),
        [
          ['packing', file, undefined],
          ['packed', file, statSync(join(cwd, file)).size],
          ['run-finished', undefined, undefined],
        ],
      )
      rmSync(join(cwd, 'events.jsonl'))
      assert.deepEqual(left(), [file])
      assert.equal(await hashVoxels(join(cwd, path)), await hashVoxels(input))
      const { stdout } = await bellis(['info', path, '--json'], { cwd })
      const { voxelSize, offset, chunkShape, attributes } = JSON.parse(stdout)
      assert.deepEqual(
        { voxelSize, offset, chunkShape },
        { voxelSize: [50, 4, 4], offset: [100, 8, 12], chunkShape: [20, 100, 200] },
      )
      assert.equal(attributes.note, 'as it was')
      assert.match(provenanceIn(attributes)?.ended ?? '', /^\d{4}-/)
      const bytes = readFileSync(join(cwd, file))
      const again = await bellis(convert, { cwd })
      assert.match(again.stdout, /Nothing left to do/)
      assert.deepEqual(readFileSync(join(cwd, file)), bytes)
      await ok('smooth', path, 'soft.zarr/raw', '--sigma', '1')
    })

    // What is packed, and not how, is all that differs.
    if (file.endsWith('.ozx')) return

    it('continues after a kill, during blocks and wherever it was in packing, with the file complete or not there', async () => {
      const { cwd, run, ok, left } = place()
      for (const env of [dyingAt(0), ...(['write 1', 'write 2', 'name'] as const).map(dyingPacking)]) {
        const { code } = await run(convert, env)
        assert.equal(code, 'SIGKILL', JSON.stringify(env))
        assert.deepEqual(left(), [`${file}.unfinished.zarr`])
      }
      const { code } = await run(convert, dyingPacking('remove'))
      assert.equal(code, 'SIGKILL')
      assert.deepEqual(left(), [file, `${file}.unfinished.zarr`])
      assert.equal(await hashVoxels(join(cwd, path)), await hashVoxels(input))
      const again = await bellis(convert, { cwd })
      assert.match(again.stdout, /Nothing left to do/)
      assert.deepEqual(left(), [file])
      await ok('info', path)
    })

    if (!file.endsWith('.zip')) return

    /** Runs the command, and presses Ctrl-C while it is packing: each time once the texts so far are there. */
    const interrupted = (cwd: string, said: readonly RegExp[], after: () => void) =>
      bellis(convert, {
        cwd,
        env: dyingPacking('hold'),
        meanwhile: async ({ pid, output }) => {
          for (const text of [new RegExp(`^packing \\S*${file} `, 'm'), ...said]) {
            await until(`${text}`, () => text.test(output.stderr))
            if (text !== said.at(-1)) process.kill(pid, 'SIGINT')
          }
          after()
        },
      })
    const FIRST =
      /^Stopping: all blocks are done, and \S*out\.zarr\.zip is packed first; Ctrl-C again stops at once\.$/m

    it('finishes packing after Ctrl-C, and says so', async () => {
      const { cwd, left } = place()
      const { code, stdout, stderr } = await interrupted(cwd, [FIRST], () => writeFileSync(join(cwd, 'go-on'), ''))
      assert.equal(code, 0, stderr)
      assert.match(stdout, /^✔ convert: 6 of 6 blocks/m)
      assert.deepEqual(left(), ['go-on', file])
    })

    it('stops packing at once after the second Ctrl-C, and the same command packs it', async () => {
      const { cwd, ok, left } = place()
      const LAST = /^To continue: bellis convert /m
      const { code, stderr } = await interrupted(cwd, [FIRST, LAST], () => {})
      assert.equal(code, 130, stderr)
      assert.match(stderr, /^Stopped at once; done: convert 6 of 6 blocks; \S*out\.zarr\.zip is not written yet\.$/m)
      assert.deepEqual(left(), [`${file}.unfinished.zarr`])
      await ok(...convert)
      assert.deepEqual(left(), [file])
      assert.equal(await hashVoxels(join(cwd, path)), await hashVoxels(input))
    })

    it('fails with one error and how to continue if the disk is full, keeps the arrays, and is packed once there is room', async (t) => {
      const { cwd, left } = place()
      using disk = smallDiskOrSkip(t, cwd, '16m')
      if (disk === undefined) return
      const onDisk = ['convert', input, `disk/${path}`, ...convert.slice(3)]
      // Almost as much as its arrays need is not enough for the file as well.
      disk.remount('size=13m')
      const full = await bellis(onDisk, { cwd })
      assert.equal(full.code, 1, full.stderr)
      const errors = full.stderr.split('\n').filter((line) => line.startsWith('bellis:'))
      assert.equal(errors.length, 1, full.stderr)
      assert.match(errors[0] ?? '', /disk\/out\.zarr\.zip.*: the disk is full; free some space/)
      assert.match(full.stderr, /^To continue: bellis convert .* disk\/out\.zarr\.zip\/raw /m)
      assert.deepEqual(readdirSync(disk.path), [`${file}.unfinished.zarr`])
      disk.remount('size=64m')
      const again = await bellis(onDisk, { cwd })
      assert.equal(again.code, 0, again.stderr)
      assert.match(again.stdout, /Nothing left to do: all 6 blocks were done before/)
      assert.deepEqual([left(), readdirSync(disk.path)], [['disk'], [file]])
      assert.equal(await hashVoxels(join(disk.path, path)), await hashVoxels(input))
    })

    it('keeps what is done beside it while blocks are missing, and says so', async () => {
      const { cwd, run, ok, left } = place()
      const first = await bellis([...convert, '--only', '0:40,0:100,0:200'], { cwd })
      assert.equal(first.code, 0, first.stderr)
      assert.match(
        first.stderr,
        new RegExp(`${file} is not written yet, since .*raw of it is not complete.*unfinished`),
      )
      assert.deepEqual(left(), [`${file}.unfinished.zarr`])
      const { stdout } = await run(['info', path])
      assert.match(stdout, /not finished/)
      // Messages about datasets name them as the user does.
      for (const [args, said] of [
        [['info', `${file}/none`], new RegExp(`There is no "none" in ${file}; it has`)],
        [['smooth', input, path], new RegExp(`bellis: ${path} (already exists|contains data)`)],
        [
          ['smooth', path, 'smoothed.zarr/a', '--sigma', '1', '--pool', 'inline'],
          new RegExp(`warning: .*${path} is not complete`),
        ],
      ] as const) {
        const { stderr } = await bellis(args, { cwd })
        assert.match(stderr, said)
        assert.doesNotMatch(stderr, /unfinished/)
      }
      rmSync(join(cwd, 'smoothed.zarr'), { recursive: true })
      await ok(...convert)
      assert.deepEqual(left(), [file])
      assert.equal(await hashVoxels(join(cwd, path)), await hashVoxels(input))
    })

    it('is refused where something would be lost, and replaces what it wrote only with --overwrite', async () => {
      const { cwd, run, ok, left } = place()
      await ok(...convert)
      const another = await run(['convert', input, `${file}/other`])
      assert.equal(another.code, 2)
      assert.match(another.stderr, /exists, and such files are written once, with all their arrays/)
      const lost = await run(['convert', input, `${file}/other`, '--overwrite', '--yes'])
      assert.equal(lost.code, 2)
      assert.match(lost.stderr, /has other arrays, too, such as .*raw, which would be lost/)
      const changed = await run(['map', input, path, '--expr', 'x + 1'])
      assert.equal(changed.code, 2)
      assert.match(changed.stderr, /already exists|did not write/)
      assert.equal(await hashVoxels(join(cwd, path)), await hashVoxels(input))
      await ok('map', input, path, '--expr', 'x + 1', '--overwrite', '--yes')
      assert.notEqual(await hashVoxels(join(cwd, path)), await hashVoxels(input))
      assert.deepEqual(left(), [file])
      // Nor is a file that another program has made meanwhile.
      rmSync(join(cwd, file))
      await ok('map', input, path, '--expr', 'x', '--only', '0:40,0:100,0:200')
      writeFileSync(join(cwd, file), 'not made here')
      const meanwhile = await run(['map', input, path, '--expr', 'x'])
      assert.notEqual(meanwhile.code, 0)
      assert.equal(readFileSync(join(cwd, file), 'utf8'), 'not made here')
      assert.deepEqual(left(), [file, `${file}.unfinished.zarr`])
      rmSync(join(cwd, `${file}.unfinished.zarr`), { recursive: true })
      // What is no such file is never replaced.
      rmSync(join(cwd, file))
      writeFileSync(join(cwd, file), 'something else')
      const foreign = await run([...convert, '--overwrite', '--yes'])
      assert.notEqual(foreign.code, 0)
      assert.equal(readFileSync(join(cwd, file), 'utf8'), 'something else')
    })

    it('may write several arrays, in one run or in several that overlap', async () => {
      const { cwd, run, ok, left } = place()
      const paths = ['a', 'b'].map((inner) => `${file}/${inner}`)
      // The first one is complete, but the second one has begun.
      await run(['convert', input, paths[1] as string, '--only', '0:40,0:100,0:200'])
      await ok('convert', input, paths[0] as string)
      assert.deepEqual(left(), [`${file}.unfinished.zarr`])
      await ok('convert', input, paths[1] as string)
      assert.deepEqual(left(), [file])
      for (const array of paths) assert.equal(await hashVoxels(join(cwd, array)), await hashVoxels(input))
    })
  })
}

for (const file of ['out.zarr.zip', 'out.h5']) {
  describe(`runs that write ${file} at the same time`, () => {
    const part = ['--only', '0:40,0:100,0:100']

    /** Converts into `a`, and does something while that run waits: before it packs, or with the packed file, which has no name yet. */
    async function whileOneWaits(cwd: string, at: 'lock' | 'hold', action: () => Promise<void>) {
      return bellis(['convert', input, `${file}/a`], {
        cwd,
        env: dyingPacking(at),
        meanwhile: async ({ output }) => {
          const waits = () =>
            at === 'lock'
              ? existsSync(join(cwd, 'waits'))
              : new RegExp(`^packing \\S*${file} `, 'm').test(output.stderr)
          await until('the run waits', waits)
          await action()
          writeFileSync(join(cwd, 'go-on'), '')
        },
      })
    }
    const made = (left: readonly string[]) => left.filter((name) => !['go-on', 'waits'].includes(name))

    it('add no array to what is being packed: they are refused', async () => {
      const { cwd, run, left } = place()
      const first = await whileOneWaits(cwd, 'hold', async () => {
        for (const args of [[], ['--overwrite', '--yes']]) {
          const second = await run(['convert', input, `${file}/b`, ...args])
          assert.equal(second.code, 2, second.stderr)
          assert.match(
            second.stderr,
            new RegExp(`${file} is being packed by process \\d+ on .*; write to another file`),
          )
        }
      })
      assert.equal(first.code, 0, first.stderr)
      assert.deepEqual(made(left()), [file])
      assert.equal(await hashVoxels(join(cwd, file, 'a')), await hashVoxels(input))
    })

    it('pack nothing while an array is incomplete that was begun before the file is packed', async () => {
      const { cwd, ok, left } = place()
      const first = await whileOneWaits(cwd, 'lock', async () => {
        await ok('convert', input, `${file}/b`, ...part)
      })
      assert.equal(first.code, 0, first.stderr)
      assert.match(first.stderr, new RegExp(`${file} is not written yet, since b of it is not complete`))
      assert.deepEqual(made(left()), [`${file}.unfinished.zarr`])
      await ok('convert', input, `${file}/b`)
      assert.deepEqual(made(left()), [file])
      for (const inner of ['a', 'b']) {
        assert.equal(await hashVoxels(join(cwd, file, inner)), await hashVoxels(input))
      }
    })

    it('are packed together by the one that ends first, and the other one finds its array in the file', async () => {
      const { cwd, ok, left } = place()
      const first = await whileOneWaits(cwd, 'lock', async () => {
        await ok('convert', input, `${file}/b`)
        assert.deepEqual(made(left()), [file])
      })
      assert.equal(first.code, 0, first.stderr)
      assert.deepEqual(made(left()), [file])
      for (const inner of ['a', 'b']) {
        assert.equal(await hashVoxels(join(cwd, file, inner)), await hashVoxels(input))
      }
    })

    it('fail if what they wrote is in no file at their end', async () => {
      const { cwd, ok } = place()
      const first = await whileOneWaits(cwd, 'lock', async () => {
        await ok('convert', input, `${file}/b`)
        rmSync(join(cwd, file))
        await ok('convert', input, `${file}/b`, '--overwrite', '--yes')
      })
      assert.equal(first.code, 1, first.stderr)
      assert.match(first.stderr, new RegExp(`${file}/a was written by this run and is gone`))
    })
  })
}

describe('a file that is replaced', () => {
  /** Packs what a folder has, as any program does. */
  async function zipOf(path: string, files: Readonly<Record<string, string>>, also?: string) {
    using folder = temporaryFolder()
    if (also !== undefined) cpSync(also, folder.path, { recursive: true })
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder.path, name)), { recursive: true })
      writeFileSync(join(folder.path, name), text)
    }
    await writeZip(folder.path, path)
  }
  const group = (attributes: object) => JSON.stringify({ zarr_format: 3, node_type: 'group', attributes })
  const container = dirname(input)

  for (const { name, files, also, said } of [
    { name: 'no arrays', files: { 'a.jpg': 'a', 'b/c.txt': 'c' }, also: undefined, said: 'a\\.jpg' },
    { name: 'a table', files: { 'tables/points.csv': '1,2' }, also: container, said: 'tables/points\\.csv' },
    {
      name: 'a file in the folder of the array',
      files: { 'raw/notes.txt': 'n' },
      also: container,
      said: 'raw/notes\\.txt',
    },
    { name: 'a group', files: { 'meta/zarr.json': group({ by: 'me' }) }, also: container, said: 'meta/zarr\\.json' },
    {
      name: 'attributes',
      files: { 'zarr.json': group({ by: 'me' }) },
      also: container,
      said: 'the attribute "by" of its root',
    },
    {
      name: 'colours',
      files: { 'zarr.json': group({ ome: { version: '0.5', omero: {} } }) },
      also: container,
      said: 'the attribute "omero" of its root',
    },
  ]) {
    it(`is refused if it has ${name}, which no run would make again`, async () => {
      const { cwd, run, left } = place()
      const path = join(cwd, 'out.zip')
      await zipOf(path, files, also)
      const before = readFileSync(path)
      const { code, stderr } = await run(['convert', input, 'out.zip/raw', '--overwrite', '--yes'])
      assert.equal(code, 2, stderr)
      assert.match(stderr, new RegExp(`out\\.zip has more than what is replaced, such as ${said}, which would be lost`))
      assert.deepEqual(readFileSync(path), before)
      assert.deepEqual(left(), ['out.zip'])
    })
  }

  it('is refused if it is HDF5 and has attributes of groups', async () => {
    const { cwd, run, left } = place()
    const path = join(cwd, 'out.h5')
    const writer = await Hdf5Writer.create(path)
    writer.createGroup('meta')
    writer.writeAttribute('meta', 'by', 'me')
    writer.close()
    const before = readFileSync(path)
    const { code, stderr } = await run(['convert', input, 'out.h5/raw', '--overwrite', '--yes'])
    assert.equal(code, 2, stderr)
    assert.match(
      stderr,
      /out\.h5 has more than what is replaced, such as the attribute "by" of meta, which would be lost/,
    )
    assert.deepEqual(readFileSync(path), before)
    assert.deepEqual(left(), ['out.h5'])
  })

  it('is replaced if it has the array alone, whoever wrote it', async () => {
    const { cwd, ok, left } = place()
    await zipOf(join(cwd, 'out.zip'), {}, container)
    for (const path of ['out.zip/raw', 'out.h5/a/raw', 'out.h5/a/raw', 'out.zip/raw']) {
      await ok('map', input, path, '--expr', 'x + 1', '--overwrite', '--yes')
    }
    assert.deepEqual(left(), ['out.h5', 'out.zip'])
  })
})

describe('a file that is written once', () => {
  it('is not made by a script, which has no end at which it could be packed', async () => {
    const { cwd } = place()
    await assert.rejects(createArray(join(cwd, 'a.zarr.zip/raw'), { shape: [4], dtype: 'uint8' }), {
      code: 'UNSUPPORTED',
      message: /a\.zarr\.zip would be written at the end of a run; .*bellis convert/,
    })
    assert.deepEqual(readdirSync(cwd), [])
  })
})
