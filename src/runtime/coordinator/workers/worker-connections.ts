import type { Join, ServerMessage, WireRois, WireTask } from '../../../core/protocol/messages.ts'
import type { Channel } from '../../../ports/channel.ts'
import type { Lease } from '../lease-book.ts'
import type { RunningTask, Worker } from './pool.ts'

interface Connection {
  channel: Channel<ServerMessage> | undefined
  /** Whether it was accepted by the listener. */
  isRemote: boolean
  host: string
  wantsRois: boolean
  /** Heartbeats in a row that were missed. */
  missedHeartbeats: number
  /** Tasks that were described to the worker over this connection. */
  readonly described: Set<RunningTask>
  /** Tasks that the worker has set up. */
  readonly setUp: Set<RunningTask>
  /** The task that it could not set up. */
  notSetUp: RunningTask | undefined
}

/** The connection of each worker, and what was said over it. */
export class WorkerConnections {
  readonly #connections = new Map<Worker, Connection>()

  /** A worker was connected when an earlier start of the run saved its session. */
  restore(worker: Worker, host: string): void {
    this.#connections.set(worker, { ...newConnection(), isRemote: true, host })
  }

  /** The worker has connected, for the first time or again: an older connection is closed. */
  open(worker: Worker, channel: Channel<ServerMessage>, { host, rois }: Join, isRemote: boolean): void {
    const connection = this.#connections.get(worker) ?? newConnection()
    this.#connections.set(worker, connection)
    connection.channel?.close()
    connection.described.clear()
    Object.assign(connection, { channel, isRemote, host, wantsRois: rois ?? false, missedHeartbeats: 0 })
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

  /** @param describe the task for this worker, for the first lease of it @param roisOf the Rois of a block */
  sendLease(
    worker: Worker,
    { id, task, blocks }: Lease,
    describe: () => WireTask,
    roisOf: (index: number) => WireRois,
  ): void {
    const connection = this.#connections.get(worker)
    if (connection === undefined) return
    const { channel, described, wantsRois } = connection
    if (!described.has(task)) {
      described.add(task)
      channel?.send({ type: 'task', task: describe() })
    }
    const rois = wantsRois ? { rois: blocks.map(roisOf) } : {}
    channel?.send({ type: 'lease', lease: id, taskId: task.id, blocks, ...rois })
  }

  isSetUp(worker: Worker, task: RunningTask): boolean {
    return this.#connections.get(worker)?.setUp.has(task) === true
  }

  /** @returns whether the worker had not reported before that it has set the task up */
  noteSetUp(worker: Worker, taskId: string): boolean {
    const { described, setUp } = this.#connections.get(worker) as Connection
    const task = [...described].find(({ id }) => id === taskId)
    if (task === undefined || setUp.has(task)) return false
    setUp.add(task)
    return true
  }

  noteNotSetUp(worker: Worker, taskId: string): void {
    const connection = this.#connections.get(worker) as Connection
    for (const task of connection.described) if (task.id === taskId) connection.notSetUp = task
  }

  /** The task that the worker could not set up, if that is why it ends. */
  notSetUp(worker: Worker): RunningTask | undefined {
    return this.#connections.get(worker)?.notSetUp
  }

  /** The worker's process was started again: it has nothing set up. */
  clearSetUp(worker: Worker): void {
    this.#connections.get(worker)?.setUp.clear()
  }

  /** The worker has sent something. */
  noteHeard(worker: Worker): void {
    const connection = this.#connections.get(worker)
    if (connection !== undefined) connection.missedHeartbeats = 0
  }

  /** Counts one heartbeat as missed by a worker. @returns how many it had missed in a row before; undefined if it need not send any */
  countMissed(worker: Worker): number | undefined {
    const connection = this.#connections.get(worker)
    if (connection?.channel === undefined || !connection.isRemote) return undefined
    return connection.missedHeartbeats++
  }
}

const newConnection = (): Connection => ({
  channel: undefined,
  isRemote: false,
  host: '',
  wantsRois: false,
  missedHeartbeats: 0,
  described: new Set(),
  setUp: new Set(),
  notSetUp: undefined,
})
