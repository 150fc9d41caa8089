import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PROTOCOL_VERSION, type ServerMessage, type WorkerMessage } from '../../../src/core/protocol/messages.ts'
import type { Channel } from '../../../src/ports/channel.ts'
import { channelPair } from '../../../src/runtime/launchers/memory-channel.ts'
import { runWorker } from '../../../src/runtime/worker/worker-loop.ts'
import { ManualClock, settle } from '../../support/fake-network.ts'

describe('a worker', () => {
  it('reports what it has used before each heartbeat, so that long blocks are seen', async () => {
    const clock = new ManualClock()
    const [server, channel] = channelPair<ServerMessage, WorkerMessage>()
    const ending = new AbortController()
    const endBlock = Promise.withResolvers<undefined>()
    const usage = { readBytes: 0, writtenBytes: 0, peakMemory: 1 }
    const seen: WorkerMessage[] = []
    const box = { offset: [0], shape: [1] }
    server.onMessage((message) => {
      const known = message as WorkerMessage
      if (known.type === 'usage' || known.type === 'heartbeat') seen.push(known)
      if (known.type === 'heartbeat') server.send({ type: 'heartbeat' })
      if (known.type !== 'join') return
      const welcome = { protocol: PROTOCOL_VERSION, workerId: 'w1', session: 's', heartbeatMs: 10_000, leases: [] }
      server.send({ type: 'welcome', ...welcome })
    })
    const ended = runWorker({
      connect: async () => channel,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: ending.signal,
      usage: () => ({ ...usage }),
      loadTask: async () => ({ process: () => endBlock.promise }),
    })
    await clock.pass(15_000)
    assert.deepEqual(seen, [{ type: 'heartbeat' }], 'there is nothing to report before the first block')
    server.send({ type: 'task', task: { id: 'a', module: '', name: 'a', config: {}, unit: 'nm' } })
    server.send({ type: 'lease', lease: 1, taskId: 'a', blocks: [0], rois: [{ read: box, write: box }] })
    await settle()
    usage.readBytes = 64
    await clock.pass(20_000)
    assert.deepEqual(seen.slice(1), [
      { type: 'usage', readBytes: 64, writtenBytes: 0, peakMemory: 1 },
      { type: 'heartbeat' },
    ])
    endBlock.resolve(undefined)
    ending.abort()
    await settle()
    await ended
  })

  it('reports once that its coordinator cannot be reached, and again when a connection is lost', async () => {
    const clock = new ManualClock()
    const ending = new AbortController()
    const reports: string[] = []
    const servers: Channel<ServerMessage>[] = []
    let isReachable = false
    const connect = async () => {
      if (!isReachable) throw new Error('connect ECONNREFUSED')
      const [server, channel] = channelPair<ServerMessage, WorkerMessage>()
      servers.push(server)
      server.onMessage(() =>
        server.send({
          type: 'welcome',
          protocol: PROTOCOL_VERSION,
          workerId: 'w1',
          session: 's',
          heartbeatMs: 0,
          leases: [],
        }),
      )
      return channel
    }
    const ended = runWorker({
      connect,
      reconnectMs: 300_000,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: ending.signal,
      onConnection: (event, detail) => reports.push(`${event}: ${detail}`),
      loadTask: () => Promise.reject(new Error('no task is sent')),
    })
    await clock.pass(60_000)
    assert.deepEqual(reports, ['lost: connect ECONNREFUSED'])
    isReachable = true
    await clock.pass(10_000)
    isReachable = false
    servers[0]?.close()
    await clock.pass(60_000)
    assert.deepEqual(reports.slice(1), ['welcome: w1', 'lost: the connection ended'])
    ending.abort()
    await settle()
    assert.equal((await ended).blocks, 0)
  })
  it('tries again when a coordinator accepts its connection but does not answer, and gives up in the end', async () => {
    const clock = new ManualClock()
    let links = 0
    const ended = runWorker({
      connect: async () => {
        links++
        return channelPair<ServerMessage, WorkerMessage>()[1]
      },
      reconnectMs: 100_000,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: new AbortController().signal,
      loadTask: () => Promise.reject(new Error('no task is sent')),
    })
    const refused = assert.rejects(ended, {
      code: 'CONNECTION_LOST',
      message: /not be reached for 100 s: the connection ended before the coordinator answered/,
    })
    await clock.pass(29_000)
    assert.equal(links, 1)
    await clock.pass(100_000)
    await refused
    assert.equal(links, 4)
  })
  it('does not report its earlier reads again if it reconnects too late, under another name', async () => {
    const clock = new ManualClock()
    const usage = { readBytes: 100, writtenBytes: 10, peakMemory: 1000 }
    const reports: WorkerMessage[] = []
    const types: string[] = []
    const servers: Channel<ServerMessage>[] = []
    const leave = new AbortController()
    const ended = runWorker({
      connect: async () => {
        const [server, channel] = channelPair<ServerMessage, WorkerMessage>()
        servers.push(server)
        server.onMessage((message) => {
          const { type } = message as WorkerMessage
          types.push(type)
          if (type === 'usage') reports.push(message as WorkerMessage)
          if (type !== 'join') return
          const workerId = `w${servers.length}`
          server.send({
            type: 'welcome',
            protocol: PROTOCOL_VERSION,
            workerId,
            session: 's',
            heartbeatMs: 0,
            leases: [],
          })
          server.send({ type: 'task', task: { id: 'a', module: '', name: 'a', config: {}, unit: 'nm' } })
          const box = { offset: [0], shape: [1] }
          const rois = [{ read: box, write: box }]
          server.send({ type: 'lease', lease: servers.length, taskId: 'a', blocks: [servers.length], rois })
        })
        return channel
      },
      reconnectMs: 60_000,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: new AbortController().signal,
      drain: leave.signal,
      usage: () => ({ ...usage }),
      loadTask: async () => ({ process: () => undefined as never }),
    })
    await clock.pass(2000)
    usage.readBytes = 150
    servers[0]?.close()
    await clock.pass(2000)
    usage.readBytes = 170
    leave.abort()
    await settle()
    servers[1]?.close()
    assert.equal((await ended).blocks, 2)
    // Once the outcomes have arrived, the run may be over.
    assert.deepEqual(types.slice(0, 4), ['join', 'task-ready', 'usage', 'outcomes'])
    const last = reports.at(-1)
    assert.deepEqual(last, { type: 'usage', readBytes: 20, writtenBytes: 0, peakMemory: 1000 })
  })

  it('reports short blocks while a long one of the same lease is running', async () => {
    const clock = new ManualClock()
    const reports: WorkerMessage[] = []
    const box = { offset: [0], shape: [1] }
    const endLong = Promise.withResolvers<undefined>()
    const leave = new AbortController()
    const [server, channel] = channelPair<ServerMessage, WorkerMessage>()
    server.onMessage((message) => {
      const { type } = message as WorkerMessage
      if (type === 'outcomes') reports.push(message as WorkerMessage)
      if (type !== 'join') return
      const welcome = { protocol: PROTOCOL_VERSION, workerId: 'w1', session: 's', heartbeatMs: 0, leases: [] }
      server.send({ type: 'welcome', ...welcome })
      server.send({ type: 'task', task: { id: 'a', module: '', name: 'a', config: {}, unit: 'nm' } })
      const rois = Array.from({ length: 3 }, () => ({ read: box, write: box }))
      server.send({ type: 'lease', lease: 1, taskId: 'a', blocks: [0, 1, 2], rois })
    })
    const ended = runWorker({
      connect: async () => channel,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: new AbortController().signal,
      drain: leave.signal,
      loadTask: async () => ({ process: ({ index }) => (index === 2 ? endLong.promise : (undefined as never)) }),
    })
    await clock.pass(1000)
    const done = { status: 'done', ms: 0 }
    assert.deepEqual(reports, [{ type: 'outcomes', lease: 1, outcomes: [done, done] }])
    endLong.resolve(undefined)
    await settle()
    assert.deepEqual(reports.slice(1), [{ type: 'outcomes', lease: 1, outcomes: [{ status: 'done', ms: 1000 }] }])
    leave.abort()
    await settle()
    assert.equal((await ended).blocks, 3)
  })

  it('sets a task up again if it is described in another way, and not if it is only described again', async () => {
    const clock = new ManualClock()
    const leave = new AbortController()
    const box = { offset: [0], shape: [1] }
    const rois = [{ read: box, write: box }]
    const [server, channel] = channelPair<ServerMessage, WorkerMessage>()
    const loaded: unknown[] = []
    const did: unknown[] = []
    const give = (lease: number, id: string) => {
      const owns = { id, outputs: ['a.zarr'] }
      server.send({ type: 'task', task: { id: 'a', module: '', name: 'a', config: {}, unit: 'nm', owns } })
      server.send({ type: 'lease', lease, taskId: 'a', blocks: [lease], rois })
    }
    server.onMessage((message) => {
      if ((message as WorkerMessage).type !== 'join') return
      const welcome = { protocol: PROTOCOL_VERSION, workerId: 'w1', session: 's', heartbeatMs: 0, leases: [] }
      server.send({ type: 'welcome', ...welcome })
      give(1, 'first')
      give(2, 'first')
    })
    const ended = runWorker({
      connect: async () => channel,
      clock,
      pid: 1,
      host: 'test',
      breathe: async () => {},
      signal: new AbortController().signal,
      drain: leave.signal,
      loadTask: async ({ owns }) => {
        loaded.push(owns?.id)
        return { process: () => void did.push(owns?.id) as never }
      },
    })
    await clock.pass(1000)
    give(3, 'second')
    await clock.pass(1000)
    assert.deepEqual(loaded, ['first', 'second'])
    assert.deepEqual(did, ['first', 'first', 'second'])
    leave.abort()
    await settle()
    await ended
  })
})
