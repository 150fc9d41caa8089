import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { hasEnded, identityOfProcess } from '../../../src/adapters/files/process-identity.ts'

describe('the identity of a process', () => {
  const here = identityOfProcess()

  it('is the same for every part of it, and that of no other process', () => {
    assert.deepEqual(identityOfProcess(), here)
    const url = new URL('../../../src/adapters/files/process-identity.ts', import.meta.url)
    const script = `import { identityOfProcess } from '${url}'; console.log(JSON.stringify(identityOfProcess()))`
    const child = JSON.parse(
      execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
    )
    assert.equal(child.machine, here.machine)
    assert.notEqual(child.pid, here.pid)
    assert.ok(hasEnded(child))
  })

  it('shows that a process has ended even if its id was given to another one', () => {
    assert.ok(!hasEnded(here))
    assert.ok(hasEnded({ ...here, processStart: '1' }))
  })

  it('says nothing about a process of another machine, even one of the same name, or of one that does not say which', () => {
    const dead = { pid: 2 ** 30, processStart: '1' }
    assert.ok(hasEnded({ ...here, ...dead }))
    assert.ok(!hasEnded({ ...here, ...dead, machine: 'another boot' }))
    assert.ok(!hasEnded({ host: here.host, ...dead }))
  })
})
