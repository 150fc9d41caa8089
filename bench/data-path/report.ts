/** Figures of one side: of each round, in order. */
export interface SideFigures {
  readonly name: string
  readonly cpu: readonly number[]
  readonly wall: readonly number[]
  readonly peakMb?: number
}

/** A measured line of the table. */
export interface RowFigures {
  readonly id: string
  readonly title: string
  readonly goal: number
  readonly ours: SideFigures
  readonly peers: readonly SideFigures[]
  /** Voxels, labels or counts that differ from the first peer's; undefined if there is nothing to compare. */
  readonly differing?: number | undefined
}

/** All that was measured in one run. */
export interface Report {
  readonly date: string
  readonly shape: readonly number[]
  readonly dtype: string
  readonly workers: number
  readonly rounds: number
  readonly machine: string
  readonly rows: readonly RowFigures[]
}

/** The middle one of some values. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] as number
}

/** Ratios of each round: sides that ran next to each other are compared, so that other load affects both. */
export function ratios(ours: readonly number[], theirs: readonly number[]): { mid: number; min: number; max: number } {
  const each = ours.map((value, round) => value / (theirs[round] as number))
  return { mid: median(each), min: Math.min(...each), max: Math.max(...each) }
}

const seconds = ({ cpu, wall }: SideFigures): string => `${median(cpu).toFixed(2)} / ${median(wall).toFixed(2)}`

/** A line of the table in Markdown. */
export function tableLine({ title, goal, ours, peers, differing }: RowFigures): string {
  const [first, ...others] = peers
  const memory = ours.peakMb === undefined ? '' : `, ${ours.peakMb.toFixed(0)} MB`
  if (first === undefined) return `| ${title} | ${seconds(ours)}${memory} | | | ≤ ${goal} | | |`
  const { mid, min, max } = ratios(ours.cpu, first.cpu)
  const wall = ratios(ours.wall, first.wall)
  const more = others.map((side) => `${side.name} ${seconds(side)}`).join(', ')
  const equal = differing === undefined ? '' : differing === 0 ? 'yes' : `**${differing} differ**`
  return (
    `| ${title} | ${seconds(ours)}${memory} | ${first.name} ${seconds(first)} | ${more} ` +
    `| ≤ ${goal} | ${mid.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}); ${wall.mid.toFixed(2)} | ${equal} |`
  )
}

export const TABLE_HEAD = `| command | Bellis | strongest peer | others | goal | reached, CPU (min–max); wall | equal |
| --- | --- | --- | --- | --- | --- | --- |`
