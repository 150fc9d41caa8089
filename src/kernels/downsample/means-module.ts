import { aligned, type KernelModule, kernelModule } from '../kernel-module.ts'
import type { TypedArray } from '../voxels.ts'
import { MODULE_BASE64 } from './means.generated.ts'

interface Exports extends KernelModule {
  means(
    type: number,
    from: number,
    planes: number,
    plane: number,
    lines: number,
    to: number,
    rows: number,
    width: number,
  ): void
}

/** The types that the module knows, by their numbers in means.as. */
const TYPES = ['Int8', 'Uint8', 'Int16', 'Uint16', 'Int32', 'Uint32', 'BigInt64', 'BigUint64', 'Float32', 'Float64']
const typeNumber = (data: TypedArray): number => TYPES.findIndex((name) => data[Symbol.toStringTag] === `${name}Array`)

const module = kernelModule<Exports>(MODULE_BASE64)

/** Bytes of the voxels that are in the module's memory at a time. */
const PART_BYTES = 2 ** 18
const LONGEST_ROW = 2 ** 24
const START = 1024
/** What vectors read and write beyond the end. */
const BEYOND = 64

/**
 * Whether {@link fillMeansOfTwo} computes these means: cells of two voxels along the last axis, and of one or two along the two
 * axes before it.
 */
export function areCellsOfTwo(data: TypedArray, shape: readonly number[], cell: readonly number[]): boolean {
  return (
    typeNumber(data) >= 0 &&
    cell.at(-1) === 2 &&
    cell.slice(-3).every((length) => length <= 2) &&
    cell.slice(0, -3).every((length) => length === 1) &&
    (shape.at(-1) as number) <= LONGEST_ROW
  )
}

/** Computes means in WebAssembly: those that `downsampleVoxels` describes. */
export function fillMeansOfTwo(
  data: TypedArray,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
): void {
  const [depth, height, width] = [1, 1, ...shape].slice(-3) as [number, number, number]
  const [deep, high] = [1, 1, ...cell].slice(-3) as [number, number, number]
  const line = width * data.BYTES_PER_ELEMENT
  const rows = Math.max(1, Math.floor(PART_BYTES / (line * deep * high)))
  const plane = rows * high * line
  const to = START + aligned(plane * deep + BEYOND)
  const [from, into] = [bytesOf(data), bytesOf(out)]
  const type = typeNumber(data)
  module.lend(to + plane + BEYOND, ({ memory, means }) => {
    const bytes = new Uint8Array(memory.buffer)
    let at = 0
    const meansOfRows = (first: number, planes: number, lines: number, count: number): void => {
      for (let z = 0; z < planes; z++) {
        const start = (first + z * height) * line
        bytes.set(from.subarray(start, start + count * lines * line), START + z * plane)
      }
      means(type, START, planes, plane, lines, to, count, width)
      const length = count * Math.ceil(width / 2) * data.BYTES_PER_ELEMENT
      into.set(bytes.subarray(to, to + length), at)
      at += length
    }
    const outer = data.length / (depth * height * width)
    for (let o = 0; o < outer; o++) {
      for (let z = 0; z < depth; z += deep) {
        const first = (o * depth + z) * height
        const planes = Math.min(deep, depth - z)
        const whole = Math.floor(height / high)
        for (let y = 0; y < whole; y += rows) {
          meansOfRows(first + y * high, planes, high, Math.min(rows, whole - y))
        }
        // The last cells are smaller.
        if (whole * high < height) meansOfRows(first + whole * high, planes, 1, 1)
      }
    }
  })
}

const bytesOf = ({ buffer, byteOffset, byteLength }: TypedArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)
