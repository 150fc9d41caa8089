import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { messageOf } from '../../core/errors.ts'
import { LineSplitter, parseLine } from '../../core/protocol/lines.ts'
import type { Channel } from '../../ports/channel.ts'

export interface LineChannelOptions<Out> {
  /** The longest line that is accepted, in bytes. */
  readonly maxLineBytes: number
  /** The message that is sent before the connection is closed because something invalid was received. @default none */
  readonly refuse?: (reason: string) => Out
}

/** A connection with this many unsent bytes is too slow, and treated as broken. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024
/** How long the other side may take to close its end of a connection that this side has closed. */
const LINGER_MS = 2000
/** Idle time after which the system probes whether the other host is still there. */
const KEEP_ALIVE_MS = 15_000

/** A channel over a socket or a similar stream: one JSON object per line. Messages sent in one turn leave in one write. */
export class LineChannel<Out> implements Channel<Out> {
  readonly closed: Promise<void>
  readonly #socket: Duplex
  readonly #refuse: ((reason: string) => Out) | undefined
  readonly #lines: LineSplitter
  readonly #waiting: unknown[] = []
  #unsent: string[] = []
  #isEnding = false
  #receive: ((message: unknown) => void) | undefined
  /** Ends the wait for the next message. */
  #stopWaiting: (() => void) | undefined

  constructor(socket: Duplex, { maxLineBytes, refuse }: LineChannelOptions<Out>) {
    this.#socket = socket
    this.#lines = new LineSplitter(maxLineBytes)
    this.#refuse = refuse
    if (socket instanceof Socket) socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isEnding = true
        this.#lines.clear()
        resolve()
        this.#stopWaiting?.()
      })
      if (socket.destroyed) resolve()
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('end', () => this.close())
    // The reason does not matter: 'close' follows and reports the end.
    socket.on('error', destroy)
  }

  /** Changes the limit from the next line on. */
  set maxLineBytes(bytes: number) {
    this.#lines.maxBytes = bytes
  }

  send(message: Out): void {
    if (this.#isEnding) return
    if (this.#unsent.length === 0) queueMicrotask(() => this.#flush())
    this.#unsent.push(JSON.stringify(message))
  }

  flush(): void {
    this.#flush()
  }

  onMessage(receive: (message: unknown) => void): void {
    this.#receive = receive
    if (this.#waiting.length > 0) queueMicrotask(() => this.#deliver())
  }

  /** The next message, for a conversation in turns; later messages are kept. Undefined after the end of the connection. */
  next(): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    // Nothing of the conversation may stay in memory for as long as the connection lasts, as with `closed.then`.
    this.#stopWaiting = () => resolve(undefined)
    this.onMessage((message) => {
      this.#receive = undefined
      this.#stopWaiting = undefined
      resolve(message)
    })
    if (this.#socket.closed) void this.closed.then(this.#stopWaiting)
    return promise
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
    if (this.#isEnding) return
    for (const message of this.#messagesIn(chunk)) {
      this.#waiting.push(message)
      this.#deliver()
      if (this.#isEnding) return
    }
  }

  /** Closes the connection at the first line that is no message. */
  *#messagesIn(chunk: Buffer): Generator<unknown> {
    try {
      for (const line of this.#lines.take(chunk)) yield parseLine(textOf(line))
    } catch (error) {
      this.#lines.clear()
      if (this.#refuse !== undefined) this.send(this.#refuse(messageOf(error)))
      this.close()
    }
  }

  #deliver(): void {
    while (this.#receive !== undefined && this.#waiting.length > 0) this.#receive(this.#waiting.shift())
  }
}

/** For errors of sockets. Shared by all connections, of which there may be thousands. */
export function destroy(this: Duplex): void {
  this.destroy()
}

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8')
