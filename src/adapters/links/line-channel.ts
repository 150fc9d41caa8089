import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { messageOf } from '../../core/errors.ts'
import { parseLine } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'

export interface LineChannelOptions<Out> {
  /** The longest line that is received, in bytes. */
  readonly maxLineBytes: number
  /** What is sent before the link is closed because something came in that is no message. */
  readonly refuse?: (reason: string) => Out
}

/** A link that reads too slowly for this many bytes is broken. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024
/** How long the other side may take to end its side of a link that this one has closed. */
const LINGER_MS = 2000
/** Quiet time after which the system asks whether the other host is still there. */
const KEEP_ALIVE_MS = 15_000
const LINE_FEED = 0x0a
const NOTHING = Buffer.alloc(0)
/** The first room for a line that comes in pieces. */
const FIRST_ROOM = 4096

/** A link over a socket, or what is like one: one JSON object per line. What is sent in one turn goes out in one write. */
export class LineChannel<Out> implements Channel<Out> {
  readonly closed: Promise<void>
  readonly #socket: Duplex
  readonly #refuse: ((reason: string) => Out) | undefined
  #maxLineBytes: number
  #unsent: string[] = []
  #isEnding = false
  /** A line whose end has not come yet, and how much of it is there; the room for it doubles, however small the pieces. */
  #partial = NOTHING
  #partialBytes = 0
  readonly #waiting: unknown[] = []
  #receive: ((message: unknown) => void) | undefined

  constructor(socket: Duplex, { maxLineBytes, refuse }: LineChannelOptions<Out>) {
    this.#socket = socket
    this.#maxLineBytes = maxLineBytes
    this.#refuse = refuse
    if (socket instanceof Socket) socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.close())
    // What went wrong with a link says less than that it has ended.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#isEnding = true
      this.#drop()
      resolve()
    })
    if (socket.destroyed) resolve()
  }

  /** Lets longer lines in, from now on. */
  set maxLineBytes(bytes: number) {
    this.#maxLineBytes = bytes
  }

  send(message: Out): void {
    if (this.#isEnding) return
    if (this.#unsent.length === 0) queueMicrotask(() => this.#flush())
    this.#unsent.push(JSON.stringify(message))
  }

  onMessage(receive: (message: unknown) => void): void {
    this.#receive = receive
    if (this.#waiting.length > 0) queueMicrotask(() => this.#deliver())
  }

  close(): void {
    if (this.#isEnding) return
    this.#flush()
    this.#isEnding = true
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    timer.unref()
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #flush(): void {
    if (this.#unsent.length === 0 || this.#isEnding) return
    this.#unsent.push('')
    this.#socket.write(this.#unsent.join('\n'))
    this.#unsent = []
    if (this.#socket.writableLength > MAX_UNSENT_BYTES) this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    let begin = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, begin)) {
      if (this.#isEnding) return
      const bytes = this.#partialBytes + end - begin
      if (bytes > this.#maxLineBytes) {
        this.#giveUp(bytes)
        return
      }
      let line: string
      if (this.#partialBytes === 0) line = chunk.toString('utf8', begin, end)
      else {
        this.#keep(chunk, begin, end)
        line = this.#partial.toString('utf8', 0, bytes)
        this.#drop()
      }
      begin = end + 1
      try {
        this.#waiting.push(parseLine(line))
      } catch (error) {
        this.#break(messageOf(error))
        return
      }
      this.#deliver()
    }
    if (begin === chunk.length || this.#isEnding) return
    const bytes = this.#partialBytes + chunk.length - begin
    if (bytes > this.#maxLineBytes) {
      this.#giveUp(bytes)
      return
    }
    this.#keep(chunk, begin, chunk.length)
  }

  #keep(chunk: Buffer, begin: number, end: number): void {
    const bytes = this.#partialBytes + end - begin
    if (bytes > this.#partial.length) {
      const larger = Buffer.allocUnsafe(Math.max(FIRST_ROOM, 2 ** Math.ceil(Math.log2(bytes))))
      this.#partial.copy(larger, 0, 0, this.#partialBytes)
      this.#partial = larger
    }
    chunk.copy(this.#partial, this.#partialBytes, begin, end)
    this.#partialBytes = bytes
  }

  #deliver(): void {
    while (this.#receive !== undefined && this.#waiting.length > 0) this.#receive(this.#waiting.shift())
  }

  #giveUp(bytes: number): void {
    this.#break(`A line of ${bytes} bytes or more has come; at most ${this.#maxLineBytes} are taken.`)
  }

  #break(reason: string): void {
    this.#drop()
    if (this.#refuse !== undefined) this.send(this.#refuse(reason))
    this.close()
  }

  #drop(): void {
    this.#partial = NOTHING
    this.#partialBytes = 0
  }
}
