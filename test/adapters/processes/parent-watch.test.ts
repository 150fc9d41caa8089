import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { stillRunning, until } from '../../support/processes.ts'

const watch = new URL('../../../src/adapters/processes/parent-watch.ts', import.meta.url).href

/** A process that keeps itself alive after `work`. @param work a statement, which may call methods of `watch` */
const childProgram = (work: string) => `
  const { endWithParent } = await import(${JSON.stringify(watch)})
  const watch = endWithParent(Number(process.env.PARENT), 0)
  setInterval(() => {}, 1000)
  console.log(process.pid)
  ${work}`

/** Starts a process that starts the child. */
const parentProgram = (work: string) => `
  const { spawn } = require('node:child_process')
  const args = ['--input-type=module', '-e', ${JSON.stringify(childProgram(work))}]
  spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, PARENT: String(process.pid) } })`

describe('a process that ends with its parent', { skip: process.platform === 'win32' }, () => {
  for (const [what, work] of [
    ['while it is idle', ''],
    [
      'while it is busy for ever, if it watches from a thread',
      'watch.watchFromThread(); setTimeout(() => { for (;;); }, 100)',
    ],
  ] as const) {
    it(what, { timeout: 60_000 }, async () => {
      const parent = spawn(process.execPath, ['-e', parentProgram(work)], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = (await once(parent.stdout, 'data')) as [Buffer]
      const child = Number(line.toString())
      parent.kill('SIGKILL')
      await until('the child has ended', () => stillRunning([child]).length === 0)
    })
  }
})
