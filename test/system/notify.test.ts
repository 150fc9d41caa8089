import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { bellis, type CommandResult, type RunningCommand, temporaryFolder } from '../support/command-line.ts'
import { until } from '../support/processes.ts'
import { runsIn } from '../support/recorded-runs.ts'

/** Four blocks; block 2 fails or waits for a file if it is told to. */
const MODULE = `
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { defineTask, roi, z } from 'bellis'
const block = { readRoi: roi([0], [1]), writeRoi: roi([0], [1]), readWriteConflict: false }
export default defineTask({
  name: 'count', config: z.object({ does: z.enum(['end', 'fail', 'wait', 'break']).default('end') }),
  plan: () => ({ totalRoi: roi([0], [4]), ...block }),
  setup: ({ does }) => async ({ index }) => {
    if (index === 2 && does === 'fail') throw new Error('no such neuron')
    if (index === 2 && does === 'wait') while (!existsSync('go')) await setTimeout(10)
  },
})`

interface Notice {
  readonly text: string
  readonly event: string
  readonly [field: string]: unknown
}

/** A server of notices. @param statuses of its answers; the last one from then on */
async function receiver(...statuses: readonly number[]) {
  const notices: Notice[] = []
  const requests: { path: string; type: string | undefined }[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request.setEncoding('utf8')) text += part
    requests.push({ path: `${request.method} ${request.url}`, type: request.headers['content-type'] })
    const status = statuses[requests.length - 1] ?? statuses.at(-1) ?? 200
    if (status === 200) notices.push(JSON.parse(text))
    response.writeHead(status).end('ok')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    ...{ notices, requests, address: `http://127.0.0.1:${port}/hook/swordfish?key=swordfish` },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Runs the task in a folder of its own. */
async function run(
  args: readonly string[],
  {
    env = {},
    meanwhile,
  }: { env?: NodeJS.ProcessEnv; meanwhile?: (child: RunningCommand, cwd: string) => Promise<void> } = {},
): Promise<CommandResult & { readonly recorded: string }> {
  using folder = temporaryFolder()
  const { path: cwd } = folder
  writeFileSync(join(cwd, 'count.ts'), MODULE)
  const result = await bellis(
    ['run', 'count.ts', '--pool', 'inline', '--workers', '1', '--max-retries', '0', '--quiet', ...args],
    { cwd, env, ...(meanwhile === undefined ? {} : { meanwhile: (child) => meanwhile(child, cwd) }) },
  )
  const home = join(cwd, '.bellis', runsIn(cwd)[0] as string)
  const recorded = ['run.json', 'provenance.json'].map((name) => readFileSync(join(home, name), 'utf8')).join('')
  return { ...result, recorded }
}

describe('--notify', () => {
  it('posts JSON with a text when the run is done, and neither prints nor records the address', async () => {
    await using hook = await receiver()
    const { code, stderr, stdout, recorded } = await run(['--notify', hook.address])
    assert.equal(code, 0, stderr)
    const [{ text, event, ...notice } = assert.fail('no notice'), ...others] = hook.notices
    assert.deepEqual(others, [])
    assert.deepEqual(hook.requests, [{ path: 'POST /hook/swordfish?key=swordfish', type: 'application/json' }])
    assert.match(text, /^✔ count-\w+ on \S+ is done: 4 of 4 blocks in [\d.]+ m?s\.$/)
    assert.deepEqual([event, notice.tasks], ['done', [{ id: 'count', total: 4, completed: 4, failed: 0, orphaned: 0 }]])
    assert.match(String(notice.command), /^bellis run count\.ts .*--quiet$/)
    assert.doesNotMatch(JSON.stringify(notice) + stderr + stdout + recorded, /swordfish|--notify/)
  })

  it('says what failed first, and how to continue; the address may come from the environment', async () => {
    await using hook = await receiver()
    const { code } = await run(['--does', 'fail'], { env: { BELLIS_NOTIFY: hook.address } })
    assert.equal(code, 1)
    const [notice] = hook.notices
    assert.match(notice?.text ?? '', /has failed after .*: 3 of 4 blocks, 1 failed; count\/2: no such neuron$/)
    assert.equal(notice?.event, 'failed')
    assert.match(String(notice?.continueWith), /bellis run count\.ts/)
  })

  it('tells of a stall, and then of the stop', async () => {
    await using hook = await receiver()
    const { code } = await run(['--does', 'wait', '--notify', hook.address, '--notify-stall', '0.5'], {
      async meanwhile({ pid }, cwd) {
        await until('the stall is told', () => hook.notices.length === 1)
        process.kill(pid, 'SIGINT')
        writeFileSync(join(cwd, 'go'), '')
      },
    })
    assert.equal(code, 130)
    const [stall, stop] = hook.notices
    assert.match(
      stall?.text ?? '',
      /^⚠ .* has stalled: no block has finished for .*; 2 of 4 blocks, 1 worker is busy\.$/,
    )
    assert.deepEqual([stall?.event, stop?.event], ['stalled', 'stopped'])
    assert.match(stop?.text ?? '', /was stopped after .*: \d of 4 blocks\.$/)
  })

  it('tells of a stop at once, too, and the time of the run goes on until then', async () => {
    await using hook = await receiver()
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const { code, stderr, before } = await stoppedAtOnce(cwd, ['--notify', hook.address])
    assert.equal(code, 130, stderr)
    const [{ text = '', event, ...notice } = assert.fail('no notice'), ...more] = hook.notices
    assert.match(text, /^■ count-\w+ on \S+ was stopped at once after .*: 2 of 4 blocks\.$/)
    assert.deepEqual([event, more], ['stopped', []])
    assert.match(
      String(notice.continueWith),
      /^bellis run count\.ts .* {2}# set BELLIS_NOTIFY again, which is not kept$/,
    )
    const live = readLive(cwd)
    const passed = (Date.parse(live.time) - Date.parse(before.time)) / 1000
    assert.ok(passed > 0, `${before.time} to ${live.time}`)
    assert.ok(Math.abs(live.seconds - before.seconds - passed) < 0.1, `${before.seconds} + ${passed}: ${live.seconds}`)
    assert.equal(live.ok, false)
  })

  it('does not wait for a server that does not answer', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    using folder = temporaryFolder()
    const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/hook`
    const done = await stoppedAtOnce(folder.path, ['--notify', address])
    silent.close().closeAllConnections()
    assert.equal(done.code, 130, done.stderr)
  })

  it('tries three times if the server has a problem, and a run is done without a server, too', async () => {
    await using hook = await receiver(503, 429, 200)
    assert.equal((await run(['--notify', hook.address])).code, 0)
    assert.deepEqual([hook.requests.length, hook.notices.length], [3, 1])
    await using refusing = await receiver(403)
    const refused = await bellisWith(refusing.address)
    assert.match(refused.stderr, /A notice was not delivered: 127\.0\.0\.1:\d+ answered 403, after 1 try\./)
    assert.equal(refusing.requests.length, 1)
    const closed = await receiver()
    await closed[Symbol.asyncDispose]()
    const missing = await bellisWith(closed.address)
    assert.deepEqual([refused.code, missing.code], [0, 0])
    assert.match(missing.stderr, /127\.0\.0\.1:\d+ can't be reached: ECONNREFUSED, after 3 tries\./)
    assert.doesNotMatch(refused.stderr + missing.stderr, /swordfish/)
  })

  it('refuses what is no web address', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'count.ts'), MODULE)
    const wrong = await bellis(['run', 'count.ts', '--notify', 'me@host'], { cwd: folder.path })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /--notify me@host: expected an address that starts with https:\/\/ or http:\/\//)
    const env = { BELLIS_NOTIFY: 'ftp://host' }
    assert.match(
      (await bellis(['run', 'count.ts'], { cwd: folder.path, env })).stderr,
      /BELLIS_NOTIFY: expected an address/,
    )
  })
})

const readLive = (cwd: string) => {
  try {
    return JSON.parse(readFileSync(join(cwd, '.bellis', runsIn(cwd)[0] as string, 'live.json'), 'utf8'))
  } catch {
    return undefined
  }
}

/** Runs the task, and stops it by two signals while its third block waits. @returns its live state before them, too */
async function stoppedAtOnce(cwd: string, args: readonly string[]) {
  writeFileSync(join(cwd, 'count.ts'), MODULE)
  let before = { time: '', seconds: 0 }
  const done = await bellis(['run', 'count.ts', '--does', 'wait', '--workers', '1', '--quiet', ...args], {
    cwd,
    async meanwhile({ pid }) {
      await until('two blocks are done', () => readLive(cwd)?.tasks[0].completed === 2)
      before = readLive(cwd)
      // Two of a kind would be one if the process is slow.
      process.kill(pid, 'SIGINT')
      process.kill(pid, 'SIGTERM')
    },
  })
  return { ...done, before }
}

/** With warnings. */
async function bellisWith(address: string): Promise<CommandResult> {
  using folder = temporaryFolder()
  writeFileSync(join(folder.path, 'count.ts'), MODULE)
  return await bellis(['run', 'count.ts', '--pool', 'inline', '--json', '--notify', address], { cwd: folder.path })
}
