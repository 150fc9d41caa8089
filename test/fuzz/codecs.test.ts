import assert from 'node:assert/strict'
import { describe } from 'node:test'
import type { BytesCodec } from '../../src/adapters/codecs/codec.ts'
import { CodecError } from '../../src/adapters/codecs/codec.ts'
import type { Compressor } from '../../src/adapters/zarr/codecs/registry.ts'
import { makeCodec } from '../../src/adapters/zarr/codecs/registry.ts'
import { fuzzTarget } from '../support/fuzz/fuzz-target.ts'

/** Bytes of the decoded chunk. */
const SIZE = 1200
const plain = Uint8Array.from({ length: SIZE }, (_, at) => (at < 400 ? at % 7 : at < 800 ? (at * at) >> 5 : 9))
/** The same bytes in streams of liblzma: plain, of differences with other properties, and without checksums. */
const XZ = [
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ASvAXldAAAAUlAKhPmyFIS30gq6oKHZMgk4aXaGqQsP8bWqPNwWSDPmAsrmusho41IPCPyOMKv1h377u2bhuA5mRnsaIC3qNQEexPIvyGdCFBlgJG7SP/EO6H/QNBjsrShtofT6TbqpPAvuWqDEGiPxjhdnqhbNKlinvKeBi9JLUI/FwjotaAGu8Ngig8tp2zIXvGcObF69JGePpRvzBsE9DIAtA519PF5elgxyWRQVIA5pPsogrt1KWVNzM1Mgg2tBcQk5+zCNJFUqJqiGEhQJC1y4CtfWDEt8CN/+cD9mTbTVL4AVMY9ApM/kBdz9xM/KT3bzbT1EqYlEZqZBV7fmnPQkHf08erd78gbX8LbXx7WyllxrWRX0pJUBy8giIrTY5fcpQp1gJELGz+1FAuCzvn/W04JKrgi34hQtqQLUXGQIWGrn7o+9zmWTbQcuuLg196Pj4HfOGED4wX2T9c5zgP9hs8TcnC+JxcAPqbIdK1P4Q6dZzgFak0X8k0EAAAAAACXwuM8fPJtYAAGVA7AJAADoXP3bscRn+wIAAAAABFla',
  '/Td6WFoAAAFpIt42AgEDAQEhARAp4hu/4ASvAGUTAAAAQmFo3LlKk3Hj9sNF5PARbMaVxzRnksP+uTZCJ8qhh6UmCdLtguodRNVo31w162jFT6vN26AG29Eanro8gv8L5xhpD/WDZAcpszh8xBU+0Jgn/rHLwgVJcAPO2QPLyfUDw/aAAAAAAFyFXSsAAX2wCQAAAFyNJhk+MA2LAgAAAAABWVo=',
  'XQAAgAD//////////wAAAFJQCoT5shSEt9IKuqCh2TIJOGl2hqkLD/G1qjzcFkgz5gLK5rrIaONSDwj8jjCr9Yd++7tm4bgOZkZ7GiAt6jUBHsTyL8hnQhQZYCRu0j/xDuh/0DQY7K0obaH0+k26qTwL7lqgxBoj8Y4XZ6oWzSpYp7yngYvSS1CPxcI6LWgBrvDYIoPLadsyF7xnDmxevSRnj6Ub8wbBPQyALQOdfTxeXpYMclkUFSAOaT7KIK7dSllTczNTIINrQXEJOfswjSRVKiaohhIUCQtcuArX1gxLfAjf/nA/Zk201S+AFTGPQKTP5AXc/cTPyk928209RKmJRGamQVe35pz0JB39PHq3e/IG1/C218e1spZca1kV9KSVAcvIIiK02OX3KUKdYCRCxs/tRQLgs75/1tOCSq4It+IULakC1FxkCFhq5+6Pvc5lk20HLri4Nfej4+B3zhhA+MF9k/XOc4D/YbPE3JwvicXAD6myHStT+EOnWc4BWpNF/kt7xT//JLgAAA==',
]
const isRefusal = (error: unknown) => error instanceof CodecError

const blosc = (compressor: string, shuffle: string, typeSize: number, blockSize = 0) =>
  ({ name: 'blosc', compressor, level: 5, shuffle, typeSize, blockSize }) as Compressor
const encoded = (...compressors: readonly Compressor[]) =>
  compressors.map((each) => makeCodec(each).encode(plain).slice())

/**
 * Decodes into memory full of one pattern, then of another. If both give the same bytes, none of them was there before.
 * @throws Error for a byte that was not decoded
 */
function decodeTwice(codec: BytesCodec, input: Uint8Array): void {
  const [first, second] = [0x5a, 0xa5].map((pattern) => codec.decode(input, SIZE, new Uint8Array(SIZE).fill(pattern)))
  assert.equal(first?.length, SIZE)
  assert.deepEqual(first, second, 'bytes that were in memory before are in the result')
  codec.decode(input, { atMost: SIZE })
}

describe('codecs', () => {
  const load = (compressor: Compressor) => async () => {
    const { makeCodec: make } = await import('../../src/adapters/zarr/codecs/registry.ts')
    return (input: Uint8Array) => decodeTwice(make(compressor), input)
  }
  fuzzTarget('blosc', {
    kind: 'bytes',
    seeds: encoded(
      ...[blosc('lz4', 'shuffle', 4), blosc('lz4', 'bitshuffle', 2, 256), blosc('blosclz', 'shuffle', 2)],
      ...[blosc('zlib', 'noshuffle', 1), blosc('zstd', 'shuffle', 8, 300), blosc('lz4hc', 'shuffle', 1)],
    ),
    codes: [],
    isRefusal,
    load: load(blosc('lz4', 'shuffle', 4)),
  })
  fuzzTarget('xz', {
    kind: 'bytes',
    seeds: XZ.map((text) => new Uint8Array(Buffer.from(text, 'base64'))),
    codes: [],
    isRefusal,
    async load() {
      const { decodeXz } = await import('../../src/adapters/codecs/xz/xz.ts')
      return (input) => {
        assert.equal(decodeXz(input, SIZE).length, SIZE)
        decodeXz(input, { atMost: SIZE })
      }
    },
  })
  fuzzTarget('lz4', {
    kind: 'bytes',
    seeds: encoded({ name: 'lz4', acceleration: 1 }, { name: 'lz4', acceleration: 8 }),
    codes: [],
    isRefusal,
    load: load({ name: 'lz4', acceleration: 1 }),
  })
  fuzzTarget('blosclz', {
    kind: 'bytes',
    seeds: encoded(blosc('blosclz', 'noshuffle', 1)).map((bytes) => bytes.subarray(24)),
    codes: [],
    isRefusal,
    async load() {
      const { blosclzDecompress } = await import('../../src/adapters/codecs/blosclz.ts')
      return (input) => {
        const [first, second] = [0x5a, 0xa5].map((pattern) => {
          const output = new Uint8Array(SIZE).fill(pattern)
          blosclzDecompress(input, output)
          return output
        })
        assert.deepEqual(first, second, 'bytes that were in memory before are in the result')
      }
    },
  })
  const wrappers = [
    { name: 'gzip', level: 1 },
    { name: 'zlib', level: 9 },
    { name: 'zstd', level: 3, checksum: true },
    { name: 'crc32c' },
  ] as const
  for (const compressor of wrappers) {
    fuzzTarget(compressor.name, {
      kind: 'bytes',
      seeds: encoded(compressor, ...(compressor.name === 'zstd' ? [{ name: 'zstd', level: -1 } as const] : [])),
      codes: [],
      isRefusal,
      load: load(compressor),
    })
  }
})

describe('the index of a shard', () => {
  const index = (checksum: boolean, ...places: readonly (readonly [bigint, bigint])[]) => {
    const numbers = new Uint8Array(BigUint64Array.from(places.flat()).buffer)
    const stored = checksum ? makeCodec({ name: 'crc32c' }).encode(numbers) : numbers
    return Uint8Array.of(checksum ? 1 : 0, places.length, ...stored)
  }
  const missing = 2n ** 64n - 1n
  fuzzTarget('shard-index', {
    kind: 'bytes',
    seeds: [index(false, [0n, 4n], [missing, missing]), index(true, [4n, 2n ** 40n], [2n ** 63n, 2n ** 63n], [0n, 0n])],
    codes: [],
    isRefusal,
    async load() {
      const { indexByteLength, indexOfShard, parseShardIndex } = await import(
        '../../src/adapters/zarr/chunks/shard-index.ts'
      )
      return (input) => {
        const [flags = 0, count = 0] = input
        const format = {
          count,
          indexLocation: flags & 2 ? ('start' as const) : ('end' as const),
          indexHasChecksum: (flags & 1) !== 0,
        }
        const bytes = input.subarray(2)
        const places =
          bytes.length === indexByteLength(format) ? parseShardIndex(bytes, format) : indexOfShard(bytes, format)
        for (let chunk = 0; chunk < count; chunk++) {
          const place = places.placeOf(chunk, bytes.length)
          if (place !== undefined && place.offset + place.length > bytes.length)
            throw new Error('it points beyond the end')
        }
      }
    },
  })
})
