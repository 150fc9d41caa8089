import type { Join, ServerMessage, WireRois } from '../../../core/protocol/messages.ts'
import type { Channel } from '../../../ports/channel.ts'
import type { Lease } from '../lease-book.ts'
import type { Worker } from './pool.ts'

interface Connection {
  channel: Channel<ServerMessage> | undefined
  /** Whether it was accepted by the listener. */
  isRemote: boolean
  host: string
  wantsRois: boolean
}

/** The connection of each worker. */
export class WorkerConnections {
  readonly #connections = new Map<Worker, Connection>()

  /** A worker was connected when an earlier start of the run saved its session. */
  restore(worker: Worker, host: string): void {
    this.#connections.set(worker, { channel: undefined, isRemote: true, host, wantsRois: false })
  }

  /** The worker has connected, for the first time or again: an older connection is closed. */
  open(worker: Worker, channel: Channel<ServerMessage>, { host, rois }: Join, isRemote: boolean): void {
    this.close(worker)
    this.#connections.set(worker, { channel, isRemote, host, wantsRois: rois ?? false })
  }

  /** Closes the connection; its end is still reported by the channel. */
  close(worker: Worker): void {
    this.#connections.get(worker)?.channel?.close()
  }

  /** The connection has ended. */
  clear(worker: Worker): void {
    const connection = this.#connections.get(worker)
    if (connection !== undefined) connection.channel = undefined
  }

  forget(worker: Worker): void {
    this.#connections.delete(worker)
  }

  isCurrent(worker: Worker, channel: Channel<ServerMessage>): boolean {
    return this.#connections.get(worker)?.channel === channel
  }

  isRemote(worker: Worker): boolean {
    return this.#connections.get(worker)?.isRemote === true
  }

  hostOf(worker: Worker): string {
    return this.#connections.get(worker)?.host ?? ''
  }

  send(worker: Worker, message: ServerMessage): void {
    this.#connections.get(worker)?.channel?.send(message)
  }

  /** @param roisOf the Rois of a block */
  sendLease(worker: Worker, { id, task, blocks }: Lease, roisOf: (index: number) => WireRois): void {
    const rois = this.#connections.get(worker)?.wantsRois ? { rois: blocks.map(roisOf) } : {}
    this.send(worker, { type: 'lease', lease: id, taskId: task.id, blocks, ...rois })
  }
}
