import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ControlCommand } from '../../../src/core/control/commands.ts'
import { ConfigError } from '../../../src/core/errors.ts'
import type { ControlEvent } from '../../../src/core/events.ts'
import { startDashboard } from '../../../src/entry/pages/dashboard-server.ts'
import { receiveCommands } from '../../../src/entry/run-folder/control/command-receiver.ts'
import { holdRunFolder } from '../../../src/entry/run-folder/run-folder.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const block = { offset: [0], shape: [1] }
const grid = { totalRoi: { offset: [0], shape: [20] }, readRoi: block, writeRoi: block }
const document = {
  created: '',
  directory: process.cwd(),
  command: ['bellis', 'demo'],
  progress: 'none',
  tasks: [{ id: 'a', after: [], blocks: 20, unit: 'nm' as const, grid }],
}

/** The page of a running run that records its commands. */
async function openPage(control: boolean) {
  const home = temporaryFolder()
  const path = join(home.path, 'run-1')
  mkdirSync(home.path, { recursive: true })
  const held = holdRunFolder(path, document)
  const seen: ControlCommand[] = []
  const carryOut = async (command: ControlCommand): Promise<ControlEvent> => {
    seen.push(command)
    if (command.type !== 'scale') return { type: 'stopping', now: false }
    if (command.workers === 7) throw new ConfigError('UNSUPPORTED', 'not seven')
    return { type: 'scaled', workers: command.workers, before: 1 }
  }
  const receiver = receiveCommands(path, carryOut, assert.fail)
  const dashboard = await startDashboard(path, { isOwn: true, control })
  const { origin, pathname } = new URL(dashboard.address)
  const post = async (action: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${dashboard.address}control/${action}`, {
      method: 'POST',
      headers: {
        Origin: origin,
        'X-Bellis-Token': pathname.slice(1, -1),
        'Content-Type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(body),
    })
    return { status: response.status, ...((await response.json()) as { text?: string; error?: string }) }
  }
  const end = () => {
    receiver[Symbol.dispose]()
    held[Symbol.dispose]()
  }
  return {
    dashboard,
    seen,
    post,
    end,
    async [Symbol.asyncDispose]() {
      await dashboard[Symbol.asyncDispose]()
      end()
      home[Symbol.dispose]()
    },
  }
}

async function summaryOf(address: string): Promise<{ readonly control?: boolean }> {
  const leave = new AbortController()
  const { body } = await fetch(`${address}events`, { signal: leave.signal })
  let text = ''
  let summary: { readonly control?: boolean } | undefined
  for await (const part of body ?? []) {
    text += Buffer.from(part as Uint8Array).toString('utf8')
    const [, data] = /event: summary\ndata: (.*)\n\n/.exec(text) ?? []
    if (data === undefined) continue
    summary = JSON.parse(data)
    break
  }
  leave.abort()
  assert.ok(summary)
  return summary
}

describe('the page of a run with --dashboard-control', () => {
  it('has the run carry out what it is asked, and says what happened', async () => {
    await using page = await openPage(true)
    assert.equal((await summaryOf(page.dashboard.address)).control, true)
    assert.deepEqual(await page.post('workers', { workers: 4 }), { status: 200, text: '4 workers instead of 1.' })
    assert.deepEqual(await page.post('stop', {}), { status: 200, text: 'Stopping: running blocks may finish.' })
    await page.post('retry', { task: 'a' })
    await page.post('retry', {})
    await page.post('reset', { roi: '4:2' })
    await page.post('reset', { roi: '4:2', tasks: ['a'] })
    assert.deepEqual(page.seen, [
      { type: 'scale', workers: 4 },
      { type: 'stop', now: false },
      { type: 'retry', taskId: 'a', keepWorkers: false },
      { type: 'retry', keepWorkers: false },
      { type: 'reset', roi: '4:2', keepWorkers: false },
      { type: 'reset', roi: '4:2', tasks: ['a'], keepWorkers: false },
    ])
  })

  it('says why something is impossible', async () => {
    await using page = await openPage(true)
    assert.deepEqual(await page.post('workers', { workers: 7 }), { status: 409, error: 'not seven' })
    const wrong = await page.post('workers', { workers: 'many' })
    assert.deepEqual([wrong.status, wrong.error], [400, 'workers "many": expected a whole number from 1 to 100000.'])
    assert.equal((await page.post('workers', [])).status, 400)
    const nothing = { status: 400, error: 'Name a region (roi) or tasks to do again.' }
    assert.deepEqual(await page.post('reset', {}), nothing)
    assert.deepEqual((await page.post('reset', { roi: 4 })).error, 'roi 4: expected offset:shape in nm.')
    assert.deepEqual((await page.post('reset', { tasks: 'a' })).error, 'tasks "a": expected a list of ids of tasks.')
    assert.equal((await page.post('explode', {})).status, 404)
    assert.equal((await page.post('stop/now', {})).status, 404)
    assert.equal((await page.post('stop', {}, { 'X-Bellis-Token': 'wrong' })).status, 403)
    page.end()
    const ended = await page.post('stop', {})
    assert.equal(ended.status, 409)
    assert.match(ended.error ?? '', /^run-1 is not running; /)
    assert.deepEqual(page.seen, [{ type: 'scale', workers: 7 }])
  })
})

describe('the page of a run without --dashboard-control', () => {
  it('changes nothing, and says so', async () => {
    await using page = await openPage(false)
    assert.equal((await summaryOf(page.dashboard.address)).control, undefined)
    for (const [action, body] of [
      ['stop', {}],
      ['workers', { workers: 4 }],
      ['retry', { task: 'a' }],
      ['reset', { offset: [0], shape: [1] }],
    ] as const) {
      const { status, error } = await page.post(action, body)
      assert.equal(status, 403)
      assert.match(error ?? '', /start the run with --dashboard-control/)
    }
    assert.deepEqual(page.seen, [])
  })
})
