import { type Canvas, FINE, MARGIN } from './section-canvas.ts'
import { hashBits, hashUnit, lineNoise } from './tissue-noise.ts'

/** Imitates the microscope: grain of the tissue, blur, shot noise, and the brightness of this section. */
export function exposeSection(
  canvas: Canvas,
  seed: number,
  z: number,
  height: number,
  width: number,
  raw: Uint8Array,
): void {
  const { grey, width: stride } = canvas
  const rows = height + 2
  const columns = width + 2
  const noise = hashBits(seed ^ 0x67726169, z)
  const shot = new Int16Array(rows * columns)
  const smooth = new Int32Array(rows * columns)
  for (let y = 0, i = 0; y < rows; y++) {
    const rowSeed = hashBits(noise, y)
    let at = (y + MARGIN - 1) * stride + MARGIN - 1
    let left = 0
    let middle = 0
    for (let x = 0; x < columns; x++, i++, at++) {
      let hash = Math.imul(x + rowSeed, 0x9e3779b1)
      hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
      hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
      hash ^= hash >>> 16
      // The sum of two bytes is triangular noise, −255 to 255.
      shot[i] = (hash & 255) + ((hash >>> 8) & 255) - 255
      const grain = ((hash >>> 16) & 255) + (hash >>> 24) - 255
      const value = grey[at]! + grain * 3
      // Sums of (1, 2, 1), one place behind.
      smooth[i] = left + 2 * middle + value
      left = middle
      middle = value
    }
  }
  const gain = 1 + 0.09 * (hashUnit(noise, 1) - 0.5)
  const level = 8 * (hashUnit(noise, 2) - 0.5) + 5 * lineNoise(noise, 0.5)
  const scale = gain / (16 * FINE)
  for (let y = 0; y < height; y++) {
    let i = y * columns + 2
    for (let x = 0; x < width; x++, i++) {
      const sum = smooth[i]! + 2 * smooth[i + columns]! + smooth[i + 2 * columns]!
      const value = sum * scale + level + shot[i + columns - 1]! * 0.085
      raw[y * width + x] = Math.max(0, Math.min(255, value))
    }
  }
}
