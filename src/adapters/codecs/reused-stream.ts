/** What a stream of node:zlib has behind it, as far as it is used here. Node does not document it; npm reads packages with it. */
interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputLength: number,
    output: Uint8Array,
    outputStart: number,
    outputLength: number,
  ): void
  reset(): void
  onerror: (message: string) => void
}

interface Engine {
  readonly _handle?: Partial<Handle> | null
  /** Bytes of output and of input that the last call has left. */
  readonly _writeState?: Uint32Array
}

/**
 * A compressor or decompressor of node:zlib that is used for one piece of data after the other. The functions of node:zlib make one for
 * each call, whose tables take up to half of the time, and memory for each result. This never is the only way: whatever
 * goes wrong here, its caller does again with those functions, which also report what is wrong.
 */
export class ReusedStream {
  readonly #create: () => unknown
  readonly #flush: number
  readonly #resets: boolean
  #handle: Handle | undefined
  #left: Uint32Array = new Uint32Array(2)
  #failed = false

  /**
   * @param create makes a stream of node:zlib
   * @param flush that ends a piece of data
   * @param resets whether the stream has to be reset between two pieces, as those of zlib have
   */
  constructor(create: () => unknown, flush: number, resets: boolean) {
    this.#create = create
    this.#flush = flush
    this.#resets = resets
  }

  /**
   * @param output with room for more than the complete result
   * @returns the bytes of the result at the start of `output`; undefined if not all of the input became a complete result that fits
   */
  run(input: Uint8Array, output: Uint8Array): number | undefined {
    const handle = this.#handle ?? this.#open()
    if (handle === undefined) return undefined
    this.#failed = false
    handle.writeSync(this.#flush, input, 0, input.length, output, 0, output.length)
    const [room = 0, rest = 0] = this.#left
    if (this.#failed || room === 0 || rest > 0) {
      // What it has kept must not become a part of the next result.
      this.#handle = undefined
      return undefined
    }
    if (this.#resets) handle.reset()
    return output.length - room
  }

  #open(): Handle | undefined {
    const { _handle: handle, _writeState: left } = this.#create() as Engine
    if (!isHandle(handle) || !(left instanceof Uint32Array)) return undefined
    handle.onerror = () => {
      this.#failed = true
    }
    this.#left = left
    this.#handle = handle
    return handle
  }
}

const isHandle = (handle: Engine['_handle']): handle is Handle =>
  typeof handle?.writeSync === 'function' && typeof handle.reset === 'function'
