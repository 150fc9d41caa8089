// Needs a build: it serves the built pages.

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../src/core/events.ts'
import { ownCommand } from '../../../src/entry/own-command.ts'
import { type Dashboard, startDashboard } from '../../../src/entry/pages/dashboard-server.ts'
import { DashboardVolumes } from '../../../src/entry/pages/dashboard-volumes.ts'
import { keepHistory } from '../../../src/entry/run-folder/history/history-writer.ts'
import { RunFollower } from '../../../src/entry/run-folder/history/run-follower.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { blockFailed } from '../../support/reported-run.ts'

const block = { offset: [0], shape: [1] }
const grid = { totalRoi: { offset: [0], shape: [20] }, readRoi: block, writeRoi: block }

/** The folder of a run, with a worker that has a log and one whose log has a path outside. */
function makeRun(folder: string, more: readonly RunEvent[] = []): string {
  const run = join(folder, 'run')
  mkdirSync(join(run, 'logs'), { recursive: true })
  const task = { id: 'a', after: [], blocks: 20, unit: 'nm', grid }
  writeFileSync(
    join(run, 'run.json'),
    JSON.stringify({ created: '', directory: folder, progress: 'none', tasks: [task] }),
  )
  writeFileSync(join(run, 'logs', 'w1.log'), 'a line of w1')
  writeFileSync(join(folder, 'secret'), 'a secret')
  symlinkSync(join(folder, 'secret'), join(run, 'logs', 'secret'))
  const events = new EventStream()
  using _ = keepHistory(run, events, { tasks: [task], overwrite: false, doneOf: () => undefined })
  const started = { type: 'worker-started', pid: 1, host: 'here' } as const
  events.emit({ ...started, workerId: 'w1', logFile: 'run/logs/w1.log' })
  events.emit({ ...started, workerId: 'w2', logFile: join(folder, 'secret') })
  events.emit({ ...started, workerId: 'w3', logFile: 'run/run.json' })
  events.emit({ type: 'blocks-leased', taskId: 'a', indices: [3], workerId: 'w1' })
  events.emit({ type: 'blocks-done', taskId: 'a', indices: [3], ms: [7], workerId: 'w1' })
  for (const event of more) events.emit(event)
  return run
}

/** The first summary among its events; by then it has read the history. */
async function firstSummary({ address }: Dashboard): Promise<string> {
  const leave = new AbortController()
  const { body } = await fetch(`${address}events`, { signal: leave.signal })
  let text = ''
  for await (const part of body ?? []) {
    text += Buffer.from(part as Uint8Array).toString('utf8')
    if (/event: summary\ndata: .*\n\n/.test(text)) break
  }
  leave.abort()
  return text
}

describe('the server of a run’s page', () => {
  it('describes a block, and returns a worker’s log, or a part of it', async () => {
    using folder = temporaryFolder()
    await using dashboard = await startDashboard(makeRun(folder.path), { isOwn: true })
    const { address } = dashboard
    assert.match(
      await firstSummary(dashboard),
      /event: begin\ndata: \{"version":"[\da-f]{16}"\}\n\nevent: states\ndata: 0:/,
    )
    assert.deepEqual(await (await fetch(`${address}blocks/0/3.json`)).json(), { workerId: 'w1', ms: 7 })
    assert.deepEqual(await (await fetch(`${address}blocks/0/4.json`)).json(), {})
    assert.equal(await (await fetch(`${address}logs/w1.txt`)).text(), 'a line of w1')
    const part = await fetch(`${address}logs/w1.txt`, { headers: { Range: 'bytes=2-5' } })
    assert.deepEqual([part.status, await part.text()], [206, 'line'])
    // There is no record, so no attempts are known.
    assert.deepEqual(await (await fetch(`${address}attempts/0/3.json`)).json(), [])
  })

  it('returns no log to which, or to whose folder, a link leads: it could be any file', async () => {
    using folder = temporaryFolder()
    const run = makeRun(folder.path)
    await using dashboard = await startDashboard(run, { isOwn: true })
    await firstSummary(dashboard)
    const log = async () => (await fetch(`${dashboard.address}logs/w1.txt`)).status
    const logs = join(run, 'logs')
    assert.equal(await log(), 200)
    for (const target of [join(folder.path, 'moved'), join(run, 'moved')]) {
      renameSync(logs, target)
      symlinkSync(target, logs)
      assert.equal(await log(), 404, target)
      renameSync(logs, `${target}-link`)
      renameSync(target, logs)
    }
    renameSync(join(logs, 'w1.log'), join(run, 'w1.log'))
    symlinkSync('../w1.log', join(logs, 'w1.log'))
    assert.equal(await log(), 404)
  })

  it('returns nothing without the token and nothing from outside the folder, and changes nothing', async () => {
    using folder = temporaryFolder()
    await using dashboard = await startDashboard(makeRun(folder.path), { isOwn: true })
    const { address, port } = dashboard
    await firstSummary(dashboard)
    for (const path of ['run.json', 'events', 'logs/w1.txt', 'view.json', '']) {
      const { status } = await fetch(`http://127.0.0.1:${port}/${'x'.repeat(24)}/${path}`)
      assert.equal(status, 403, path)
    }
    const outside = [
      'logs/w2.txt',
      'logs/w3.txt',
      'logs/secret.txt',
      'logs/w1.log',
      'logs/%2e%2e%2frun.json',
      'run.json/x',
    ]
    const nothing = [
      'blocks/0/20.json',
      'attempts/0/20.json',
      'attempts/1/0.json',
      'blocks/0/-1.json',
      'blocks/1/0.json',
      'blocks/0/1e3.json',
      'data/0/x',
      'states/0/0.0',
    ]
    for (const path of [...outside, ...nothing, 'dashboard.json', 'holder.json', 'context']) {
      const response = await fetch(address + path)
      assert.equal(response.status, 404, path)
      assert.doesNotMatch(await response.text(), /secret/)
    }
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      assert.equal((await fetch(`${address}events`, { method })).status, 405)
    }
    assert.equal((await fetch(`${address}events`, { method: 'POST' })).status, 403)
  })

  it('returns a command that shows the page again from any folder', async () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'my runs'))
    const run = makeRun(join(folder.path, 'my runs'))
    await using dashboard = await startDashboard(relative('.', run), { isOwn: true })
    const { command } = (await (await fetch(`${dashboard.address}run.json`)).json()) as { command: string }
    assert.equal(command, ownCommand('status', run, '--dashboard'))
  })

  it('inspects the volumes again when the run is done, since their contrast has changed', async () => {
    using folder = temporaryFolder()
    const run = makeRun(folder.path)
    using follower = new RunFollower(run, { isOwn: true })
    await using volumes = new DashboardVolumes(follower, assert.ifError)
    await follower.catchUp()
    for (let index = 0; index < 19; index++) follower.picture.board.complete(0, index, false)
    follower.picture.board.lease(0, 19)
    const before = volumes.version()
    follower.picture.board.complete(0, 19, false)
    assert.notEqual(volumes.version(), before)
  })

  it('shortens a long error in lists, and returns all of it with its block', async () => {
    using folder = temporaryFolder()
    const message = 'no such neuron '.repeat(3000)
    const run = makeRun(folder.path, [blockFailed(5, message)])
    await using dashboard = await startDashboard(run, { isOwn: true })
    const summary = await firstSummary(dashboard)
    assert.match(summary, /no such neuron/)
    assert.ok(summary.length < 5000, `${summary.length} characters`)
    const block = (await (await fetch(`${dashboard.address}blocks/0/5.json`)).json()) as { error: string }
    assert.equal(block.error, message)
  })

  it('has another token at every start, at the same port, and keeps its address where only its user can read it', async () => {
    using folder = temporaryFolder()
    const run = makeRun(folder.path)
    const saved = () => JSON.parse(readFileSync(join(run, 'dashboard.json'), 'utf8'))
    const first = await startDashboard(run, { isOwn: true })
    assert.equal(first.file, join(run, 'dashboard.json'))
    assert.equal(statSync(first.file).mode & 0o777, 0o600)
    assert.deepEqual(saved(), { port: first.port, address: first.address })
    await first[Symbol.asyncDispose]()
    assert.deepEqual(saved(), { port: first.port })
    assert.equal(statSync(first.file).mode & 0o777, 0o600)
    await using again = await startDashboard(run, { isOwn: true })
    assert.equal(again.port, first.port)
    assert.notEqual(again.address, first.address)
    assert.equal((await fetch(first.address)).status, 403)
    assert.equal((await fetch(again.address)).status, 200)
  })

  it('leaves the address of the run’s own page alone if it is served by another process', async () => {
    using folder = temporaryFolder()
    const run = makeRun(folder.path)
    await using own = await startDashboard(run, { isOwn: true })
    const kept = readFileSync(join(run, 'dashboard.json'), 'utf8')
    await using beside = await startDashboard(run)
    assert.notEqual(beside.port, own.port)
    assert.equal(beside.file, undefined)
    assert.equal(readFileSync(join(run, 'dashboard.json'), 'utf8'), kept)
  })

  it('does not trust a file that another user put where it writes its address first', async () => {
    using folder = temporaryFolder()
    const run = makeRun(folder.path)
    const trap = join(run, `dashboard.json.${process.pid}`)
    writeFileSync(trap, '', { mode: 0o666 })
    chmodSync(trap, 0o666)
    await using dashboard = await startDashboard(run, { isOwn: true })
    assert.equal(statSync(dashboard.file ?? '').mode & 0o777, 0o600)
  })
})
