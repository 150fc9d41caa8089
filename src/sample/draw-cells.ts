import {
  bendCorners,
  type Corners,
  emptyNear,
  MAX_NEAR,
  type Near,
  SectionSites,
  selectSites,
  setNear,
  sitesAround,
} from './near-sites.ts'
import { type Canvas, FINE, MARGIN, PATCH, TILE } from './section-canvas.ts'
import type { Synapse } from './tissue-cells.ts'

/** Pixels by which the bent plane departs from the straight lines between the corners of a patch. */
const BULGE = 16

/** A border is visible up to this many pixels away. */
const BORDER_REACH = 10

/** Draws neurites with their membranes and mitochondria, and the clefts of synapses. */
export function drawCells(canvas: Canvas, seed: number, z: number, synapses: readonly Synapse[]): void {
  const corners = bendCorners(canvas, seed, z)
  const sites = new SectionSites(seed, z)
  const near = emptyNear()
  const [rows, columns] = [canvas.height / TILE, canvas.width / TILE]
  for (let patchRow = 0; patchRow < rows; patchRow += PATCH) {
    for (let patchColumn = 0; patchColumn < columns; patchColumn += PATCH) {
      const first = patchRow * corners.columns + patchColumn
      const around = sitesAround(sites, corners, first + (PATCH / 2) * (corners.columns + 1))
      // The plane between the corners of a patch may bulge beyond the straight lines between them.
      const possible = selectSites(around, corners, first, PATCH, BORDER_REACH + BULGE)
      for (let row = patchRow; row < patchRow + PATCH; row++) {
        for (let column = patchColumn; column < patchColumn + PATCH; column++) {
          const corner = row * corners.columns + column
          setNear(near, selectSites(possible, corners, corner, 1, BORDER_REACH), corners, corner)
          drawTile(canvas, near, corners, row, column, z, synapses)
        }
      }
    }
  }
}

function drawTile(
  canvas: Canvas,
  near: Near,
  corners: Corners,
  row: number,
  column: number,
  z: number,
  synapses: readonly Synapse[],
): void {
  const { grey, ids } = canvas
  const { count, y: siteY, x: siteX, weight, inverse } = near
  const corner = row * corners.columns + column
  const below = corner + corners.columns
  const here = count < 2 || synapses.length === 0 ? NO_SYNAPSES : synapsesAt(synapses, row, column)
  const plain = near.mitochondria.length === 0
  for (let ty = 0; ty < TILE; ty++) {
    const t = ty / TILE
    let y = corners.y[corner]! * (1 - t) + corners.y[below]! * t
    let x = corners.x[corner]! * (1 - t) + corners.x[below]! * t
    let cloud = corners.cloud[corner]! * (1 - t) + corners.cloud[below]! * t
    const stepY = (corners.y[corner + 1]! * (1 - t) + corners.y[below + 1]! * t - y) / TILE
    const stepX = (corners.x[corner + 1]! * (1 - t) + corners.x[below + 1]! * t - x) / TILE
    const stepCloud = (corners.cloud[corner + 1]! * (1 - t) + corners.cloud[below + 1]! * t - cloud) / TILE
    let at = (row * TILE + ty) * canvas.width + column * TILE
    for (let tx = 0; tx < TILE; tx++, at++, y += stepY, x += stepX, cloud += stepCloud) {
      let owner = 0
      let least = Number.POSITIVE_INFINITY
      for (let i = 0; i < count; i++) {
        const dy = y - siteY[i]!
        const dx = x - siteX[i]!
        const power = dy * dy + dx * dx - weight[i]!
        pixelPowers[i] = power
        if (power < least) {
          least = power
          owner = i
        }
      }
      let distance = 99
      let other = owner
      for (let i = 0; i < count; i++) {
        if (i === owner) continue
        const d = (pixelPowers[i]! - least) * inverse[owner * MAX_NEAR + i]!
        if (d < distance) {
          distance = d
          other = i
        }
      }
      if (plain && distance >= BORDER_REACH) {
        ids[at] = near.ids[owner]!
        grey[at] = (near.tones[owner]! + cloud) * FINE
      } else {
        drawPixel(canvas, at, near, owner, other, distance, y, x, cloud, z, here)
      }
    }
  }
}

const NO_SYNAPSES: readonly Synapse[] = []

const synapsesAt = (synapses: readonly Synapse[], row: number, column: number): readonly Synapse[] =>
  synapses.filter(({ y, x, radius }) => {
    const [dy, dx] = [y - (row + 0.5) * TILE + MARGIN, x - (column + 0.5) * TILE + MARGIN]
    return Math.abs(dy) < radius + TILE && Math.abs(dx) < radius + TILE
  })

/** A voxel near a border or in a mitochondrion. @param distance pixels to the border with `other` */
function drawPixel(
  canvas: Canvas,
  at: number,
  near: Near,
  owner: number,
  other: number,
  distance: number,
  y: number,
  x: number,
  cloud: number,
  z: number,
  synapses: readonly Synapse[],
): void {
  const id = near.ids[owner]!
  const thickness = near.thickness[owner * MAX_NEAR + other]!
  let grey = near.tones[owner]! + cloud
  if (distance > 4 && near.mitochondria.length > 0) grey = drawMitochondria(near, id, y, x, distance, grey)
  const reach = 1.5 * thickness
  if (distance < reach) {
    const u = distance / reach
    grey -= (1 - u * u) * (1 - u * u) * (34 + 130 / thickness)
  }
  let cleft = 0
  if (synapses.length > 0 && distance < BORDER_REACH) {
    const imageY = Math.floor(at / canvas.width) - MARGIN
    const imageX = (at % canvas.width) - MARGIN
    const synapse = synapseAt(synapses, id, near.ids[other]!, z, imageY, imageX)
    if (synapse !== undefined) {
      // The density is thicker on the receiving side.
      const u = Math.min(1, distance / (synapse.postId === id ? 9 : 6))
      grey -= 58 * (1 - u * u * u * u)
      if (distance < 4) cleft = synapse.id
    }
  }
  canvas.clefts[at] = cleft
  canvas.ids[at] = distance < thickness || cleft !== 0 ? 0 : id
  canvas.grey[at] = grey * FINE
}

const pixelPowers = new Float64Array(MAX_NEAR)

function synapseAt(
  synapses: readonly Synapse[],
  a: number,
  b: number,
  z: number,
  y: number,
  x: number,
): Synapse | undefined {
  for (const synapse of synapses) {
    if (!((synapse.preId === a && synapse.postId === b) || (synapse.preId === b && synapse.postId === a))) continue
    const dz = 10 * (synapse.z - z)
    const dy = synapse.y - y
    const dx = synapse.x - x
    if (dz * dz + dy * dy + dx * dx < synapse.radius * synapse.radius) return synapse
  }
  return undefined
}

/** A dark body with a darker rim and folds inside; it stays clear of the membrane of its neurite. */
function drawMitochondria(near: Near, id: number, y: number, x: number, distance: number, grey: number): number {
  for (const mito of near.mitochondria) {
    if (mito.owner !== id) continue
    const dy = y - mito.y
    const dx = x - mito.x
    const along = dy * mito.uy + dx * mito.ux
    const across = dx * mito.uy - dy * mito.ux
    const u = along / mito.long
    const v = across / mito.short
    const inside = Math.min((1 - Math.sqrt(u * u + v * v)) * mito.short, distance - 4)
    if (inside <= 0) continue
    if (inside < 2.6) return grey - 26 * Math.min(1, inside) - 30 * Math.min(1, inside)
    // Folds run across the body, bent a little, and end short of the rim.
    const wave = (along + 0.018 * across * across + mito.phase) / 7.5
    const fold = Math.abs(2 * (wave - Math.floor(wave)) - 1)
    const body = grey - 40
    return inside > 4.5 && fold < 0.42 ? body - 26 * (1 - fold / 0.42) : body + 6
  }
  return grey
}
