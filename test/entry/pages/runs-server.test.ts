// Needs a build: it serves the built pages.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RunsList } from '../../../src/core/board/runs-list.ts'
import { startRunsServer } from '../../../src/entry/pages/runs-server.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { reportRun } from '../../support/reported-run.ts'

describe('the server of the page of all runs', () => {
  it('lists the runs of a folder, and serves the page of each below it', async () => {
    using folder = temporaryFolder()
    using first = reportRun(join(folder.path, 'first+second-1a2b3c4d'), [{ shape: [10] }])
    first.done([0, 1])
    const counts = { total: 10, pending: 8, ready: 0, processing: 0, completed: 2, skipped: 0, failed: 0, orphaned: 0 }
    const live = { time: new Date().toISOString(), seconds: 75, earlierSeconds: 60, busyWorkers: 0, ok: false }
    const file = join(folder.path, 'first+second-1a2b3c4d', 'live.json')
    writeFileSync(file, JSON.stringify({ ...live, tasks: [{ id: 'a', ...counts }] }))
    using _ = reportRun(join(folder.path, 'other-1a2b3c4d'), [{ id: 'b', shape: [4, 4] }])
    await using server = await startRunsServer(folder.path, { onError: assert.ifError })
    const { address } = server
    const { runs } = (await (await fetch(`${address}runs.json`)).json()) as RunsList
    assert.deepEqual(runs.map(({ run, title, total }) => [run, title, total]).sort(), [
      ['first+second-1a2b3c4d', 'a', 10],
      ['other-1a2b3c4d', 'b', 16],
    ])
    assert.deepEqual(runs.map(({ seconds }) => seconds).sort(), [135, undefined])
    const page = `${address}runs/${encodeURIComponent('first+second-1a2b3c4d')}`
    const moved = await fetch(page, { redirect: 'manual' })
    assert.deepEqual([moved.status, moved.headers.get('location')], [308, `${new URL(page).pathname}/`])
    assert.match(await (await fetch(`${page}/`)).text(), /<body class="dashboard">/)
    const description = (await (await fetch(`${page}/run.json`)).json()) as { readonly run: string }
    assert.equal(description.run, 'first+second-1a2b3c4d')
  })

  it('serves nothing without the token, nothing of other folders, and changes nothing', async () => {
    using folder = temporaryFolder()
    using _ = reportRun(join(folder.path, 'runs', 'a-1'), [{ shape: [10] }])
    using __ = reportRun(join(folder.path, 'elsewhere'), [{ shape: [10] }])
    await using server = await startRunsServer(join(folder.path, 'runs'), { onError: assert.ifError })
    const { address, port } = server
    for (const path of ['', 'runs.json', 'runs/a-1/', 'runs/a-1/run.json']) {
      assert.equal((await fetch(`http://127.0.0.1:${port}/${'x'.repeat(24)}/${path}`)).status, 403, path)
    }
    for (const path of ['runs/elsewhere/', 'runs/none/run.json', 'runs/a-1/run.json/', 'other/a-1/']) {
      assert.equal((await fetch(address + path)).status, 404, path)
    }
    assert.equal((await fetch(`${address}runs/a-1/control/stop`, { method: 'POST', body: '{}' })).status, 405)
  })
})
