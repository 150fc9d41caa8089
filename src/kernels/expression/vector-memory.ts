import type { TypedArray } from '../voxels.ts'
import { SCALAR, unsigned, type VectorCode } from './vector-code.ts'
import type { VectorNode, VectorNodes } from './vector-nodes.ts'

/** Types that vector code reads and writes. */
const KINDS = [
  'Int8',
  'Uint8',
  'Int16',
  'Uint16',
  'Int32',
  'Uint32',
  'BigInt64',
  'BigUint64',
  'Float32',
  'Float64',
] as const
export type Kind = (typeof KINDS)[number]

/** The type of an array; undefined if vector code does not know it. */
export const kindOf = (data: TypedArray): Kind | undefined =>
  KINDS.find((kind) => data[Symbol.toStringTag] === `${kind}Array`)

export const bytesOfKind = (kind: Kind): number => (/8$/.test(kind) ? 1 : /16/.test(kind) ? 2 : /32/.test(kind) ? 4 : 8)

const BIG_ENDS: Partial<Record<Kind, readonly [bigint, bigint]>> = {
  Int8: [-(2n ** 7n), 2n ** 7n - 1n],
  Uint8: [0n, 2n ** 8n - 1n],
  Int16: [-(2n ** 15n), 2n ** 15n - 1n],
  Uint16: [0n, 2n ** 16n - 1n],
  Int32: [-(2n ** 31n), 2n ** 31n - 1n],
  Uint32: [0n, 2n ** 32n - 1n],
}

/** Loads eight voxels into locals, two in each: float64, or integers of 64 bits. @returns the locals */
export function loadEight(code: VectorCode, kind: Kind, base: number): number[] {
  const size = bytesOfKind(kind)
  const locals = [0, 1, 2, 3].map(() => code.newLocal())
  const load = (name: 'load' | 'loadHalf', offset: number) => {
    code.address(size)
    code.access(name, base + offset)
  }
  const keep = (pair: number) => code.set(locals[pair]!)
  if (size === 8) {
    for (const pair of [0, 1, 2, 3]) {
      load('load', 16 * pair)
      keep(pair)
    }
    return locals
  }
  const isUnsigned = kind.startsWith('Uint')
  const quarters = [code.newLocal(), code.newLocal()]
  for (const half of [0, 1]) {
    if (size === 4) load('load', 16 * half)
    else {
      load(size === 1 ? 'loadHalf' : 'load', 0)
      if (size === 1) code.vector(isUnsigned ? 'u16ExtendLow' : 'i16ExtendLow')
      if (half === 0) code.vector(isUnsigned ? 'u32ExtendLow' : 'i32ExtendLow')
      else code.vector(isUnsigned ? 'u32ExtendHigh' : 'i32ExtendHigh')
    }
    code.set(quarters[half]!)
    for (const pair of [0, 1]) {
      code.get(quarters[half]!)
      if (pair === 1) {
        code.get(quarters[half]!)
        code.shuffle(1, 1)
      }
      code.vector(kind === 'Float32' ? 'f64Promote' : isUnsigned ? 'f64FromU32' : 'f64FromI32')
      keep(2 * half + pair)
    }
  }
  return locals
}

/** Stores eight results. */
export function storeEight(
  code: VectorCode,
  nodes: VectorNodes,
  node: VectorNode,
  out: { readonly kind: Kind; readonly base: number; readonly isBool: boolean },
): void {
  if (out.isBool) storeTruth(code, nodes.test(node), out.base)
  else if (node.type === 'big') storeLanes(code, node, out.kind, out.base)
  else if (out.kind.startsWith('Big')) storeLanes(code, nodes.asReal(node), out.kind, out.base)
  else storeReals(code, nodes.asReal(node), out.kind, out.base)
}

function storeTruth(code: VectorCode, mask: (pair: number) => void, base: number): void {
  code.address(1)
  for (const half of [0, 1]) {
    mask(2 * half)
    mask(2 * half + 1)
    code.shuffle(0, 2, 4, 6)
  }
  code.vector('i16Narrow')
  const words = code.newLocal()
  code.set(words)
  code.get(words)
  code.get(words)
  code.vector('i8Narrow')
  code.constant(0x0101010101010101n)
  code.vector('and')
  code.vector('storeHalf', 0, ...unsigned(base), 0)
}

function storeReals(code: VectorCode, node: VectorNode, kind: Kind, base: number): void {
  const size = bytesOfKind(kind)
  if (kind === 'Float64') {
    for (const pair of [0, 1, 2, 3]) {
      code.address(8)
      node.emit(pair)
      code.access('store', base + 16 * pair)
    }
    return
  }
  const four = (half: number) => {
    for (const pair of [2 * half, 2 * half + 1]) {
      node.emit(pair)
      if (kind === 'Float32') code.vector('f32Demote')
      else {
        code.vector('f64Nearest')
        code.vector(kind === 'Uint32' ? 'u32Truncate' : 'i32Truncate')
      }
    }
    code.shuffle(0, 2)
  }
  if (size === 4) {
    for (const half of [0, 1]) {
      code.address(4)
      four(half)
      code.access('store', base + 16 * half)
    }
    return
  }
  code.address(size)
  four(0)
  four(1)
  code.vector(kind === 'Uint16' ? 'u16Narrow' : 'i16Narrow')
  if (size === 2) {
    code.access('store', base)
    return
  }
  const words = code.newLocal()
  code.set(words)
  code.get(words)
  code.get(words)
  code.vector(kind === 'Uint8' ? 'u8Narrow' : 'i8Narrow')
  code.vector('storeHalf', 0, ...unsigned(base), 0)
}

/** Stores results one by one: integers of 64 bits, or float64 as such integers. */
function storeLanes(code: VectorCode, node: VectorNode, kind: Kind, base: number): void {
  const size = bytesOfKind(kind)
  for (const pair of [0, 1, 2, 3]) {
    const value = code.newLocal()
    node.emit(pair)
    if (node.type === 'big') clampTo(code, kind)
    code.set(value)
    for (const lane of [0, 1]) {
      code.address(size)
      code.get(value)
      if (node.type === 'big') {
        code.vector('i64Extract', lane)
        if (kind.startsWith('Float')) code.raw(SCALAR.f64FromI64)
        if (kind === 'Float32') code.raw(SCALAR.f32Demote)
      } else {
        code.vector('f64Extract', lane)
        code.raw(SCALAR.f64Nearest, kind === 'BigUint64' ? SCALAR.u64Truncate : SCALAR.i64Truncate)
      }
      code.raw(storeOf(kind), 0, unsigned(base + size * (2 * pair + lane)))
    }
  }
}

function storeOf(kind: Kind): number {
  if (kind === 'Float32') return SCALAR.f32Store
  if (kind === 'Float64') return SCALAR.f64Store
  return { 1: SCALAR.i64Store8, 2: SCALAR.i64Store16, 4: SCALAR.i64Store32, 8: SCALAR.i64Store }[
    bytesOfKind(kind)
  ] as number
}

/** Clips the integers on the stack to the range of a type. */
function clampTo(code: VectorCode, kind: Kind): void {
  const ends = kind === 'BigUint64' ? ([0n, undefined] as const) : BIG_ENDS[kind]
  if (ends === undefined) return
  for (const [i, end] of ends.entries()) {
    if (end === undefined) continue
    const value = code.newLocal()
    code.set(value)
    code.get(value)
    code.constant(end)
    code.get(value)
    code.constant(end)
    code.vector(i === 0 ? 'i64Gt' : 'i64Lt')
    code.vector('select')
  }
}
