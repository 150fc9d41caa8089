import { setTimeout as wait } from 'node:timers/promises'
import type { Chance } from '../chance.ts'
import type { Start } from '../start.ts'
import { drawFault, type Struck } from './faults.ts'
import type { SiteCluster } from './site-cluster.ts'

/** Faults that strike a cluster all the time. Several last at once. */
export class Storm {
  readonly faults: string[] = []
  readonly #cluster: SiteCluster
  readonly #chance: Chance
  readonly #say: (line: string) => void
  readonly #lasting = new Set<Promise<void>>()
  #calm = new AbortController()

  /** @param say is given a line for each fault */
  constructor(cluster: SiteCluster, chance: Chance, say: (line: string) => void) {
    this.#cluster = cluster
    this.#chance = chance
    this.#say = say
  }

  /** Strikes until a start has ended. */
  async rage(start: Start): Promise<void> {
    while (!start.isOver && start.blocksLeft() === undefined) await wait(100)
    while (!start.isOver) {
      await wait(this.#chance.between(500, 8000))
      if (start.isOver) return
      const fault = drawFault(this.#chance)
      const struck = await fault.strike(this.#cluster, this.#chance, start)
      if (struck === undefined) continue
      this.note(fault.kind, struck)
      this.#last(struck)
    }
  }

  /** Notes a fault. */
  note(kind: string, { what, lastsMs }: Struck): void {
    this.faults.push(kind)
    this.#say(`${kind}: ${what}${lastsMs === undefined ? '' : `, for ${(lastsMs / 1000).toFixed(1)} s`}`)
  }

  /** Ends what lasts, and puts everything right. */
  async end(): Promise<void> {
    this.#calm.abort()
    await Promise.all(this.#lasting)
    this.#calm = new AbortController()
    await this.#cluster.mend()
  }

  #last({ lastsMs = 0, undo }: Struck): void {
    if (undo === undefined) return
    const { signal } = this.#calm
    const lasting = wait(lastsMs, undefined, { signal })
      .catch(() => {})
      .then(undo)
      .catch((error: unknown) => this.#say(`it could not be put right: ${(error as Error).message}`))
      .finally(() => this.#lasting.delete(lasting))
    this.#lasting.add(lasting)
  }
}
