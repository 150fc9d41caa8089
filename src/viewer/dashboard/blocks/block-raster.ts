import { STATE_CODE } from '../../../core/scheduling/state-map.ts'

/** A section through a grid of blocks: `rows` × `columns` blocks, addressed by index, starting at `base`. */
export interface Section {
  readonly base: number
  readonly rows: number
  readonly columns: number
  readonly rowStride: number
  readonly columnStride: number
}

/**
 * The section of a grid along two axes.
 * @param at its position along the other axes
 */
export function sectionOf(shape: readonly number[], down: number, across: number, at: readonly number[]): Section {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1))
  const base = shape.reduce(
    (sum, _, axis) => (axis === down || axis === across ? sum : sum + (at[axis] ?? 0) * (strides[axis] as number)),
    0,
  )
  const length = (axis: number) => (axis < 0 ? 1 : (shape[axis] as number))
  const stride = (axis: number) => (axis < 0 ? 0 : (strides[axis] as number))
  return {
    base,
    rows: length(down),
    columns: length(across),
    rowStride: stride(down),
    columnStride: stride(across),
  }
}

/** The position of a block in a section; undefined if it is elsewhere. */
export function placeInSection(
  { base, rows, columns, rowStride, columnStride }: Section,
  index: number,
): { readonly row: number; readonly column: number } | undefined {
  const rest = index - base
  if (rest < 0) return undefined
  // The stride of an axis with a single block means nothing.
  const isRowSlower = columns === 1 || (rows > 1 && rowStride >= columnStride)
  const [slow, fast, most] = isRowSlower ? [rowStride, columnStride, columns] : [columnStride, rowStride, rows]
  const outer = slow === 0 ? 0 : Math.floor(rest / slow)
  const inner = most === 1 || fast === 0 ? 0 : Math.floor((rest - outer * slow) / fast)
  if (outer * slow + inner * fast !== rest) return undefined
  const [row, column] = isRowSlower ? [outer, inner] : [inner, outer]
  return row < rows && column < columns ? { row, column } : undefined
}

/** Colours by state, as the bytes of a pixel with red lowest. */
export type Palette = Uint32Array

/**
 * Draws rows of a section into pixels. If several blocks share a pixel, a failed or orphaned one determines its colour; otherwise their
 * colours are averaged.
 * @param pixels `width` × `height`, at most `columns` × `rows`
 */
export function rasterize(
  codes: Uint8Array,
  section: Section,
  palette: Palette,
  pixels: Uint32Array,
  width: number,
  height: number,
  fromRow = 0,
  toRow = section.rows,
): void {
  const { base, rows, columns, rowStride, columnStride } = section
  const firstLine = Math.floor((fromRow * height) / rows)
  const lastLine = Math.min(height, Math.ceil((toRow * height) / rows))
  const isOneToOne = width === columns && height === rows
  for (let y = firstLine; y < lastLine; y++) {
    if (isOneToOne) {
      let index = base + y * rowStride
      for (let x = 0; x < width; x++, index += columnStride) pixels[y * width + x] = palette[codes[index]!] ?? 0
      continue
    }
    const rowStart = Math.floor((y * rows) / height)
    const rowEnd = Math.max(rowStart + 1, Math.floor(((y + 1) * rows) / height))
    for (let x = 0; x < width; x++) {
      const start = Math.floor((x * columns) / width)
      const end = Math.max(start + 1, Math.floor(((x + 1) * columns) / width))
      pixels[y * width + x] = mixed(codes, section, palette, rowStart, rowEnd, start, end)
    }
  }
}

function mixed(
  codes: Uint8Array,
  { base, rowStride, columnStride }: Section,
  palette: Palette,
  rowStart: number,
  rowEnd: number,
  start: number,
  end: number,
): number {
  let red = 0
  let green = 0
  let blue = 0
  let count = 0
  let isOrphaned = false
  for (let row = rowStart; row < rowEnd; row++) {
    let index = base + row * rowStride + start * columnStride
    for (let column = start; column < end; column++, index += columnStride) {
      const code = codes[index]
      // The last row of a wrapped one-dimensional grid may be short.
      if (code === undefined) continue
      if (code === STATE_CODE.failed) return palette[code]!
      if (code === STATE_CODE.orphaned) isOrphaned = true
      const color = palette[code]!
      red += color & 255
      green += (color >>> 8) & 255
      blue += (color >>> 16) & 255
      count++
    }
  }
  if (count === 0) return 0
  if (isOrphaned) return palette[STATE_CODE.orphaned]!
  return (0xff000000 | ((blue / count) << 16) | ((green / count) << 8) | (red / count)) >>> 0
}
