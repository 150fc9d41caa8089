/** The place of a box's first element in memory, and the distance between elements along each axis; all in bytes. */
export interface StridedBytes {
  readonly bytes: Uint8Array
  readonly start: number
  readonly strides: readonly number[]
}

/** The byte offset of an element. */
export function offsetOf(index: readonly number[], strides: readonly number[]): number {
  let offset = 0
  for (let axis = 0; axis < index.length; axis++) offset += (index[axis] as number) * (strides[axis] as number)
  return offset
}

/** From this many bytes on, `set` copies a row faster than a loop over its words. */
const LONG_RUN_BYTES = 1536

/**
 * Copies a box of elements between two memory layouts, in runs as long as both allow.
 * @param shape elements along each axis, the same for both sides
 * @param bytesPerElement 1, 2, 4 or 8
 */
export function copyBox(
  shape: readonly number[],
  bytesPerElement: number,
  source: StridedBytes,
  target: StridedBytes,
): void {
  const loops = mergeAxes(shape, bytesPerElement, source.strides, target.strides)
  if (loops === undefined) return
  const last = loops.at(-1) as Loop
  // mergeAxes ends in the run that is contiguous on both sides: one element at least.
  const run = last.length
  const outer = loops.slice(0, -1)
  if (run >= LONG_RUN_BYTES || outer.length === 0) {
    const { bytes: from } = source
    const { bytes: to } = target
    walk(outer, source.start, target.start, (s, t) => to.set(from.subarray(s, s + run), t))
    return
  }
  copyWords(run, outer, source, target)
}

/** Fills a box with copies of one element. @param element its bytes: 1, 2, 4 or 8 of them */
export function fillBox(shape: readonly number[], element: Uint8Array, target: StridedBytes): void {
  const size = element.length
  const loops = mergeAxes(shape, size, target.strides, target.strides)
  if (loops === undefined) return
  const run = (loops.at(-1) as Loop).length
  const same = element.every((byte) => byte === element[0])
  const { bytes } = target
  const row = same ? undefined : repeat(element, run)
  walk(loops.slice(0, -1), target.start, target.start, (_, t) => {
    if (row === undefined) bytes.fill(element[0] as number, t, t + run)
    else bytes.set(row, t)
  })
}

function repeat(element: Uint8Array, length: number): Uint8Array {
  const row = new Uint8Array(length)
  row.set(element.subarray(0, length))
  for (let done = element.length; done < length; done *= 2) row.copyWithin(done, 0, Math.min(done, length - done))
  return row
}

interface Loop {
  readonly length: number
  readonly source: number
  readonly target: number
}

/**
 * The fewest loops that visit the box; the last one is over the bytes of a run that is contiguous on both sides. Undefined for an
 * empty box. Neighbouring axes are merged if both sides step through them evenly.
 */
function mergeAxes(
  shape: readonly number[],
  bytesPerElement: number,
  source: readonly number[],
  target: readonly number[],
): Loop[] | undefined {
  const loops: Loop[] = [{ length: bytesPerElement, source: 1, target: 1 }]
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis] as number
    if (length === 0) return undefined
    if (length === 1) continue
    const s = source[axis] as number
    const t = target[axis] as number
    const inner = loops[0] as Loop
    if (s === inner.length * inner.source && t === inner.length * inner.target) {
      loops[0] = { ...inner, length: inner.length * length }
    } else {
      loops.unshift({ length, source: s, target: t })
    }
  }
  return loops
}

function walk(loops: readonly Loop[], source: number, target: number, visit: (s: number, t: number) => void): void {
  const [loop, ...rest] = loops
  if (loop === undefined) {
    visit(source, target)
    return
  }
  for (let i = 0; i < loop.length; i++) {
    if (rest.length === 0) visit(source, target)
    else walk(rest, source, target, visit)
    source += loop.source
    target += loop.target
  }
}

/** Copies short runs, in loops over the widest words that fit all addresses and steps; the two innermost loops are inlined. */
function copyWords(run: number, outer: readonly Loop[], source: StridedBytes, target: StridedBytes): void {
  const addresses = [run, source.bytes.byteOffset + source.start, target.bytes.byteOffset + target.start]
  const steps = outer.flatMap((loop) => [loop.source, loop.target])
  const fits = (width: number) => [...addresses, ...steps].every((bytes) => bytes % width === 0)
  const width = [8, 4, 2].find(fits) ?? 1
  const from = wordsOf(source.bytes, source.start, width)
  const to = wordsOf(target.bytes, target.start, width)
  const { length, source: sourceBytes, target: targetBytes } = outer.at(-1) as Loop
  const rows: Rows = {
    count: length,
    words: run / width,
    sourceStep: sourceBytes / width,
    targetStep: targetBytes / width,
  }
  walk(outer.slice(0, -1), 0, 0, (s, t) => {
    if (from instanceof BigUint64Array) copyWideRows(from, to as BigUint64Array, s / width, t / width, rows)
    else copyRows(from, to as Words, s / width, t / width, rows)
  })
}

/** Rows of words, and the distance between their starts. */
interface Rows {
  readonly count: number
  readonly words: number
  readonly sourceStep: number
  readonly targetStep: number
}

type Words = Uint8Array | Uint16Array | Uint32Array

// Not floats: an engine may change the bits of a NaN when it copies it.
function wordsOf(bytes: Uint8Array, start: number, width: number): Words | BigUint64Array {
  const length = Math.floor((bytes.byteLength - start) / width)
  const offset = bytes.byteOffset + start
  if (width === 8) return new BigUint64Array(bytes.buffer, offset, length)
  if (width === 4) return new Uint32Array(bytes.buffer, offset, length)
  if (width === 2) return new Uint16Array(bytes.buffer, offset, length)
  return new Uint8Array(bytes.buffer, offset, length)
}

function copyRows(from: Words, to: Words, source: number, target: number, rows: Rows): void {
  const { count, words, sourceStep, targetStep } = rows
  if (words === 1) {
    for (let row = 0; row < count; row++) to[target + row * targetStep] = from[source + row * sourceStep] as number
    return
  }
  for (let row = 0; row < count; row++) {
    for (let word = 0; word < words; word++) to[target + word] = from[source + word] as number
    source += sourceStep
    target += targetStep
  }
}

/**
 * A copy of `copyRows` on purpose: compiled for 64-bit words only, it creates no BigInts and is twice as fast as 32-bit words. It copies four at
 * a time, since each takes memory until V8 has compiled the loop.
 */
function copyWideRows(from: BigUint64Array, to: BigUint64Array, source: number, target: number, rows: Rows): void {
  const { count, words, sourceStep, targetStep } = rows
  for (let row = 0; row < count; row++) {
    let word = 0
    for (; word + 3 < words; word += 4) {
      to[target + word] = from[source + word] as bigint
      to[target + word + 1] = from[source + word + 1] as bigint
      to[target + word + 2] = from[source + word + 2] as bigint
      to[target + word + 3] = from[source + word + 3] as bigint
    }
    for (; word < words; word++) to[target + word] = from[source + word] as bigint
    source += sourceStep
    target += targetStep
  }
}
