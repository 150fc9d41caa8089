import { decodeBlosc } from './blosc-decode.ts'
import { encodeBlosc } from './blosc-encode.ts'
import type { BloscSettings } from './blosc-format.ts'
import type { BytesCodec } from './codec.ts'

export function bloscCodec(settings: BloscSettings): BytesCodec {
  return {
    label: `blosc:${settings.compressor}:${settings.level}`,
    encode: (data) => encodeBlosc(data, settings),
    decode: decodeBlosc,
  }
}
