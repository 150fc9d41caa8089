import { growthIn, show } from './growth.ts'
import type { Stage } from './long-run.ts'
import type { RoundReport } from './round.ts'
import { largest, type Size, sizeOf } from './start.ts'

/** The parts of a soak whose figures are compared. */
const PARTS = 8

/** Adds up rounds. */
export class Tally {
  readonly complaints: string[] = []
  readonly #faults = new Map<string, number>()
  readonly #works = new Map<string, number>()
  readonly #rounds: { readonly report: RoundReport; readonly seconds: number; readonly own: Size | undefined }[] = []
  readonly #started = performance.now()
  #stages: readonly Stage[] = []

  /** @param name of the round, with which it can be repeated */
  add(name: string, work: string, report: RoundReport): void {
    this.#rounds.push({ report, seconds: this.seconds, own: sizeOf('self') })
    this.#works.set(work, (this.#works.get(work) ?? 0) + 1)
    for (const kind of report.faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
    for (const complaint of report.complaints) this.complaints.push(`${name}: ${work}, ${complaint}`)
  }

  /** The coordinator of a run of many blocks, after each part of them. */
  addStages(stages: readonly Stage[]): void {
    this.#stages = stages
  }

  /** Adds a complaint if the program of the rounds has grown: what others left in it would count for theirs. */
  checkGrowth(): void {
    // The first rounds load what the later ones need.
    const own = this.#rounds.slice(PARTS).flatMap((round) => round.own ?? [])
    const growth = growthIn('the program of the rounds', own)
    if (growth !== undefined) this.complaints.push(growth)
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** One line. */
  summary(): string {
    const { starts, blocks, voxels, differences } = this.#sums()
    const faults = [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
    const kinds = this.#faults.size
    return `${this.#rounds.length} rounds, ${faults} faults of ${kinds} kinds, ${starts} starts, ${blocks} blocks, ${voxels} voxels compared, ${differences} differences, ${this.complaints.length} complaints, ${this.seconds.toFixed(0)} s`
  }

  /** @param about lines on seed, machine and date */
  table(about: readonly (readonly [string, string])[]): string {
    const { starts, blocks, voxels, differences } = this.#sums()
    const rows = (title: string, pairs: readonly (readonly [string, string | number])[]) =>
      [`| ${title} | |`, '| --- | --- |', ...pairs.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
    const sorted = (counts: ReadonlyMap<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
    const sums: [string, string | number][] = [
      ['rounds', this.#rounds.length],
      ['starts of the command', starts],
      ['faults', [...this.#faults.values()].reduce((sum, count) => sum + count, 0)],
      ['blocks done', blocks],
      ['voxels compared', voxels],
      ['differences', differences],
      ['complaints', this.complaints.length],
    ]
    return [
      rows('the last soak', [...about, ['duration', `${(this.seconds / 3600).toFixed(2)} h`], ...sums]),
      rows('faults by kind', sorted(this.#faults)),
      rows('rounds by workload and workers', sorted(this.#works)),
      this.#parts(),
      ...(this.#stages.length === 0 ? [] : [this.#stageTable()]),
      '',
    ].join('\n\n')
  }

  /** Figures that must not grow with time. */
  #parts(): string {
    const length = Math.max(1, this.seconds / PARTS)
    const rows = Array.from({ length: PARTS }, (_, part) => {
      const inPart = this.#rounds.filter(({ seconds }) => Math.min(PARTS - 1, Math.floor(seconds / length)) === part)
      const of = (sizes: (Size | undefined)[]) => largest(sizes.filter((size) => size !== undefined))
      const sum = inPart.reduce((total, { report }) => total + report.differences, 0)
      const cells = [
        `to ${((length * (part + 1)) / 60).toFixed(0)} min`,
        inPart.length,
        sum,
        show(of(inPart.map(({ report }) => report.coordinator))),
        show(of(inPart.map(({ report }) => report.worker))),
        show(of(inPart.map(({ own }) => own))),
        Math.max(0, ...inPart.map(({ report }) => report.temporaryFiles)),
      ]
      return `| ${cells.join(' | ')} |`
    })
    const title =
      '| time | rounds | differences | largest coordinator | largest worker | program of the rounds | most temporary files left in a round |'
    return [title, '| --- | --- | --- | --- | --- | --- | --- |', ...rows].join('\n')
  }

  #stageTable(): string {
    const title = '| blocks of one long run, whose workers are killed | coordinator |'
    const rows = this.#stages.map(
      ({ blocks, memoryBytes, handles }) => `| ${blocks} | ${show({ memoryBytes, handles })} |`,
    )
    return [title, '| --- | --- |', ...rows].join('\n')
  }

  #sums() {
    const sum = (of: (report: RoundReport) => number) =>
      this.#rounds.reduce((total, { report }) => total + of(report), 0)
    return {
      starts: sum(({ starts }) => starts),
      blocks: sum(({ blocks }) => blocks),
      voxels: sum(({ voxels }) => voxels),
      differences: sum(({ differences }) => differences),
    }
  }
}
