import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import fc from 'fast-check'
import { type RawChunk, RawChunks } from '../../../../src/adapters/hdf5/chunks/raw-chunks.ts'
import { hdf5Format } from '../../../../src/adapters/hdf5/hdf5-format.ts'
import { bytesOf, typedArray } from '../../../../src/core/array/dtype.ts'
import { BlockwiseError } from '../../../../src/core/errors.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../../src/ports/chunked-array.ts'
import { pythonOrSkip, runPython } from '../../../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis-chunks-'))
after(() => rmSync(folder, { recursive: true }))
const format = hdf5Format()

/** What h5py reads. */
interface Answer {
  readonly file: string
  readonly name: string
  readonly shape: readonly number[]
  readonly boxes: readonly {
    readonly offset: readonly number[]
    readonly shape: readonly number[]
    readonly sha256: string
  }[]
}

let made: Promise<readonly Answer[]> | undefined
const answersOf = (python: string): Promise<readonly Answer[]> => {
  made ??= runPython(python, new URL('make-indexes.py', import.meta.url), [folder]).then(JSON.parse)
  return made
}

async function readBox(array: ChunkedArray, offset: readonly number[], shape: readonly number[]): Promise<Uint8Array> {
  const into = typedArray(
    array.dtype,
    shape.reduce((product, length) => product * length, 1),
  )
  bytesOf(into).fill(0xa5)
  await array.readVoxels(roi(offset, shape), into)
  return bytesOf(into)
}

const readAll = (array: ChunkedArray): Promise<Uint8Array> =>
  readBox(
    array,
    array.shape.map(() => 0),
    array.shape,
  )

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What reading chunks past the library has answered since the last call. */
const answered = { bytes: 0, unwritten: 0, unknown: 0 }
const { read } = RawChunks.prototype
RawChunks.prototype.read = function (this: RawChunks, index, isKept): RawChunk {
  const chunk = read.call(this, index, isKept)
  answered[typeof chunk === 'string' ? chunk : 'bytes']++
  return chunk
}
function takeAnswered() {
  const counts = { ...answered }
  Object.assign(answered, { bytes: 0, unwritten: 0, unknown: 0 })
  return counts
}

describe('HDF5 chunks, read past the library', () => {
  it('V5: are corrupt, and not handed to the library, if they decode to far more bytes than they should', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    await runPython(python, new URL('make-bombs.py', import.meta.url), [folder])
    const path = join(folder, 'bombs.h5')
    const values = Uint8Array.from({ length: 4096 }, (_, index) => index % 15)
    await using sound = await format.open(path, 'sound')
    assert.deepEqual(await readAll(sound), values)
    await using long = await format.open(path, 'long')
    assert.deepEqual(await readAll(long), new Uint8Array(4096))
    for (const name of ['gzip', 'gzip-gzip', 'scaleoffset-gzip', 'szip', 'szip-gzip']) {
      await using array = await format.open(path, name)
      const message = /\(chunk \(0, 0\)\): it decodes to far more bytes than a chunk of this dataset has; copy the file/
      await assert.rejects(readAll(array), { code: 'CORRUPT_DATA', message }, name)
    }
    await assert.rejects(format.open(join(folder, 'settings.h5'), 'scaleoffset'), {
      code: 'CORRUPT_DATA',
      message: /its filter scaleoffset is for chunks of 1073741824 bytes, and they have 4096;/,
    })
  })

  it('are what h5py reads, for every kind of index, filter, type and edge', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const answers = await answersOf(python)
    assert.ok(answers.length > 100)
    for (const { file, name, shape, boxes } of answers) {
      await using array = await format.open(join(folder, file), name)
      assert.deepEqual(array.shape, shape)
      // Twice: the second time, some chunks come from those that were kept.
      for (const { offset, shape: box, sha256: expected } of [...boxes, ...boxes]) {
        takeAnswered()
        const voxels = await readBox(array, offset, box)
        const where = `${file}/${name} ${offset}:${box} ${JSON.stringify(takeAnswered())}`
        assert.equal(sha256(voxels), expected, where)
        assert.doesNotMatch(where, /"unknown":[1-9]/)
        const isWritten = file.endsWith('index.h5') && !/gaps|sparse|unwritten|grown|masked/.test(name)
        if (isWritten) assert.doesNotMatch(where, /"unwritten":[1-9]/)
      }
    }
  })

  it('are never other voxels than the library reads if the file is damaged', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const answers = (await answersOf(python)).filter(({ file }) => file.endsWith('small.h5'))
    const files = [...new Set(answers.map(({ file }) => file))]
    const intact = new Map(files.map((file) => [file, readFileSync(join(folder, file))]))
    const damaged = join(folder, 'damaged.h5')
    const outcome = async (name: string, isRaw: boolean): Promise<string> => {
      const { of } = RawChunks
      if (!isRaw) RawChunks.of = () => undefined
      try {
        await using array = await format.open(damaged, name)
        return sha256(await readAll(array))
      } catch (error) {
        if (!(error instanceof BlockwiseError)) throw error
        return error.code
      } finally {
        RawChunks.of = of
      }
    }
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...answers),
        fc.array(fc.record({ at: fc.nat(), value: fc.nat(255) }), { minLength: 1, maxLength: 30 }),
        async ({ file, name, boxes: [whole] }, changes) => {
          const bytes = Buffer.from(intact.get(file) as Buffer)
          for (const { at, value } of changes) bytes[64 + (at % (bytes.length - 64))] = value
          writeFileSync(damaged, bytes)
          const [ours, theirs] = [await outcome(name, true), await outcome(name, false)]
          // The library also refuses damage of what these voxels don't need. Where there is no checksum, both read what it says.
          if (ours !== whole?.sha256) assert.equal(ours, theirs, `${file}/${name}`)
        },
      ),
      { numRuns: 60, seed: 20261129 },
    )
  })
})
