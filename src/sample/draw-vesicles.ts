import { type Canvas, FINE, MARGIN } from './section-canvas.ts'
import type { Synapse } from './tissue-cells.ts'
import { hashBits, hashUnit } from './tissue-noise.ts'

/** Draws round vesicles, bright with a dark rim: a cloud at each synapse, and a few elsewhere. */
export function drawVesicles(canvas: Canvas, seed: number, z: number, synapses: readonly Synapse[]): void {
  for (const synapse of synapses) {
    const count = 15 - 3 * Math.abs(synapse.z - z)
    const [dy, dx] = [synapse.pre[1] - synapse.y, synapse.pre[2] - synapse.x]
    for (let i = 0; i < count; i++) {
      const key = hashBits(seed ^ 0x76657369, synapse.id, z, i)
      const deep = 1 + 3 * hashUnit(key, 1)
      const aside = 3.6 * (hashUnit(key, 2) - 0.5)
      drawVesicle(canvas, synapse.y + dy * deep - dx * aside, synapse.x + dx * deep + dy * aside, synapse.preId, key)
    }
  }
  const step = 64
  for (let row = 0; row * step < canvas.height; row++) {
    for (let column = 0; column * step < canvas.width; column++) {
      const key = hashBits(seed ^ 0x6c6f6e65, row, column, z)
      if (hashUnit(key, 3) > 0.6) continue
      drawVesicle(canvas, (row + hashUnit(key, 1)) * step, (column + hashUnit(key, 2)) * step, undefined, key)
    }
  }
}

/** @param owner the neurite of the vesicle; undefined for any neurite */
function drawVesicle(canvas: Canvas, y: number, x: number, owner: number | undefined, key: number): void {
  const radius = 3.6 + 1.8 * hashUnit(key, 4)
  const [middleY, middleX] = [Math.floor(y) + MARGIN, Math.floor(x) + MARGIN]
  const reach = 7
  if (middleY < reach || middleX < reach || middleY >= canvas.height - reach || middleX >= canvas.width - reach) return
  const middle = middleY * canvas.width + middleX
  const id = owner ?? canvas.ids[middle]!
  // Vesicles are not drawn in mitochondria.
  if (canvas.grey[middle]! < 122 * FINE) return
  for (let iy = -reach; iy <= reach; iy++) {
    for (let ix = -reach; ix <= reach; ix++) {
      const at = (middleY + iy) * canvas.width + middleX + ix
      if (canvas.ids[at] !== id || id === 0) continue
      const dy = middleY + iy - MARGIN - y
      const dx = middleX + ix - MARGIN - x
      const off = Math.sqrt(dy * dy + dx * dx) - radius
      if (off < -1.6) canvas.grey[at] = canvas.grey[at]! + 8 * FINE
      else if (off < 1.4) canvas.grey[at] = canvas.grey[at]! - FINE * Math.floor(52 * (1 - Math.abs(off + 0.1) / 1.6))
    }
  }
}
