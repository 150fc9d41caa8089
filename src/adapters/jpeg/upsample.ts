/** Samples of one component, `stride` bytes from row to row. */
export interface Plane {
  readonly samples: Uint8Array
  readonly stride: number
  readonly width: number
  readonly height: number
}

/**
 * Samples at every pixel, exactly as the reference library makes them: between two samples in each direction they are interpolated, and
 * otherwise repeated.
 * @param across pixels of a sample in a row, and `down` in a column
 */
export function upsample(plane: Plane, across: number, down: number, width: number, height: number): Plane {
  if (across === 1 && down === 1) return plane
  const target = new Uint8Array(width * height)
  const isSmooth = across === 2 && down <= 2 && plane.width > 2
  const isTall = across === 1 && down === 2
  const { samples, stride } = plane
  const row = new Int32Array(plane.width)
  for (let y = 0, to = 0; y < height; y++, to += width) {
    const line = Math.floor(y / down)
    const near = line * stride
    const other = Math.min(plane.height - 1, Math.max(0, y % 2 === 0 ? line - 1 : line + 1)) * stride
    if (isTall) {
      const half = y % 2 === 0 ? 1 : 2
      for (let x = 0; x < width; x++) {
        target[to + x] = (3 * (samples[near + x] as number) + (samples[other + x] as number) + half) >> 2
      }
    } else if (!isSmooth) {
      for (let x = 0; x < width; x++) target[to + x] = samples[near + Math.floor(x / across)] as number
    } else if (down === 1) {
      for (let x = 0; x < plane.width; x++) row[x] = samples[near + x] as number
      interpolate(row, target, to, width, 2, 1, 2)
    } else {
      for (let x = 0; x < plane.width; x++) {
        row[x] = 3 * (samples[near + x] as number) + (samples[other + x] as number)
      }
      interpolate(row, target, to, width, 4, 8, 7)
    }
  }
  return { samples: target, stride: width, width, height }
}

/** Two pixels for each value: three quarters of it, and a quarter of the neighbour. */
function interpolate(
  row: Int32Array,
  target: Uint8Array,
  to: number,
  width: number,
  shift: number,
  left: number,
  right: number,
): void {
  const last = row.length - 1
  for (let x = 0; x < width; x++) {
    const at = x >> 1
    const neighbour = x % 2 === 0 ? (at === 0 ? 0 : at - 1) : at === last ? last : at + 1
    target[to + x] = (3 * (row[at] as number) + (row[neighbour] as number) + (x % 2 === 0 ? left : right)) >> shift
  }
}
