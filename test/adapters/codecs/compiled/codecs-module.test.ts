import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  blosclzBound,
  blosclzCompress,
  blosclzDecompress,
  plainBlosclzCompress,
  plainBlosclzDecompress,
} from '../../../../src/adapters/codecs/blosclz.ts'
import { CodecError } from '../../../../src/adapters/codecs/codec.ts'
import { SOURCE_SHA256 } from '../../../../src/adapters/codecs/compiled/codecs.generated.ts'
import { decompresses, permutes } from '../../../../src/adapters/codecs/compiled/codecs-module.ts'
import { lz4Bound, lz4Compress, plainLz4Compress } from '../../../../src/adapters/codecs/lz4-compress.ts'
import { lz4Decompress, plainLz4Decompress } from '../../../../src/adapters/codecs/lz4-decompress.ts'
import { plainLzfDecompress } from '../../../../src/adapters/codecs/lzf.ts'
import {
  plainShuffleBits,
  plainShuffleBytes,
  plainUnshuffleBits,
  plainUnshuffleBytes,
} from '../../../../src/adapters/codecs/plain-shuffle.ts'
import { anyBytes } from '../any-bytes.ts'

const lz4 = (data: Uint8Array, acceleration: number, compress = plainLz4Compress): Uint8Array => {
  const output = new Uint8Array(lz4Bound(data.length) + 3).fill(0xee)
  return output.slice(0, compress(data, output, 3, acceleration))
}

const blosclz = (data: Uint8Array, compress = plainBlosclzCompress): Uint8Array => {
  const output = new Uint8Array(blosclzBound(data.length) + 3).fill(0xee)
  return output.slice(0, compress(data, output, 3))
}

/** Literals alone, and a repetition of the last bytes: the encoder of LZF is not a part of Bellis. */
function lzf(data: Uint8Array): Uint8Array {
  const out: number[] = []
  for (let at = 0; at < data.length; at += 32) {
    const part = data.subarray(at, at + 32)
    out.push(part.length - 1, ...part)
  }
  if (data.length > 0) out.push((7 << 5) | 0, data.length & 63, 0, (2 << 5) | 0, Math.min(data.length - 1, 255))
  return Uint8Array.from(out)
}

interface Kind {
  readonly name: Parameters<typeof decompresses>[0]
  readonly plain: (input: Uint8Array, output: Uint8Array) => void
  readonly encode: (data: Uint8Array) => Uint8Array
}

const KINDS: readonly Kind[] = [
  { name: 'lz4Decompress', plain: plainLz4Decompress, encode: (data) => lz4(data, 1).subarray(3) },
  { name: 'blosclzDecompress', plain: plainBlosclzDecompress, encode: (data) => blosclz(data).subarray(3) },
  { name: 'lzfDecompress', plain: plainLzfDecompress, encode: lzf },
]

/** Decodes with both, and compares whether they can and what they get. @returns whether they can */
function compare({ name, plain }: Kind, input: Uint8Array, size: number): boolean {
  const expected = new Uint8Array(size).fill(0x5a)
  let isValid = true
  try {
    plain(input, expected)
  } catch (error) {
    assert.ok(error instanceof CodecError, String(error))
    isValid = false
  }
  const untouched = new Uint8Array(size).fill(0xa5)
  const found = untouched.slice()
  assert.equal(decompresses(name, input, found), isValid, name)
  assert.deepEqual(Buffer.from(found), Buffer.from(isValid ? expected : untouched), name)
  return isValid
}

describe('the codecs in WebAssembly', () => {
  it('were built from their current source (run scripts/build-kernels.mjs after a change)', () => {
    const source = readFileSync(new URL('../../../../src/adapters/codecs/compiled/codecs.as', import.meta.url))
    assert.equal(createHash('sha256').update(source).digest('hex'), SOURCE_SHA256)
  })

  it('compress to the same bytes as in TypeScript', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: 1, max: 12 }), (data, acceleration) => {
        assert.deepEqual(Buffer.from(lz4(data, acceleration, lz4Compress)), Buffer.from(lz4(data, acceleration)))
        assert.deepEqual(Buffer.from(blosclz(data, blosclzCompress)), Buffer.from(blosclz(data)))
      }),
      { numRuns: 300 },
    )
  })

  it('decompress what was compressed, and no stream that is too long or too short', () => {
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(...KINDS), (data, kind) => {
        const input = kind.encode(data)
        const size =
          kind.name !== 'lzfDecompress' || data.length === 0 ? data.length : data.length + 13 + (data.length & 63)
        assert.equal(compare(kind, input, size), size > 0 || kind.name !== 'blosclzDecompress')
        for (const other of [size - 1, size + 1, size + 40]) if (other >= 0) compare(kind, input, other)
      }),
      { numRuns: 300 },
    )
  })

  it('refuse what TypeScript refuses of damaged streams, and write nothing then', () => {
    const damage = fc.array(fc.record({ where: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(...KINDS), damage, fc.nat(), (data, kind, places, cut) => {
        const input = kind.encode(data)
        if (input.length === 0) return
        for (const { where, byte } of places) input[where % input.length] = byte
        compare(kind, input, data.length)
        compare(kind, input.subarray(0, cut % input.length), data.length)
      }),
      { numRuns: 500 },
    )
  })

  it('take any bytes for a stream without reading or writing elsewhere', () => {
    const input = fc.uint8Array({ maxLength: 300 })
    fc.assert(
      fc.property(input, fc.constantFrom(...KINDS), fc.nat(2000), (bytes, kind, size) => {
        compare(kind, bytes, size)
      }),
      { numRuns: 500 },
    )
  })

  it('say what is wrong with a stream as TypeScript does', () => {
    const output = new Uint8Array(10)
    assert.throws(() => lz4Decompress(Uint8Array.of(0x10, 1, 0, 0), output), /before the start/)
    assert.throws(() => lz4Decompress(Uint8Array.of(0xf0), output), /truncated/)
    assert.throws(() => blosclzDecompress(Uint8Array.of(0, 1, 0x20, 5), output), /before the start/)
  })

  it('permute bytes and bits as TypeScript does, in blocks of any size', () => {
    const plain = {
      shuffleBytes: plainShuffleBytes,
      unshuffleBytes: plainUnshuffleBytes,
      shuffleBits: plainShuffleBits,
      unshuffleBits: plainUnshuffleBits,
    }
    const names = fc.constantFrom(...(Object.keys(plain) as (keyof typeof plain)[]))
    const elements = fc.oneof(
      fc.nat(300),
      fc.nat(60).map((n) => 8 * n),
    )
    fc.assert(
      fc.property(
        names,
        fc.oneof(fc.constantFrom(1, 2, 4, 8), fc.integer({ min: 1, max: 20 })),
        elements,
        fc.nat(19),
        fc.infiniteStream(fc.nat(255)),
        (name, size, count, more, random) => {
          const length = count * size + (more % size)
          const source = Uint8Array.from({ length }, () => random.next().value as number)
          const expected = new Uint8Array(length).fill(0x5a)
          const found = new Uint8Array(length).fill(0xa5)
          plain[name](source, expected, size)
          assert.ok(permutes(name, source, found, size))
          assert.deepEqual(Buffer.from(found), Buffer.from(expected), `${name} of ${length} bytes, elements of ${size}`)
        },
      ),
      { numRuns: 500 },
    )
  })
})
