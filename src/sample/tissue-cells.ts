import { hashBits, hashUnit, lineNoise, spaceNoise } from './tissue-noise.ts'

/*
 * The shapes of the synthetic tissue. Lengths are in pixels of 4 nm within a section and in sections of 40 nm across them.
 * Each neurite is the cell of a site in a power diagram (Voronoi cells of different sizes); sites wander and grow from
 * section to section, and the plane is bent before the nearest site is looked up.
 */

/** Distance between sites in a section, in pixels. */
export const SITE_STEP = 64

/** A point belongs to a site at most this many rows or columns away. */
export const SITE_REACH = 3

/** One neurite in one section, in bent coordinates. */
export interface Site {
  readonly row: number
  readonly column: number
  readonly id: number
  y: number
  x: number
  /** Velocity of the site, pixels per section. */
  vy: number
  vx: number
  /** A larger weight makes a larger cell; pixels squared. */
  weight: number
  /** Grey level of its interior. */
  tone: number
}

/** A neurite's id from its place: above 0, below 2^22, unique within 1024 × 1024 sites (65 536 pixels). */
const siteId = (row: number, column: number): number => ((row + 16) & 1023) * 1024 + ((column + 16) & 1023) + 1

/** A site in a section; `z` may lie between two sections. */
export function siteAt(seed: number, row: number, column: number, z: number): Site {
  const key = hashBits(seed, row, column, 1)
  const place = (axis: number, at: number): number => {
    const jitter = hashUnit(key, 2 + axis) - 0.5
    const wander = 46 * lineNoise(key ^ (0x51 + axis), at / 34) + 9 * lineNoise(key ^ (0x71 + axis), at / 9)
    return ((axis === 0 ? row : column) + 0.5 + 0.7 * jitter) * SITE_STEP + wander
  }
  const kind = hashUnit(key, 5)
  // One in ten is a thick dendrite or axon, two in five are thin.
  const size = kind < 0.1 ? 5600 : kind < 0.6 ? 400 : -1600
  const y = place(0, z)
  const x = place(1, z)
  return {
    row,
    column,
    id: siteId(row, column),
    y,
    x,
    vy: place(0, z + 0.5) - place(0, z - 0.5),
    vx: place(1, z + 0.5) - place(1, z - 0.5),
    weight: size + 1500 * lineNoise(key ^ 0x91, z / 22),
    tone: 158 + 34 * (hashUnit(key, 6) - 0.5),
  }
}

/** The displacement of the bent plane at a point of a section, to be added to its coordinates. */
export function bendAt(seed: number, z: number, y: number, x: number): readonly [y: number, x: number] {
  const one = (axis: number): number => {
    const key = seed ^ (0x1357 + 0x2468 * axis)
    // Bends at three scales, a common drift, and a misalignment of single sections.
    const far = 34 * spaceNoise(key, z / 26, y / 190, x / 190)
    const near = 15 * spaceNoise(key ^ 0x55aa, z / 11, y / 58, x / 58)
    const fine = 3.2 * spaceNoise(key ^ 0x0ff0, z / 5, y / 21, x / 21)
    const drift = 60 * lineNoise(key ^ 0x3333, z / 60)
    return far + near + fine + drift + 1.6 * (hashUnit(key ^ 0x7777, z) - 0.5)
  }
  return [one(0), one(1)]
}

/** The distance of a point from the border of its cell, in pixels, and the cell on the other side. */
export interface Border {
  readonly owner: Site
  readonly other: Site
  readonly distance: number
  /** Distance from the border with the third cell. */
  readonly next: number
}

/** Finds the border nearest to one point; slow, for placing objects rather than for drawing. */
function borderAt(seed: number, z: number, y: number, x: number): Border {
  const [by, bx] = bendAt(seed, z, y, x)
  const [py, px] = [y + by, x + bx]
  const [row, column] = [Math.floor(py / SITE_STEP), Math.floor(px / SITE_STEP)]
  const around: { site: Site; power: number }[] = []
  for (let r = row - SITE_REACH; r <= row + SITE_REACH; r++) {
    for (let c = column - SITE_REACH; c <= column + SITE_REACH; c++) {
      const site = siteAt(seed, r, c, z)
      const [dy, dx] = [py - site.y, px - site.x]
      around.push({ site, power: dy * dy + dx * dx - site.weight })
    }
  }
  around.sort((a, b) => a.power - b.power)
  const first = around[0]!
  const borders = around
    .slice(1)
    .map(({ site, power }) => ({ site, distance: borderDistance(first.site, first.power, site, power) }))
    .sort((a, b) => a.distance - b.distance)
  return {
    owner: first.site,
    other: borders[0]!.site,
    distance: borders[0]!.distance,
    next: borders[1]!.distance,
  }
}

/** The distance from a point of `a` to the straight border between `a` and `b`, from the point's power distances to both. */
function borderDistance(a: Site, powerA: number, b: Site, powerB: number): number {
  const dy = b.y - a.y
  const dx = b.x - a.x
  return (powerB - powerA) / (2 * Math.sqrt(dy * dy + dx * dx + 1e-9))
}

/** An ellipsoid inside a neurite, elongated across the sections. */
export interface Mitochondrion {
  readonly owner: number
  /** Centre in this section, bent coordinates. */
  readonly y: number
  readonly x: number
  /** Half axes in this section. */
  readonly long: number
  readonly short: number
  /** Unit vector of the long half axis. */
  readonly uy: number
  readonly ux: number
  readonly phase: number
}

const MITO_STEP = 26

/** The mitochondria of one neurite that a section cuts: at most one per stretch of 26 sections. */
export function mitochondriaOf(seed: number, site: Site, z: number): Mitochondrion[] {
  const found: Mitochondrion[] = []
  const stretch = Math.floor(z / MITO_STEP)
  for (let s = stretch - 1; s <= stretch + 1; s++) {
    const key = hashBits(seed ^ 0x6d69746f, site.row, site.column, s)
    if (hashUnit(key, 1) > (site.weight > 0 ? 0.62 : 0.2)) continue
    const centre = (s + hashUnit(key, 2)) * MITO_STEP
    const half = 6 + 9 * hashUnit(key, 3)
    const t = (z - centre) / half
    if (t * t >= 1) continue
    const scale = Math.sqrt(1 - t * t)
    const vy = hashUnit(key, 4) - 0.5
    const vx = hashUnit(key, 5) - 0.5 + 1e-6
    const length = Math.sqrt(vy * vy + vx * vx)
    const short = (15 + 10 * hashUnit(key, 6)) * scale
    found.push({
      owner: site.id,
      y: site.y + 26 * (hashUnit(key, 7) - 0.5),
      x: site.x + 26 * (hashUnit(key, 8) - 0.5),
      long: short * (1.15 + 0.9 * hashUnit(key, 9)),
      short,
      uy: vy / length,
      ux: vx / length,
      phase: 10 * hashUnit(key, 10),
    })
  }
  return found
}

/** A synapse between two neurites; positions are pixels and sections of the volume, not bent. */
export interface Synapse {
  readonly id: number
  readonly z: number
  readonly y: number
  readonly x: number
  readonly radius: number
  /** The presynaptic neurite, which has the vesicles, and the postsynaptic one. */
  readonly preId: number
  readonly postId: number
  /** A point well inside each neurite. */
  readonly pre: readonly [z: number, y: number, x: number]
  readonly post: readonly [z: number, y: number, x: number]
}

/** Each box of this size (sections × pixels × pixels) has at most one synapse. */
export const SYNAPSE_STEP = [11, 120, 120] as const

/** How many sections a synapse extends in either direction. */
export const SYNAPSE_REACH = 4

/** The synapse of one box, if chance and the borders in the box allow one. */
export function synapseOf(seed: number, layer: number, row: number, column: number): Synapse | undefined {
  const key = hashBits(seed ^ 0x73796e61, layer, row, column)
  if (hashUnit(key, 1) > 0.7) return undefined
  const z = Math.floor((layer + hashUnit(key, 2)) * SYNAPSE_STEP[0])
  let y = (row + hashUnit(key, 3)) * SYNAPSE_STEP[1]
  let x = (column + hashUnit(key, 4)) * SYNAPSE_STEP[2]
  let border = borderAt(seed, z, y, x)
  const { owner, other } = border
  const toOther = (step: number): readonly [number, number] => {
    const [dy, dx] = [other.y - owner.y, other.x - owner.x]
    const scale = step / Math.sqrt(dy * dy + dx * dx + 1e-9)
    return [y + dy * scale, x + dx * scale]
  }
  // The bend is gentle: a few steps lead onto the border.
  for (let step = 0; step < 4; step++) {
    const side = border.owner.id === owner.id ? 1 : border.owner.id === other.id ? -1 : 0
    if (side === 0) return undefined
    ;[y, x] = toOther(side * border.distance)
    border = borderAt(seed, z, y, x)
  }
  const pair = new Set([border.owner.id, border.other.id])
  const radius = 24 + 18 * hashUnit(key, 5)
  if (!pair.has(owner.id) || !pair.has(other.id) || border.distance > 1 || border.next < 0.6 * radius) return undefined
  const swap = hashUnit(key, 6) < 0.5
  const [near, far] = [toOther(-14), toOther(14)]
  const [pre, post] = swap ? [far, near] : [near, far]
  return {
    id: ((layer & 1023) * 1024 + (row & 1023)) * 1024 + (column & 1023) + 1,
    z,
    y,
    x,
    radius,
    preId: swap ? other.id : owner.id,
    postId: swap ? owner.id : other.id,
    pre: [z, ...pre],
    post: [z, ...post],
  }
}
