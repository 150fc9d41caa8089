/** Instructions on vectors that expressions are compiled to, by their numbers after the prefix. @see the WebAssembly specification, 5.4.8 */
const VECTOR = {
  load: 0x00,
  store: 0x0b,
  constant: 0x0c,
  shuffle: 0x0d,
  f64Splat: 0x14,
  i64Extract: 0x1d,
  f64Extract: 0x21,
  f64Replace: 0x22,
  f64Eq: 0x47,
  f64Ne: 0x48,
  f64Lt: 0x49,
  f64Gt: 0x4a,
  f64Le: 0x4b,
  f64Ge: 0x4c,
  not: 0x4d,
  and: 0x4e,
  or: 0x50,
  select: 0x52,
  storeHalf: 0x5b,
  loadHalf: 0x5d,
  f32Demote: 0x5e,
  f64Promote: 0x5f,
  i8Narrow: 0x65,
  u8Narrow: 0x66,
  f64Ceil: 0x74,
  f64Floor: 0x75,
  i16Narrow: 0x85,
  u16Narrow: 0x86,
  i16ExtendLow: 0x87,
  u16ExtendLow: 0x89,
  f64Nearest: 0x94,
  i32ExtendLow: 0xa7,
  i32ExtendHigh: 0xa8,
  u32ExtendLow: 0xa9,
  u32ExtendHigh: 0xaa,
  i64Abs: 0xc0,
  i64Neg: 0xc1,
  i64Add: 0xce,
  i64Sub: 0xd1,
  i64Mul: 0xd5,
  i64Eq: 0xd6,
  i64Ne: 0xd7,
  i64Lt: 0xd8,
  i64Gt: 0xd9,
  i64Le: 0xda,
  i64Ge: 0xdb,
  f64Abs: 0xec,
  f64Neg: 0xed,
  f64Sqrt: 0xef,
  f64Add: 0xf0,
  f64Sub: 0xf1,
  f64Mul: 0xf2,
  f64Div: 0xf3,
  f64Min: 0xf4,
  f64Max: 0xf5,
  i32Truncate: 0xfc,
  u32Truncate: 0xfd,
  f64FromI32: 0xfe,
  f64FromU32: 0xff,
} as const

/** Instructions on numbers. */
export const SCALAR = {
  loop: [0x03, 0x40],
  branchIf: [0x0d, 0x00],
  end: [0x0b],
  get: 0x20,
  set: 0x21,
  call: 0x10,
  i32Const: 0x41,
  i64Store: 0x37,
  i64Store8: 0x3c,
  i64Store16: 0x3d,
  i64Store32: 0x3e,
  f32Store: 0x38,
  f64Store: 0x39,
  i32LessUnsigned: [0x49],
  i32Add: [0x6a],
  i32ShiftLeft: [0x74],
  f64Nearest: [0x9e],
  f64FromI64: [0xb9],
  f32Demote: [0xb6],
  i64Truncate: [0xfc, 0x06],
  u64Truncate: [0xfc, 0x07],
} as const

const PREFIX = 0xfd
const [I32, F64, V128] = [0x7f, 0x7c, 0x7b]

/** A whole number ≥ 0, as WebAssembly writes them. */
export function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(Math.floor(value / 128))]
}

/** A whole number ≥ 0 as a constant, which is signed. */
const signed = (value: number): number[] =>
  value < 64 ? [value] : [(value & 127) | 128, ...signed(Math.floor(value / 128))]

/** The body of the function `run(count)`, which is written instruction by instruction. Local 0 is `count`, local 1 the index of a voxel. */
export class VectorCode {
  readonly #bytes: number[] = []
  #locals = 0

  /** How long the code is. */
  get length(): number {
    return this.#bytes.length
  }

  /** Instructions as they are. */
  raw(...bytes: readonly (number | readonly number[])[]): void {
    for (const part of bytes.flat()) this.#bytes.push(part)
  }

  vector(name: keyof typeof VECTOR, ...immediates: readonly number[]): void {
    this.raw(PREFIX, unsigned(VECTOR[name]), immediates)
  }

  /** The address of the current voxel of an array, without `base`. @param size bytes of an element */
  address(size: number): void {
    this.raw(SCALAR.get, 1, SCALAR.i32Const, Math.log2(size), SCALAR.i32ShiftLeft)
  }

  /** @param offset bytes from the address on the stack */
  access(name: 'load' | 'loadHalf' | 'store', offset: number): void {
    this.vector(name, 0, ...unsigned(offset))
  }

  /** Two elements of 64 bits, the same. */
  constant(value: number | bigint): void {
    const view = new DataView(new ArrayBuffer(16))
    for (const at of [0, 8]) {
      if (typeof value === 'bigint') view.setBigInt64(at, value, true)
      else view.setFloat64(at, value, true)
    }
    this.vector('constant', ...new Uint8Array(view.buffer))
  }

  /** Two halves of 64 bits, or four quarters of 32, of two vectors. */
  shuffle(...lanes: readonly number[]): void {
    const size = 16 / lanes.length
    this.vector('shuffle', ...lanes.flatMap((lane) => Array.from({ length: size }, (_, i) => lane * size + i)))
  }

  /** A variable for a vector. */
  newLocal(): number {
    return 2 + this.#locals++
  }

  get(local: number): void {
    this.raw(SCALAR.get, unsigned(local))
  }

  set(local: number): void {
    this.raw(SCALAR.set, unsigned(local))
  }

  /**
   * The module: it exports its memory and `run(count)`, which repeats the code for every eight voxels.
   * @param functions names of imported functions with one and with two numbers, in the order in which they are called
   */
  module(
    pages: number,
    functions: { readonly unary: readonly string[]; readonly binary: readonly string[] },
  ): Uint8Array {
    const vector = (items: readonly (readonly number[])[]) => [...unsigned(items.length), ...items.flat()]
    const section = (id: number, content: readonly number[]) => [id, ...unsigned(content.length), ...content]
    const name = (text: string) => [...unsigned(text.length), ...new TextEncoder().encode(text)]
    const imported = (type: number) => (text: string) => [...name('math'), ...name(text), 0x00, type]
    const imports = [...functions.unary.map(imported(1)), ...functions.binary.map(imported(2))]
    const body = [
      ...vector([
        [1, I32],
        [...unsigned(this.#locals), V128],
      ]),
      ...SCALAR.loop,
      ...this.#bytes,
      ...[SCALAR.get, 1, SCALAR.i32Const, ...signed(8), ...SCALAR.i32Add, SCALAR.set, 1],
      ...[SCALAR.get, 1, SCALAR.get, 0, ...SCALAR.i32LessUnsigned, ...SCALAR.branchIf],
      ...[...SCALAR.end, ...SCALAR.end],
    ]
    return Uint8Array.from([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(
        1,
        vector([
          [0x60, 1, I32, 0],
          [0x60, 1, F64, 1, F64],
          [0x60, 2, F64, F64, 1, F64],
        ]),
      ),
      ...section(2, vector(imports)),
      ...section(3, vector([[0]])),
      ...section(5, vector([[0x00, ...unsigned(pages)]])),
      ...section(
        7,
        vector([
          [...name('memory'), 0x02, 0],
          [...name('run'), 0x00, ...unsigned(imports.length)],
        ]),
      ),
      ...section(10, vector([[...unsigned(body.length), ...body]])),
    ])
  }
}
