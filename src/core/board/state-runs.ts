import { ByteReader, ByteWriter } from './varint.ts'

/**
 * Block states in few bytes, as runs of consecutive blocks with the same state. A run is two varints: the gap to the previous run, in
 * blocks, and (length - 1) * 16 + state.
 */
export class StateRuns {
  readonly #writer = new ByteWriter()
  /** End of the previous run. */
  #before = 0
  #start = 0
  #end = 0
  #code = 0

  /** @param index above all previous ones */
  add(index: number, code: number): void {
    if (index === this.#end && code === this.#code && this.#end > this.#start) {
      this.#end++
      return
    }
    this.#flush()
    this.#start = index
    this.#end = index + 1
    this.#code = code
  }

  /** Everything added since the last call; may be empty. */
  take(): Uint8Array {
    this.#flush()
    this.#before = 0
    this.#start = 0
    this.#end = 0
    return this.#writer.take().slice()
  }

  #flush(): void {
    if (this.#end === this.#start) return
    this.#writer.varint(this.#start - this.#before)
    this.#writer.varint((this.#end - this.#start - 1) * 16 + this.#code)
    this.#before = this.#end
  }
}

/** The states of all blocks. */
export function encodeStates(codes: Uint8Array): Uint8Array {
  const runs = new StateRuns()
  for (let index = 0; index < codes.length; index++) runs.add(index, codes[index]!)
  return runs.take()
}

/** Applies runs to states, ignoring blocks beyond their end. @param onRun called for each run; `end` is exclusive */
export function applyStates(
  codes: Uint8Array,
  bytes: Uint8Array,
  onRun: (start: number, end: number, code: number) => void = () => {},
): void {
  const reader = new ByteReader(bytes)
  for (let at = 0; !reader.isAtEnd; ) {
    const start = at + reader.varint()
    const word = reader.varint()
    const end = Math.min(codes.length, start + Math.floor(word / 16) + 1)
    if (reader.isCut || start >= end) return
    codes.fill(word & 15, start, end)
    onRun(start, end, word & 15)
    at = end
  }
}
