import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { takeLockFile } from '../../../src/adapters/zarr/lock-file.ts'
import { type LockHolder, STALE_MS } from '../../../src/adapters/zarr/lock-holder.ts'
import type { LockFile } from '../../../src/adapters/zarr/taken-lock.ts'
import { temporaryFolder } from '../../support/command-line.ts'

const module = new URL('../../../src/adapters/zarr/lock-file.ts', import.meta.url).href

/** Another process that takes a lock, and holds it until it is killed. */
async function holderElsewhere(path: string) {
  const code = `const { takeLockFile } = await import(${JSON.stringify(module)})
    console.log((await takeLockFile(${JSON.stringify(path)}, { run: 'theirs' })).status)
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [status] = await once(child.stdout, 'data')
  assert.equal(String(status).trim(), 'taken')
  return {
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** Writes a lock as a process of another machine would. */
function lockFromAfar(path: string, ageMs: number): void {
  const holder: LockHolder = { token: 't', host: 'far', machine: 'far', pid: 1, since: '', about: {} }
  writeFileSync(path, JSON.stringify(holder))
  const time = new Date(Date.now() - ageMs)
  utimesSync(path, time, time)
}

const release = (lock: Awaited<ReturnType<typeof takeLockFile>>) => (lock as LockFile)[Symbol.asyncDispose]()

describe('the lock of a file', () => {
  it('R3: is held by one, who is named to the others, and free when it is released', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    const first = await takeLockFile(path, { run: 'mine' })
    assert.equal(first.status, 'taken')
    const second = await takeLockFile(path)
    assert.equal(second.status, 'held')
    assert.deepEqual(second.status === 'held' && [second.holder?.pid, second.holder?.about], [
      process.pid,
      { run: 'mine' },
    ])
    await release(first)
    assert.equal(existsSync(path), false)
    await release(await takeLockFile(path))
    assert.deepEqual(readdirSync(folder.path), [])
  })

  it('R3: is taken where a link or a pipe lies in its place, and nothing is written or read through that', {
    skip: process.platform === 'win32' && 'no links and pipes',
  }, async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    const elsewhere = join(folder.path, 'elsewhere')
    writeFileSync(elsewhere, 'theirs')
    for (const place of [
      () => symlinkSync(join(folder.path, 'nowhere'), path),
      () => symlinkSync(elsewhere, path),
      () => symlinkSync('/dev/zero', path),
      () => execFileSync('mkfifo', [path]),
    ]) {
      place()
      await release(await takeLockFile(path))
      assert.deepEqual(readdirSync(folder.path), ['elsewhere'])
    }
    assert.equal(readFileSync(elsewhere, 'utf8'), 'theirs')
  })

  it('R3: is taken by one of many at a time', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    lockFromAfar(path, STALE_MS + 5000)
    const all = await Promise.all(Array.from({ length: 20 }, () => takeLockFile(path)))
    assert.equal(all.filter(({ status }) => status === 'taken').length, 1)
    for (const lock of all) if (lock.status === 'taken') await release(lock)
    assert.deepEqual(readdirSync(folder.path), [])
  })

  it('R3: is taken over after another process was killed while it took it over', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    lockFromAfar(path, STALE_MS + 5000)
    const claim = join(folder.path, `.tmp-lock-${createHash('sha256').update('lock t').digest('hex').slice(0, 32)}`)
    const other = await holderElsewhere(claim)
    assert.equal((await takeLockFile(path)).status, 'held')
    await other.kill()
    await release(await takeLockFile(path))
    assert.deepEqual(readdirSync(folder.path), [])
  })

  it('R3: is taken over from a process of this machine as soon as it has been killed, and not before', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    const holder = await holderElsewhere(path)
    assert.equal((await takeLockFile(path)).status, 'held')
    await holder.kill()
    assert.ok(existsSync(path))
    const lock = await takeLockFile(path)
    assert.equal(lock.status, 'taken')
    await release(lock)
  })

  it('R3: is not kept by another process that has got the number of a dead one', async (t) => {
    if (process.platform !== 'linux') return t.skip('the system does not say when a process was started')
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    await takeLockFile(path)
    const holder = JSON.parse(readFileSync(path, 'utf8')) as LockHolder
    writeFileSync(path, JSON.stringify({ ...holder, processStart: '1' }))
    const lock = await takeLockFile(path)
    assert.equal(lock.status, 'taken')
    await release(lock)
  })

  it('R3: is taken over from another machine after two minutes without a sign of life, and not before', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    lockFromAfar(path, STALE_MS - 30_000)
    assert.equal((await takeLockFile(path)).status, 'held')
    lockFromAfar(path, STALE_MS + 5000)
    await release(await takeLockFile(path))
    assert.equal(STALE_MS, 120_000)
  })

  it('R3: that was lost says so, and does not remove that of its successor', async (t) => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    t.mock.timers.enable({ apis: ['setInterval'] })
    const lock = (await takeLockFile(path)) as LockFile
    rmSync(path)
    lockFromAfar(path, 0)
    const lost = once(lock.lost, 'abort')
    t.mock.timers.tick(10_000)
    await lost
    assert.match(String(lock.lost.reason), /was taken over by process 1 on far/)
    await release(lock)
    assert.ok(existsSync(path))
  })

  it('R3: stays, and shows a sign of life every ten seconds', async (t) => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'lock')
    t.mock.timers.enable({ apis: ['setInterval'] })
    const lock = await takeLockFile(path)
    const before = readFileSync(path, 'utf8')
    const past = new Date(Date.now() - 60_000)
    utimesSync(path, past, past)
    t.mock.timers.tick(10_000)
    const { statSync } = await import('node:fs')
    while (statSync(path).mtimeMs < Date.now() - 30_000) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(readFileSync(path, 'utf8'), before)
    await release(lock)
  })
})
