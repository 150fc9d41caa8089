import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { plainDecodeBzip2 } from '../../../../src/adapters/codecs/bzip2.ts'
import { CodecError } from '../../../../src/adapters/codecs/codec.ts'
import * as bzip2 from '../../../../src/adapters/codecs/compiled/bzip2.generated.ts'
import { unpackBzip2 } from '../../../../src/adapters/codecs/compiled/bzip2-module.ts'
import * as lzma from '../../../../src/adapters/codecs/compiled/lzma.generated.ts'
import { sumCrc64, unpackLzma, unpackLzma2 } from '../../../../src/adapters/codecs/compiled/lzma-module.ts'
import { plainCrc64 } from '../../../../src/adapters/codecs/xz/crc64.ts'
import { decodeXz, plainDecodeXz } from '../../../../src/adapters/codecs/xz/xz.ts'

interface Stream {
  readonly kind: 'bzip2' | 'xz'
  readonly name: string
  readonly size: number
  readonly sha256: string
  readonly encoded: string
}

const here = (path: string) => readFileSync(new URL(path, import.meta.url))
const STREAMS: readonly Stream[] = JSON.parse(here('../fixtures/streams.json').toString())
/** With which the stream starts. */
const STALE = 'longer than stated'
const BLOCK_START = 12

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const bytesOf = ({ encoded }: Stream): Uint8Array => new Uint8Array(Buffer.from(encoded, 'base64'))

/** What is decoded, or that it is refused. */
function result(decode: () => Uint8Array): string {
  try {
    return sha256(decode())
  } catch (error) {
    assert.ok(error instanceof CodecError, String(error))
    return 'refused'
  }
}

/** The chunks of LZMA2 in a stream of one block, and what is behind them. */
function chunksOf(stream: Uint8Array): Uint8Array {
  return stream.subarray(BLOCK_START + 4 * ((stream[BLOCK_START] as number) + 1))
}

describe('bzip2 and LZMA in WebAssembly', () => {
  it('were built from their current source (run scripts/build-kernels.mjs after a change)', () => {
    for (const [name, { SOURCE_SHA256 }] of Object.entries({ bzip2, lzma })) {
      assert.equal(sha256(here(`../../../../src/adapters/codecs/compiled/${name}.as`)), SOURCE_SHA256)
    }
  })

  for (const stream of STREAMS.filter(({ kind }) => kind === 'bzip2')) {
    it(`decode what Python compressed with bzip2: ${stream.name}`, () => {
      const found = unpackBzip2(bytesOf(stream), stream.size)
      assert.equal(found && sha256(found), stream.sha256)
      assert.equal(unpackBzip2(bytesOf(stream), stream.size + 1000)?.length, stream.size)
      if (stream.size > 0) assert.equal(unpackBzip2(bytesOf(stream), stream.size - 1), undefined)
    })
  }

  for (const stream of STREAMS.filter(({ kind, name }) => kind === 'xz' && !name.includes(STALE))) {
    it(`decode what Python compressed with LZMA: ${stream.name}`, () => {
      assert.equal(sha256(decodeXz(bytesOf(stream), stream.size)), stream.sha256)
      assert.equal(sha256(plainDecodeXz(bytesOf(stream), stream.size)), stream.sha256)
      const data = bytesOf(stream)
      const isAlone = stream.name.includes('.lzma')
      const isMarked = isAlone && Buffer.from(data).readBigInt64LE(5) === -1n
      if (stream.size === 0 || stream.name === 'delta' || stream.name === 'two streams') return
      const found = isAlone
        ? unpackLzma(data.subarray(13), data[0] as number, stream.size, isMarked)
        : unpackLzma2(chunksOf(data), stream.size)
      assert.equal(found && sha256(found.bytes), stream.sha256)
      if (isAlone) assert.equal(found?.used, data.length - 13)
      const short = isAlone
        ? unpackLzma(data.subarray(13), data[0] as number, stream.size - 1, isMarked)
        : unpackLzma2(chunksOf(data), stream.size - 1)
      assert.equal(short, undefined)
    })
  }

  it('refuse a stream of LZMA that goes on after its stated size', () => {
    const stale = STREAMS.find(({ name }) => name.includes(STALE)) as Stream
    assert.throws(() => decodeXz(bytesOf(stale), stale.size), CodecError)
  })

  it('decode and refuse what TypeScript decodes and refuses of damaged streams', () => {
    const damage = fc.array(fc.record({ where: fc.nat(), byte: fc.nat(255) }), { maxLength: 3 })
    const cut = fc.option(fc.nat(), { nil: undefined })
    const size = fc.constantFrom('exact', 'at most', 'more', 'less')
    fc.assert(
      fc.property(fc.constantFrom(...STREAMS), damage, cut, size, (stream, places, end, wanted) => {
        let data = bytesOf(stream)
        for (const { where, byte } of places) data[where % data.length] = byte
        if (end !== undefined) data = data.subarray(0, end % data.length)
        const expected =
          wanted === 'exact'
            ? stream.size
            : { atMost: Math.max(0, stream.size + (wanted === 'more' ? 5000 : wanted === 'less' ? -1 : 0)) }
        if (stream.kind === 'xz') {
          assert.equal(
            result(() => decodeXz(data, expected)),
            result(() => plainDecodeXz(data, expected)),
          )
          return
        }
        const most = typeof expected === 'number' ? expected : expected.atMost
        const found = unpackBzip2(data, most)
        assert.equal(
          found === undefined ? 'refused' : sha256(found),
          result(() => plainDecodeBzip2(data, { atMost: most })),
        )
      }),
      { numRuns: 300 },
    )
  })

  it('decode or refuse damaged chunks of LZMA2 without leaving their memory', () => {
    const small = STREAMS.filter(({ kind, name }) => kind === 'xz' && ['text', 'runs', 'noise'].includes(name))
    const damage = fc.array(fc.record({ where: fc.nat(), byte: fc.nat(255) }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...small), damage, (stream, places) => {
        // Without checks of checksums, damage reaches the decoder.
        const chunks = chunksOf(bytesOf(stream)).slice()
        for (const { where, byte } of places) chunks[where % chunks.length] = byte
        const found = unpackLzma2(chunks, 4 * stream.size)
        if (found !== undefined) assert.ok(found.bytes.length <= 4 * stream.size && found.used <= chunks.length)
      }),
      { numRuns: 500 },
    )
  })

  it('sum bytes up as TypeScript does', () => {
    assert.equal(sumCrc64(Buffer.from('123456789')), 0x995dc9bbdf1939fan)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
        assert.equal(sumCrc64(data), plainCrc64(data))
      }),
    )
  })
})
