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
export function upsample(plane: Plane, across: number, down: number, width: number, height: number): Uint8Array {
  const target = new Uint8Array(width * height)
  const isSmooth = across === 2 && down <= 2 && plane.width > 2
  const isTall = across === 1 && down === 2
  const row = new Int32Array(plane.width)
  for (let y = 0; y < height; y++) {
    const line = Math.floor(y / down)
    const out = target.subarray(y * width, (y + 1) * width)
    const other = Math.min(plane.height - 1, Math.max(0, y % 2 === 0 ? line - 1 : line + 1)) * plane.stride
    if (isTall) {
      const near = line * plane.stride
      for (let x = 0; x < width; x++) {
        const sum = 3 * (plane.samples[near + x] as number) + (plane.samples[other + x] as number)
        out[x] = (sum + (y % 2 === 0 ? 1 : 2)) >> 2
      }
    } else if (!isSmooth) {
      const start = line * plane.stride
      if (across === 1) out.set(plane.samples.subarray(start, start + width))
      else for (let x = 0; x < width; x++) out[x] = plane.samples[start + Math.floor(x / across)] as number
    } else if (down === 1) {
      for (let x = 0; x < plane.width; x++) row[x] = plane.samples[line * plane.stride + x] as number
      interpolate(row, out, 2, 1, 2)
    } else {
      const near = line * plane.stride
      for (let x = 0; x < plane.width; x++) {
        row[x] = 3 * (plane.samples[near + x] as number) + (plane.samples[other + x] as number)
      }
      interpolate(row, out, 4, 8, 7)
    }
  }
  return target
}

/** Two pixels for each value: three quarters of it, and a quarter of the neighbour. */
function interpolate(row: Int32Array, out: Uint8Array, shift: number, left: number, right: number): void {
  const last = row.length - 1
  for (let x = 0; x < out.length; x++) {
    const at = x >> 1
    const neighbour = Math.min(last, Math.max(0, x % 2 === 0 ? at - 1 : at + 1))
    out[x] = (3 * (row[at] as number) + (row[neighbour] as number) + (x % 2 === 0 ? left : right)) >> shift
  }
}
