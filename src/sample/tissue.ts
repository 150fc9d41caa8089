import {
  bendAt,
  type Mitochondrion,
  mitochondriaOf,
  SITE_REACH,
  SITE_STEP,
  type Site,
  SYNAPSE_REACH,
  SYNAPSE_STEP,
  type Synapse,
  siteAt,
  synapseOf,
} from './tissue-cells.ts'
import { hashBits, hashUnit, lineNoise } from './tissue-noise.ts'

/** What one section of the tissue looks like; row after row, `height` × `width` of each. */
export interface TissueSection {
  /** Grey levels, as an electron microscope would give them. */
  readonly raw: Uint8Array
  /** The neurite of each voxel; 0 where there is membrane. */
  readonly neuronIds: Uint32Array
  /** The synapse of each voxel of a cleft; 0 elsewhere. */
  readonly clefts: Uint32Array
}

/** Synthetic neural tissue, voxels of 40 × 4 × 4 nm. */
export interface Tissue {
  /**
   * Draws section `z`, from the corner (0, 0), into arrays of `height` × `width`.
   * A voxel depends on the seed and its place alone: not on the size, nor on what was drawn before.
   */
  drawSection(z: number, height: number, width: number, into: TissueSection): void
  /** Synapses whose centre lies in a volume that begins at (0, 0, 0). */
  synapsesIn(size: readonly [z: number, y: number, x: number]): Synapse[]
}

/** Pixels in which the bend is taken as even, and the sites that matter are the same. */
const TILE = 8

/** Tiles along a patch, whose sites are looked up together. */
const PATCH = 4

/** Pixels by which the bent plane leaves the straight lines between the corners of a patch. */
const BULGE = 16

/** Drawn beyond each edge: blur and vesicles reach over it. */
const MARGIN = 16

/** Beyond this many pixels a border shows no more. */
const BORDER_REACH = 10

/** Most sites that can matter in a tile. */
const MAX_NEAR = 16

/** Grey levels times this, while they are summed. */
const FINE = 16

/**
 * Tissue that looks like neuropil in serial sections: neurites that wander through the sections and change their size,
 * with membranes, mitochondria, vesicles and synaptic clefts; each section with its own brightness and noise.
 * The same on every machine for the same seed.
 * @param seed any integer
 */
export function createTissue(seed: number): Tissue {
  const key = seed | 0
  const layers = new Map<number, Map<string, Synapse | undefined>>()

  const synapseIn = (layer: number, row: number, column: number): Synapse | undefined => {
    const known = layers.get(layer) ?? new Map<string, Synapse | undefined>()
    layers.set(layer, known)
    const place = `${row},${column}`
    if (!known.has(place)) known.set(place, synapseOf(key, layer, row, column))
    return known.get(place)
  }

  /** Synapses that section `z` may cut, with their centres in it at −MARGIN … size + MARGIN. */
  const synapsesNear = (z: number, height: number, width: number): Synapse[] => {
    const first = Math.floor((z - SYNAPSE_REACH) / SYNAPSE_STEP[0])
    for (const layer of layers.keys()) if (layer < first) layers.delete(layer)
    const found: Synapse[] = []
    for (let layer = first; layer * SYNAPSE_STEP[0] <= z + SYNAPSE_REACH; layer++) {
      for (let row = -1; row * SYNAPSE_STEP[1] < height + MARGIN; row++) {
        for (let column = -1; column * SYNAPSE_STEP[2] < width + MARGIN; column++) {
          const synapse = synapseIn(layer, row, column)
          if (synapse !== undefined && Math.abs(synapse.z - z) <= SYNAPSE_REACH) found.push(synapse)
        }
      }
    }
    return found
  }

  return {
    drawSection(z, height, width, into) {
      const canvas = newCanvas(height, width)
      const synapses = synapsesNear(z, height, width)
      drawCells(canvas, key, z, synapses)
      drawVesicles(canvas, key, z, synapses)
      exposeSection(canvas, key, z, height, width, into.raw)
      for (let y = 0; y < height; y++) {
        const from = (y + MARGIN) * canvas.width + MARGIN
        into.neuronIds.set(canvas.ids.subarray(from, from + width), y * width)
        into.clefts.set(canvas.clefts.subarray(from, from + width), y * width)
      }
    },
    synapsesIn([depth, height, width]) {
      const found: Synapse[] = []
      for (let layer = 0; layer * SYNAPSE_STEP[0] < depth; layer++) {
        for (let row = -1; row * SYNAPSE_STEP[1] < height + SYNAPSE_STEP[1]; row++) {
          for (let column = -1; column * SYNAPSE_STEP[2] < width + SYNAPSE_STEP[2]; column++) {
            const synapse = synapseOf(key, layer, row, column)
            const inside = (point: readonly [number, number, number]) =>
              [depth, height, width].every((size, axis) => point[axis]! >= 0 && point[axis]! < size)
            if (synapse !== undefined && [synapse.pre, synapse.post].every(inside)) found.push(synapse)
          }
        }
      }
      return found
    },
  }
}

/** One section while it is drawn, with its margins; whole patches. */
interface Canvas {
  readonly width: number
  readonly height: number
  /** Grey levels × FINE. */
  readonly grey: Int16Array
  readonly ids: Uint32Array
  readonly clefts: Uint32Array
}

function newCanvas(height: number, width: number): Canvas {
  const whole = (length: number): number => Math.ceil((length + 2 * MARGIN) / (TILE * PATCH)) * TILE * PATCH
  const [rows, columns] = [whole(height), whole(width)]
  const length = rows * columns
  return {
    width: columns,
    height: rows,
    grey: new Int16Array(length),
    ids: new Uint32Array(length),
    clefts: new Uint32Array(length),
  }
}

/** Where each corner of a tile lies once the plane is bent, and how cloudy the plasm is there. */
interface Corners {
  readonly y: Float64Array
  readonly x: Float64Array
  readonly cloud: Float64Array
  readonly columns: number
}

function bendCorners(canvas: Canvas, seed: number, z: number): Corners {
  const [rows, columns] = [canvas.height / TILE + 1, canvas.width / TILE + 1]
  const corners = {
    y: new Float64Array(rows * columns),
    x: new Float64Array(rows * columns),
    cloud: new Float64Array(rows * columns),
    columns,
  }
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const [y, x] = [row * TILE - MARGIN, column * TILE - MARGIN]
      const [by, bx] = bendAt(seed, z, y, x)
      corners.y[i] = y + by
      corners.x[i] = x + bx
      corners.cloud[i] = 20 * (hashUnit(seed ^ 0x636c, z, y, x) - 0.5)
    }
  }
  return corners
}

/** The sites of one section by their place in the grid, made when first asked for. */
class SectionSites {
  readonly #seed: number
  readonly #z: number
  readonly #sites = new Map<number, Candidate>()

  constructor(seed: number, z: number) {
    this.#seed = seed
    this.#z = z
  }

  at(row: number, column: number): Candidate {
    const place = row * 65536 + column
    const known = this.#sites.get(place)
    if (known !== undefined) return known
    const site = siteAt(this.#seed, row, column, this.#z)
    const made = { site, mitochondria: mitochondriaOf(this.#seed, site, this.#z), powers: new Float64Array(5) }
    this.#sites.set(place, made)
    return made
  }
}

/** The sites that matter in one tile, and what a border between each two of them looks like; arrays are used again. */
interface Near {
  count: number
  readonly sites: Site[]
  readonly y: Float64Array
  readonly x: Float64Array
  readonly weight: Float64Array
  readonly tones: Float64Array
  readonly ids: Uint32Array
  /** Per pair: 1 / (2 × distance of the sites). */
  readonly inverse: Float64Array
  /** Per pair: half the thickness of the membrane as the section shows it. */
  readonly thickness: Float64Array
  readonly mitochondria: Mitochondrion[]
}

function drawCells(canvas: Canvas, seed: number, z: number, synapses: readonly Synapse[]): void {
  const corners = bendCorners(canvas, seed, z)
  const sites = new SectionSites(seed, z)
  const near: Near = {
    count: 0,
    sites: [],
    y: new Float64Array(MAX_NEAR),
    x: new Float64Array(MAX_NEAR),
    weight: new Float64Array(MAX_NEAR),
    tones: new Float64Array(MAX_NEAR),
    ids: new Uint32Array(MAX_NEAR),
    inverse: new Float64Array(MAX_NEAR * MAX_NEAR),
    thickness: new Float64Array(MAX_NEAR * MAX_NEAR),
    mitochondria: [],
  }
  const [rows, columns] = [canvas.height / TILE, canvas.width / TILE]
  for (let patchRow = 0; patchRow < rows; patchRow += PATCH) {
    for (let patchColumn = 0; patchColumn < columns; patchColumn += PATCH) {
      const first = patchRow * corners.columns + patchColumn
      const around = sitesAround(sites, corners, first + (PATCH / 2) * (corners.columns + 1))
      // The plane between the corners of a patch may bulge over the straight lines between them.
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

/** A site with what lies in it, and its power distances at the four corners and in the middle of a square of tiles. */
interface Candidate {
  readonly site: Site
  readonly mitochondria: readonly Mitochondrion[]
  readonly powers: Float64Array
}

/** All sites around a corner that could own a point near it. */
function sitesAround(sites: SectionSites, corners: Corners, corner: number): Candidate[] {
  const middleRow = Math.floor(corners.y[corner]! / SITE_STEP)
  const middleColumn = Math.floor(corners.x[corner]! / SITE_STEP)
  const around: Candidate[] = []
  for (let row = middleRow - SITE_REACH; row <= middleRow + SITE_REACH; row++) {
    for (let column = middleColumn - SITE_REACH; column <= middleColumn + SITE_REACH; column++) {
      around.push(sites.at(row, column))
    }
  }
  return around
}

/**
 * The sites that matter in a square of `step` × `step` tiles. Differences of power distances are linear, so a site that is
 * well behind another one at all four corners is behind it everywhere between them.
 * @param reach pixels from a border within which both its sites matter
 */
function selectSites(
  from: readonly Candidate[],
  corners: Corners,
  corner: number,
  step: number,
  reach: number,
): Candidate[] {
  const down = corners.columns * step
  let first = from[0]!
  for (const candidate of from) {
    const { site, powers } = candidate
    let sum = 0
    for (let i = 0; i < 4; i++) {
      const place = corner + (i & 1) * step + (i >> 1) * down
      const dy = corners.y[place]! - site.y
      const dx = corners.x[place]! - site.x
      const power = dy * dy + dx * dx - site.weight
      powers[i] = power
      sum += power
    }
    powers[4] = sum
    if (sum < first.powers[4]!) first = candidate
  }
  return from.filter((candidate) => {
    if (candidate === first) return true
    const dy = candidate.site.y - first.site.y
    const dx = candidate.site.x - first.site.x
    const behind = 2 * reach * Math.sqrt(dy * dy + dx * dx)
    for (let i = 0; i < 4; i++) if (candidate.powers[i]! - first.powers[i]! < behind) return true
    return false
  })
}

function setNear(near: Near, selected: readonly Candidate[], corners: Corners, corner: number): void {
  near.count = Math.min(MAX_NEAR, selected.length)
  near.mitochondria.length = 0
  for (let i = 0; i < near.count; i++) {
    const { site, mitochondria } = selected[i]!
    near.sites[i] = site
    near.y[i] = site.y
    near.x[i] = site.x
    near.weight[i] = site.weight
    near.tones[i] = site.tone
    near.ids[i] = site.id
    for (const mito of mitochondria) {
      const dy = corners.y[corner]! - mito.y
      const dx = corners.x[corner]! - mito.x
      const reach = mito.long + 3 * TILE
      if (dy * dy + dx * dx < reach * reach) near.mitochondria.push(mito)
    }
  }
  describeBorders(near)
}

/** A membrane that stands askew in the section, since the border moves from section to section, is wide and pale. */
function describeBorders(near: Near): void {
  for (let a = 0; a < near.count; a++) {
    for (let b = 0; b < near.count; b++) {
      if (a === b) continue
      const [one, two] = [near.sites[a]!, near.sites[b]!]
      const [dy, dx] = [two.y - one.y, two.x - one.x]
      const length = Math.sqrt(dy * dy + dx * dx + 1e-9)
      const motion = Math.abs(((one.vy + two.vy) * dy + (one.vx + two.vx) * dx) / (2 * length))
      near.inverse[a * MAX_NEAR + b] = 1 / (2 * length)
      near.thickness[a * MAX_NEAR + b] = 2.1 + Math.min(2.4, 0.42 * motion)
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

/** Round vesicles, bright inside a dark skin: a cloud in front of each synapse, and a few anywhere. */
function drawVesicles(canvas: Canvas, seed: number, z: number, synapses: readonly Synapse[]): void {
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

/** @param owner whose vesicle it is; undefined takes whoever is there */
function drawVesicle(canvas: Canvas, y: number, x: number, owner: number | undefined, key: number): void {
  const radius = 3.6 + 1.8 * hashUnit(key, 4)
  const [middleY, middleX] = [Math.floor(y) + MARGIN, Math.floor(x) + MARGIN]
  const reach = 7
  if (middleY < reach || middleX < reach || middleY >= canvas.height - reach || middleX >= canvas.width - reach) return
  const middle = middleY * canvas.width + middleX
  const id = owner ?? canvas.ids[middle]!
  // Not in a mitochondrion.
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

/** The microscope: grain of the tissue, blur, shot noise, and the brightness of this section. */
function exposeSection(canvas: Canvas, seed: number, z: number, height: number, width: number, raw: Uint8Array): void {
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
      // Two bytes each make a triangle of noise, −255 to 255.
      shot[i] = (hash & 255) + ((hash >>> 8) & 255) - 255
      const grain = ((hash >>> 16) & 255) + (hash >>> 24) - 255
      const value = grey[at]! + grain * 3
      // Sums of (1, 2, 1), one place late.
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
