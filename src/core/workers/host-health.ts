/** What has happened on a host: attempts that succeeded, and attempts or workers that failed. */
export interface HostRecord {
  readonly done: number
  readonly failed: number
}

/** A host on which more fails than elsewhere. */
export interface BadHost extends HostRecord {
  readonly host: string
  /** The sums of all other hosts. */
  readonly others: HostRecord
}

/** For users: what is wrong with a host, and what was done about it. */
export function describeBadHost({
  host,
  done,
  failed,
  others,
  isLeftOut,
}: BadHost & { readonly isLeftOut: boolean }): string {
  const elsewhere = others.done + others.failed
  const what = `${failed} of ${done + failed} attempts failed on ${host}, ${others.failed} of ${elsewhere} on other hosts`
  return `${what}; ${isLeftOut ? `further workers are started elsewhere` : 'take it out of the options of the jobs, or mend it'}`
}

/** Fewer failures are no reason to judge a host. */
const LEAST_FAILED = 5
/** At least this share of its attempts has failed, */
const LEAST_SHARE = 0.5
/** and this many times the share of the others, */
const TIMES_OTHERS = 4
/** which have done at least this many blocks. */
const LEAST_ELSEWHERE = 10
/** Of further hosts, nothing is kept. */
const MAX_HOSTS = 4096
/** When a host has so many attempts, its older ones count half: what was long ago does not hide what happens now. */
const HALVE_AT = 1000

/** Counts what happens on the hosts of a run, and says on which of them more fails than on the others. No clock. */
export class HostHealth {
  readonly #hosts = new Map<string, { done: number; failed: number }>()
  readonly #bad = new Set<string>()
  readonly #sum = { done: 0, failed: 0 }

  /** @returns the host, if it is now one to be left out, and was not before */
  note(host: string, { done = 0, failed = 0 }: Partial<HostRecord>): BadHost | undefined {
    const record = this.#recordOf(host)
    if (record === undefined) return undefined
    record.done += done
    record.failed += failed
    this.#sum.done += done
    this.#sum.failed += failed
    if (record.done + record.failed >= HALVE_AT) this.#halve(record)
    return failed > 0 ? this.#judge(host, record) : undefined
  }

  /** The hosts that are to be left out. */
  get bad(): readonly string[] {
    return [...this.#bad]
  }

  #recordOf(host: string) {
    const known = this.#hosts.get(host)
    if (known !== undefined || this.#hosts.size >= MAX_HOSTS) return known
    const record = { done: 0, failed: 0 }
    this.#hosts.set(host, record)
    return record
  }

  #halve(record: { done: number; failed: number }): void {
    for (const name of ['done', 'failed'] as const) {
      const less = Math.floor(record[name] / 2)
      record[name] -= less
      this.#sum[name] -= less
    }
  }

  #judge(host: string, { done, failed }: HostRecord): BadHost | undefined {
    // A fault that is in most hosts is not one of a host.
    if (this.#bad.has(host) || (this.#bad.size + 1) * 2 > this.#hosts.size) return undefined
    const others = { done: this.#sum.done - done, failed: this.#sum.failed - failed }
    if (failed < LEAST_FAILED || others.done < LEAST_ELSEWHERE) return undefined
    const share = failed / (done + failed)
    const elsewhere = others.failed / (others.done + others.failed)
    if (share < LEAST_SHARE || share < TIMES_OTHERS * elsewhere) return undefined
    this.#bad.add(host)
    return { host, done, failed, others }
  }
}
