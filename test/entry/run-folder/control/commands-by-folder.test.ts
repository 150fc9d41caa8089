import assert from 'node:assert/strict'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ControlCommand } from '../../../../src/core/control/commands.ts'
import { ConfigError } from '../../../../src/core/errors.ts'
import { receiveCommands } from '../../../../src/entry/run-folder/control/command-receiver.ts'
import { sendCommand } from '../../../../src/entry/run-folder/control/send-command.ts'
import { holdRunFolder } from '../../../../src/entry/run-folder/run-folder.ts'
import { temporaryFolder } from '../../../support/command-line.ts'
import { until } from '../../../support/processes.ts'

const STOP: ControlCommand = { type: 'stop', now: false }
const document = { created: '', directory: process.cwd(), command: ['bellis', 'demo'], progress: 'none', tasks: [] }

/** A run's folder that is held, as by a running run. */
function heldRun() {
  const home = temporaryFolder()
  const path = join(home.path, 'run-1')
  const held = holdRunFolder(path, document)
  return {
    path,
    control: join(path, 'control'),
    end: () => held[Symbol.dispose](),
    [Symbol.dispose]() {
      held[Symbol.dispose]()
      home[Symbol.dispose]()
    },
  }
}

const fail = (message: string) => assert.fail(message)

describe('commands by the folder of a run', () => {
  it('reach the run, once each, and are answered', async () => {
    using run = heldRun()
    const seen: ControlCommand[] = []
    using _receiver = receiveCommands(
      run.path,
      async (command) => {
        seen.push(command)
        return { type: 'stopping', now: command.type === 'stop' && command.now }
      },
      fail,
    )
    const answers = await Promise.all([sendCommand(run.path, STOP), sendCommand(run.path, { type: 'stop', now: true })])
    assert.deepEqual(answers, [
      { type: 'stopping', now: false },
      { type: 'stopping', now: true },
    ])
    assert.equal(seen.length, 2)
    assert.deepEqual(readdirSync(run.control), [])
  })

  it('are refused with the words of the run', async () => {
    using run = heldRun()
    const refuse = async () => {
      throw new ConfigError('UNSUPPORTED', 'not like this')
    }
    using _receiver = receiveCommands(run.path, refuse, fail)
    await assert.rejects(sendCommand(run.path, STOP), {
      name: 'ConfigError',
      code: 'UNSUPPORTED',
      message: 'not like this',
    })
  })

  it('need a run that is running; otherwise the error says what to do', async () => {
    using run = heldRun()
    using receiver = receiveCommands(run.path, async () => ({ type: 'stopping', now: false }), fail)
    receiver[Symbol.dispose]()
    assert.equal(existsSync(run.control), false)
    run.end()
    await assert.rejects(sendCommand(run.path, STOP), {
      code: 'NOT_RUNNING',
      message: /^run-1 is not running; there is nothing to stop/,
    })
  })

  it('are withdrawn if the run does not take them in time, and never reach it later', async () => {
    using run = heldRun()
    mkdirSync(run.control)
    await assert.rejects(sendCommand(run.path, STOP, { takeMs: 30 }), {
      code: 'CONNECTION_LOST',
      message: /nothing was changed/,
    })
    assert.deepEqual(readdirSync(run.control), [])
  })

  it('fail if the run ends before it answers', async () => {
    using run = heldRun()
    using _receiver = receiveCommands(
      run.path,
      () => {
        run.end()
        return new Promise(() => {})
      },
      fail,
    )
    await assert.rejects(sendCommand(run.path, STOP), { code: 'NOT_RUNNING', message: /ended before it answered/ })
  })

  it('of an earlier start are not carried out by the next', async () => {
    using run = heldRun()
    mkdirSync(run.control)
    writeFileSync(join(run.control, 'old.request'), JSON.stringify(STOP))
    let count = 0
    using _receiver = receiveCommands(
      run.path,
      async () => {
        count++
        return { type: 'stopping', now: false }
      },
      fail,
    )
    await sendCommand(run.path, STOP)
    assert.equal(count, 1)
  })

  it('can be sent by the user of the run alone', {
    skip: process.getuid?.() !== 0 && 'only root can make files of other users',
  }, async () => {
    using run = heldRun()
    const seen: ControlCommand[] = []
    using _receiver = receiveCommands(
      run.path,
      async (command) => {
        seen.push(command)
        return { type: 'stopping', now: false }
      },
      fail,
    )
    assert.equal(statSync(run.control).mode & 0o777, 0o700)
    const put = (name: string, prepare: (path: string) => void) => {
      const temporary = join(run.path, name)
      prepare(temporary)
      renameSync(temporary, join(run.control, `${name}.request`))
      return join(run.control, `${name}.request`)
    }
    const foreign = put('foreign', (path) => {
      writeFileSync(path, JSON.stringify(STOP))
      chownSync(path, 12_345, 12_345)
    })
    writeFileSync(join(run.path, 'own'), JSON.stringify(STOP))
    put('link', (path) => symlinkSync(join(run.path, 'own'), path))
    const large = put('large', (path) => writeFileSync(path, `${JSON.stringify(STOP)}${' '.repeat(70_000)}`))
    await until('the files of others are removed', () => !existsSync(foreign) && !existsSync(large))
    await sendCommand(run.path, STOP)
    assert.equal(seen.length, 1)
  })
})
