import { decodeBlosc } from './blosc-decode.ts'
import { encodeBlosc, roomForBlosc } from './blosc-encode.ts'
import type { BloscSettings } from './blosc-format.ts'
import type { BytesCodec } from './codec.ts'

export function bloscCodec(settings: BloscSettings): BytesCodec {
  return {
    label: `blosc:${settings.compressor}:${settings.level}`,
    room: (bytes) => roomForBlosc(settings, bytes),
    encode: (data, room) => encodeBlosc(data, settings, room),
    decode: decodeBlosc,
  }
}
