import { ByteReader, ByteWriter } from './varint.ts'

// What a run writes down of its blocks as they go, in frames: a kind, the length of what follows, and that.

/** What happened to blocks, all of one task and at one worker. */
export interface BlocksFrame {
  readonly kind: 'leased' | 'done' | 'returned'
  /** Milliseconds since the start that wrote it. */
  readonly at: number
  /** Its place among the run's tasks. */
  readonly task: number
  /** A number that a text frame has given a name. */
  readonly worker: number
  readonly indices: readonly number[]
  /** What each took, where they are done; 0 for one that was skipped. Kept to 0.01 ms. */
  readonly ms: readonly number[]
}

/** Anything else, as JSON. */
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

  /** All frames since the last call; valid until the next one is written. */
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

/** 0 stays for blocks that were skipped. */
const hundredths = (ms: number): number => (ms > 0 ? Math.max(1, Math.round(ms * HUNDREDTHS)) : 0)

/**
 * Reads frames, as far as they are whole.
 * @returns how many bytes they had: what comes after is the beginning of one that is being written
 */
export function readFrames(bytes: Uint8Array, onFrame: (frame: BlocksFrame | TextFrame) => void): number {
  const reader = new ByteReader(bytes)
  let whole = 0
  while (!reader.isAtEnd) {
    const kind = KINDS[reader.byte()]
    const body = reader.bytes(reader.varint())
    if (reader.isCut) break
    whole = reader.at
    if (kind === 'text') onFrame({ kind, bytes: body })
    else if (kind !== undefined) onFrame(readBlocks(kind, body))
  }
  return whole
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
  if (kind === 'done') for (let i = 0; i < count; i++) ms.push(reader.varint() / HUNDREDTHS)
  return { kind, at, task, worker, indices, ms }
}
