import type { Stage } from './long-run.ts'
import type { RoundReport } from './round.ts'

/** The largest figures of some rounds. */
interface Quarter {
  rounds: number
  memoryBytes: number
  handles: number
  temporaryFiles: number
}

/** Adds up rounds. */
export class Tally {
  readonly complaints: string[] = []
  readonly #faults = new Map<string, number>()
  readonly #works = new Map<string, number>()
  readonly #rounds: { readonly report: RoundReport; readonly seconds: number }[] = []
  readonly #started = performance.now()
  #stages: readonly Stage[] = []

  /** @param name of the round, with which it can be repeated */
  add(name: string, work: string, report: RoundReport): void {
    this.#rounds.push({ report, seconds: this.seconds })
    this.#works.set(work, (this.#works.get(work) ?? 0) + 1)
    for (const kind of report.faults) this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + 1)
    for (const complaint of report.complaints) this.complaints.push(`${name}: ${work}, ${complaint}`)
  }

  /** The coordinator of a run of many blocks, after each part of them. */
  addStages(stages: readonly Stage[]): void {
    this.#stages = stages
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** One line. */
  summary(): string {
    const { starts, blocks, voxels } = this.#sums()
    const faults = [...this.#faults.values()].reduce((sum, count) => sum + count, 0)
    const kinds = this.#faults.size
    return `${this.#rounds.length} rounds, ${faults} faults of ${kinds} kinds, ${starts} starts, ${blocks} blocks, ${voxels} voxels compared, ${this.complaints.length} complaints, ${this.seconds.toFixed(0)} s`
  }

  /** @param about lines on seed, machine and date */
  table(about: readonly (readonly [string, string])[]): string {
    const { starts, blocks, voxels } = this.#sums()
    const rows = (title: string, pairs: readonly (readonly [string, string | number])[]) =>
      [`| ${title} | |`, '| --- | --- |', ...pairs.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
    const sorted = (counts: ReadonlyMap<string, number>) => [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
    const sums: [string, string | number][] = [
      ['rounds', this.#rounds.length],
      ['starts of the command', starts],
      ['faults', [...this.#faults.values()].reduce((sum, count) => sum + count, 0)],
      ['blocks done', blocks],
      ['voxels compared', voxels],
      ['complaints', this.complaints.length],
    ]
    return [
      rows('the last soak', [...about, ['duration', `${(this.seconds / 3600).toFixed(2)} h`], ...sums]),
      rows('faults by kind', sorted(this.#faults)),
      rows('rounds by workload and workers', sorted(this.#works)),
      this.#quarters(),
      ...(this.#stages.length === 0 ? [] : [this.#stageTable()]),
      '',
    ].join('\n\n')
  }

  /** Figures that must not grow with time. */
  #quarters(): string {
    const length = Math.max(1, this.seconds / 4)
    const quarters: Quarter[] = Array.from({ length: 4 }, () => ({
      rounds: 0,
      memoryBytes: 0,
      handles: 0,
      temporaryFiles: 0,
    }))
    for (const { report, seconds } of this.#rounds) {
      const quarter = quarters[Math.min(3, Math.floor(seconds / length))]!
      quarter.rounds++
      quarter.memoryBytes = Math.max(quarter.memoryBytes, report.size.memoryBytes)
      quarter.handles = Math.max(quarter.handles, report.size.handles)
      quarter.temporaryFiles = Math.max(quarter.temporaryFiles, report.temporaryFiles)
    }
    const rows = quarters.map(
      (each, at) =>
        `| ${at + 1} | ${each.rounds} | ${(each.memoryBytes / 2 ** 20).toFixed(0)} MiB | ${each.handles} | ${each.temporaryFiles} |`,
    )
    const title = '| quarter | rounds | largest coordinator | most handles | most temporary files left in a round |'
    return [title, '| --- | --- | --- | --- | --- |', ...rows].join('\n')
  }

  #stageTable(): string {
    const title = '| blocks of one long run, whose workers are killed | coordinator | handles |'
    const rows = this.#stages.map(
      ({ blocks, memoryBytes, handles }) => `| ${blocks} | ${(memoryBytes / 2 ** 20).toFixed(0)} MiB | ${handles} |`,
    )
    return [title, '| --- | --- | --- |', ...rows].join('\n')
  }

  #sums() {
    const sum = (of: (report: RoundReport) => number) =>
      this.#rounds.reduce((total, { report }) => total + of(report), 0)
    return {
      starts: sum(({ starts }) => starts),
      blocks: sum(({ blocks }) => blocks),
      voxels: sum(({ voxels }) => voxels),
    }
  }
}
