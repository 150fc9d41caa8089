import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { hasEnded, identityOfProcess, isEnding } from '../../../src/adapters/files/process-identity.ts'
import { until } from '../../support/processes.ts'
import { pythonOrSkip } from '../../support/python.ts'

/** The number of the call that ends one thread alone. */
const SYS_EXIT = process.arch === 'x64' ? 60 : 93

describe('the identity of a process', () => {
  const here = identityOfProcess()

  it('is the same for every part of it, and that of no other process', async () => {
    assert.deepEqual(identityOfProcess(), here)
    const url = new URL('../../../src/adapters/files/process-identity.ts', import.meta.url)
    const script = `import { identityOfProcess } from '${url}'; console.log(JSON.stringify(identityOfProcess()))`
    const child = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
    )
    assert.equal(child.machine, here.machine)
    assert.notEqual(child.pid, here.pid)
    assert.ok(await hasEnded(child))
  })

  it('shows that a process has ended even if its id was given to another one', async () => {
    assert.ok(!(await hasEnded(here)))
    assert.ok(await hasEnded({ ...here, processStart: '1' }))
  })

  it('says nothing about a process of another machine, even one of the same name, or of one that does not say which', async () => {
    const dead = { pid: 2 ** 30, processStart: '1' }
    assert.ok(await hasEnded({ ...here, ...dead }))
    assert.ok(!(await hasEnded({ ...here, ...dead, machine: 'another boot' })))
    assert.ok(!(await hasEnded({ host: here.host, ...dead })))
  })

  it('shows that a process is ending if it ends with a parent that has ended, and waits until it has ended', async () => {
    const orphan = spawn(process.execPath, ['-e', 'process.stdin.resume()'], { stdio: ['pipe', 'ignore', 'inherit'] })
    const pid = orphan.pid as number
    assert.ok(!isEnding({ pid, parent: here }))
    const parent = { pid: process.pid, processStart: '1' }
    assert.ok(isEnding({ pid, parent }))
    const ended = hasEnded({ machine: here.machine, pid, parent })
    assert.equal(await Promise.race([ended, delay(100, 'waits')]), 'waits')
    orphan.stdin.end()
    assert.equal(await ended, true)
  })

  it('shows that a process whose first thread has ended is still running, and waits until it has ended', {
    skip: process.platform !== 'linux',
  }, async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const body = `import ctypes, os, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
fields = open("/proc/self/stat").read().rsplit(") ", 1)[1].split()
os.write(1, fields[19].encode())
ctypes.CDLL(None).syscall(ctypes.c_long(${SYS_EXIT}), ctypes.c_long(0))`
    const child = spawn(python, ['-c', body], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [processStart] = await once(child.stdout, 'data')
    const pid = child.pid as number
    await until('its first thread has ended', () => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
    assert.ok(isEnding({ pid }))
    assert.ok(!isEnding(here))
    const ended = hasEnded({ ...here, pid, processStart: String(processStart) })
    assert.equal(await Promise.race([ended, delay(100, 'waits')]), 'waits')
    process.kill(pid, 'SIGKILL')
    assert.equal(await ended, true)
  })
})
