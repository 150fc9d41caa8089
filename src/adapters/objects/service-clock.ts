/** The time as a service has it, which requests are signed with: the clock of this machine may be wrong. */
export class ServiceClock {
  readonly #toleranceMs: number
  #offsetMs = 0

  /** @param toleranceMs by how much a clock may differ for the service */
  constructor(toleranceMs: number) {
    this.#toleranceMs = toleranceMs
  }

  get date(): Date {
    return new Date(Date.now() + this.#offsetMs)
  }

  /** Takes over the time of an answer. @returns whether it differs from that of before */
  follow(headers: Headers): boolean {
    const offset = Date.parse(headers.get('date') ?? '') - Date.now()
    const isNew = Number.isFinite(offset) && Math.abs(offset - this.#offsetMs) > this.#toleranceMs
    if (isNew) this.#offsetMs = offset
    return isNew
  }
}
