import { ByteReader, ByteWriter } from './varint.ts'

// The binary format of a run's history. A frame is a kind (one byte), the length of its body (varint), and the body.

/** Something happened to blocks of one task at one worker. */
export interface BlocksFrame {
  readonly kind: 'leased' | 'done' | 'returned'
  /** Milliseconds since the start of the run that wrote it. */
  readonly at: number
  /** Number of the task in the run. */
  readonly task: number
  /** Number of the worker; a text frame maps it to its name. */
  readonly worker: number
  readonly indices: readonly number[]
  /** Duration of each block, for `done`; 0 for a skipped one. Rounded to 0.01 ms. */
  readonly ms: readonly number[]
}

/** Any other event, as JSON. */
export interface TextFrame {
  readonly kind: 'text'
  readonly bytes: Uint8Array
}

const KINDS = ['text', 'leased', 'done', 'returned'] as const
const HUNDREDTHS = 100

export class FrameWriter {
  readonly #out = new ByteWriter()
  readonly #body = new ByteWriter()

  get length(): number {
    return this.#out.length
  }

  /** All frames since the last call; valid until the next frame is written. */
  take(): Uint8Array {
    return this.#out.take()
  }

  text(bytes: Uint8Array): void {
    this.#frame('text', bytes)
  }

  blocks({ kind, at, task, worker, indices, ms }: BlocksFrame): void {
    const body = this.#body
    body.varint(at)
    body.varint(task)
    body.varint(worker)
    body.varint(indices.length)
    let before = 0
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!
      body.signed(index - before)
      before = index
    }
    if (kind === 'done') for (let i = 0; i < indices.length; i++) body.varint(hundredths(ms[i] ?? 0))
    this.#frame(kind, body.take())
  }

  #frame(kind: (typeof KINDS)[number], body: Uint8Array): void {
    this.#out.byte(KINDS.indexOf(kind))
    this.#out.varint(body.length)
    this.#out.bytes(body)
  }
}

/** 0 is reserved for skipped blocks. */
const hundredths = (ms: number): number => (ms > 0 ? Math.max(1, Math.round(ms * HUNDREDTHS)) : 0)

/**
 * Reads all complete frames.
 * @returns their length in bytes; the rest is the start of a frame that is still being written
 */
export function readFrames(bytes: Uint8Array, onFrame: (frame: BlocksFrame | TextFrame) => void): number {
  const reader = new ByteReader(bytes)
  let complete = 0
  while (!reader.isAtEnd) {
    const kind = KINDS[reader.byte()]
    const body = reader.bytes(reader.varint())
    if (reader.isCut) break
    complete = reader.at
    if (kind === 'text') onFrame({ kind, bytes: body })
    else if (kind !== undefined) onFrame(readBlocks(kind, body))
  }
  return complete
}

function readBlocks(kind: BlocksFrame['kind'], body: Uint8Array): BlocksFrame {
  const reader = new ByteReader(body)
  const [at, task, worker, count] = [reader.varint(), reader.varint(), reader.varint(), reader.varint()]
  const indices: number[] = []
  const ms: number[] = []
  let index = 0
  for (let i = 0; i < count && !reader.isCut; i++) {
    index += reader.signed()
    indices.push(index)
  }
  if (kind === 'done') for (let i = 0; i < count && !reader.isCut; i++) ms.push(reader.varint() / HUNDREDTHS)
  return { kind, at, task, worker, indices, ms }
}
