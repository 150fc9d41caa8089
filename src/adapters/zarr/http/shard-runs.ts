/** Where an encoded chunk is in its shard. */
export interface ChunkPlace {
  readonly offset: number
  readonly length: number
}

/** Bytes of one read of several chunks, at most: several reads at once are faster than a larger one. */
const RUN_BYTES = 8 * 2 ** 20

/** Chunks of a shard that are read at once. */
interface Run {
  readonly start: number
  end: number
  /** Chunks that have not been taken yet: with the last one, its bytes are given up. */
  left: number
  bytes: Promise<Uint8Array> | undefined
}

/** Reads chunks of a shard, those that are close to each other with one read. */
export class ShardRuns {
  readonly #read: (offset: number, length: number) => Promise<Uint8Array>
  readonly #runs = new Map<ChunkPlace, Run>()

  /**
   * @param places of the chunks that are wanted, each of which is taken once
   * @param gapBytes one read of chunks that are no further apart costs less than two
   */
  constructor(
    places: readonly ChunkPlace[],
    gapBytes: number,
    read: (offset: number, length: number) => Promise<Uint8Array>,
  ) {
    this.#read = read
    let run: Run | undefined
    for (const place of places.toSorted((a, b) => a.offset - b.offset)) {
      const { offset, length } = place
      const end = offset + length
      if (run !== undefined && offset - run.end <= gapBytes && end - run.start <= RUN_BYTES) {
        run.end = Math.max(run.end, end)
        run.left++
      } else run = { start: offset, end, left: 1, bytes: undefined }
      this.#runs.set(place, run)
    }
  }

  /** The bytes of a chunk; fewer if the shard ends inside it. */
  async take(place: ChunkPlace): Promise<Uint8Array> {
    const run = this.#runs.get(place)
    if (run === undefined) return this.#read(place.offset, place.length)
    this.#runs.delete(place)
    run.bytes ??= this.#read(run.start, run.end - run.start)
    const { bytes } = run
    if (--run.left === 0) run.bytes = undefined
    const start = place.offset - run.start
    return (await bytes).subarray(start, start + place.length)
  }
}
