import { printableLine } from '../../core/text/printable.ts'
import { shortenMiddle } from '../../core/text/shorten.ts'
import { fits, GAP, pad, type Screen, wrapped } from './layout.ts'
import { paint } from './output.ts'
import { columnsOf } from './terminal.ts'

/** A column of a table, and what becomes of it on a terminal that is too narrow for all of them. */
export interface Column {
  readonly name: string
  /** Its cells may be shortened in the middle, to this many columns of the terminal. @default they stay whole */
  readonly least?: number
  /** Columns give way one after the other, the lowest number first. @default it never does */
  readonly givesWay?: number
  /** Whether its cells are on a line below their row then, and not left out. @default false */
  readonly isBelow?: boolean
}

/** The lines of a table. */
export interface Table {
  /** The names of the columns; undefined if these are beside each cell. */
  readonly header: string | undefined
  /** A line, or lines, for each row. */
  readonly rows: readonly string[]
  /** The names of columns that are left out. */
  readonly leftOut: readonly string[]
}

/** The cells of a row; one with fewer cells than there are columns has a text in the last one that fills its line. */
type Row = readonly string[]

/**
 * A table for a terminal, or for programs that read lines.
 * On a terminal that is too narrow for it, cells are shortened and columns give way; in the end, the first cell of a row is on a line of
 * its own, and all others are below it with their names.
 */
export function table(
  columns: readonly Column[],
  rows: readonly Row[],
  screen: Screen = screenOf(process.stdout),
): Table {
  const whole = rows.map((row) => row.map(printableLine))
  const giving = columns
    .filter(({ givesWay }) => givesWay !== undefined)
    .sort((a, b) => (a.givesWay as number) - (b.givesWay as number))
  for (let count = 0; count <= giving.length; count++) {
    const found = aligned({ columns, rows: whole, away: new Set(giving.slice(0, count)), screen })
    if (found !== undefined) return found
  }
  return { header: undefined, rows: whole.map((row) => stacked(columns, row, screen)), leftOut: [] }
}

const screenOf = ({ isTTY, columns }: NodeJS.WriteStream): Screen => ({ isTTY, columns })

interface Attempt {
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** The columns that have given way. */
  readonly away: ReadonlySet<Column>
  readonly screen: Screen
}

/** @returns undefined if a row does not fit */
function aligned({ columns, rows, away, screen }: Attempt): Table | undefined {
  const shown = columns.filter((column) => !away.has(column))
  const isFull = (row: Row) => row.length === columns.length
  const cut = rows.map((row) => (isFull(row) ? row.filter((_, i) => !away.has(columns[i] as Column)) : row))
  const full = cut.filter((_, at) => isFull(rows[at] as Row))
  // Before the text that fills the line of a row with fewer cells.
  const starts = cut.map((row, at) => (isFull(rows[at] as Row) ? row : row.slice(0, -1)))
  const natural = shown.map(({ name }, i) => Math.max(columnsOf(name), ...starts.map((row) => columnsOf(row[i] ?? ''))))
  const widths = fittingWidths(shown, natural, screen)
  const align = (row: Row, whole = row.length) =>
    row
      .map((cell, i) =>
        i < whole ? pad(shortenMiddle(cell, widths[i] as number, columnsOf), widths[i] as number) : cell,
      )
      .join(' '.repeat(GAP))
      .trimEnd()
  const header = align(shown.map(({ name }) => name))
  if (![header, ...full.map((row) => align(row))].every((line) => fits(line, screen))) return undefined
  const below = columns.map((column) => away.has(column) && column.isBelow === true)
  return {
    header: paint('bold', header),
    rows: rows.map((row, at) => {
      const line = wrapped(align(cut[at] as Row, (starts[at] as Row).length), GAP, screen)
      const cells = isFull(row) ? row.map((cell, i) => (below[i] ? cell : '')) : []
      return [line, ...linesBelow(columns, cells, screen)].join('\n')
    }),
    leftOut: [...away].filter(({ isBelow = false }) => !isBelow).map(({ name }) => name),
  }
}

/** The widths of columns; if they do not fit, the widest ones that may be shortened are narrower, but never than their least width. */
function fittingWidths(
  columns: readonly Column[],
  natural: readonly number[],
  { isTTY, columns: room = 0 }: Screen,
): number[] {
  const widths = [...natural]
  const least = columns.map(({ name, least: each }, i) => Math.max(columnsOf(name), each ?? (natural[i] as number)))
  let excess = isTTY && room > 0 ? widths.reduce((sum, width) => sum + width + GAP, 0) - GAP - (room - 1) : 0
  for (; excess > 0; excess--) {
    const spare = widths.map((width, i) => (width > (least[i] as number) ? width : 0))
    const widest = Math.max(...spare)
    if (widest === 0) break
    widths[spare.indexOf(widest)] = widest - 1
  }
  return widths
}

/** The cells of a row below its first one. */
function stacked(columns: readonly Column[], [first = '', ...cells]: Row, screen: Screen): string {
  const isPath = columns[0]?.least !== undefined
  const { columns: room = 0 } = screen
  const start = isPath && room > 0 ? shortenMiddle(first, room - 1, columnsOf) : first
  return [paint('bold', start), ...linesBelow(columns, ['', ...cells], screen)].join('\n')
}

/** Cells with their names, as many on a line as there is room for; those that are empty are left out. */
function linesBelow(columns: readonly Column[], cells: Row, screen: Screen): string[] {
  const hasNames = cells.length === columns.length
  const lines: string[] = []
  for (const [i, cell] of cells.entries()) {
    if (cell === '') continue
    const named = hasNames ? `${(columns[i] as Column).name.toLowerCase()} ${cell}` : cell
    const joined = `${lines.at(-1) ?? ''}, ${named}`
    if (lines.length > 0 && fits(joined, screen)) lines[lines.length - 1] = joined
    else lines.push(`${' '.repeat(GAP)}${named}`)
  }
  return lines.map((line) => wrapped(line, 2 * GAP, screen))
}
