import { type Canvas, MARGIN, TILE } from './section-canvas.ts'
import { bendAt, type Mitochondrion, mitochondriaOf, SITE_REACH, SITE_STEP, type Site, siteAt } from './tissue-cells.ts'
import { hashUnit } from './tissue-noise.ts'

/** The most sites that can matter in a tile. */
export const MAX_NEAR = 16

/** The position of each corner of a tile in the bent plane, and the cloudiness of the cytoplasm there. */
export interface Corners {
  readonly y: Float64Array
  readonly x: Float64Array
  readonly cloud: Float64Array
  readonly columns: number
}

export function bendCorners(canvas: Canvas, seed: number, z: number): Corners {
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

/** The sites of one section by their place in the grid, made on first use. */
export class SectionSites {
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

/** A site with its mitochondria, and its power distances at the four corners of a square of tiles and their sum. */
export interface Candidate {
  readonly site: Site
  readonly mitochondria: readonly Mitochondrion[]
  readonly powers: Float64Array
}

/** All sites around a corner that could own a point near it. */
export function sitesAround(sites: SectionSites, corners: Corners, corner: number): Candidate[] {
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
 * The sites that matter in a square of `step` × `step` tiles. Differences of power distances are linear, so a site that
 * is clearly farther than another one at all four corners is farther everywhere between them.
 * @param reach pixels from a border within which both its sites matter
 */
export function selectSites(
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

/** The sites that matter in one tile, and the appearance of the border between any two of them; the arrays are reused. */
export interface Near {
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

export const emptyNear = (): Near => ({
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
})

export function setNear(near: Near, selected: readonly Candidate[], corners: Corners, corner: number): void {
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

/** A membrane that runs obliquely through the section, because its border moves from section to section, is wide and pale. */
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
