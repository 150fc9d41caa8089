import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Creates a file with the process id, atomically. */
function mark(folder: string, what: string, index: number): void {
  writeFileSync(join(folder, `.${what}-${index}`), String(process.pid))
  renameSync(join(folder, `.${what}-${index}`), join(folder, `${what}-${index}`))
}

/** Blocks that create `begun-<index>` and `done-<index>` in a folder. Some of them, or the setup, misbehave. */
export default defineTask({
  name: 'misbehave',
  config: z.object({
    folder: z.string(),
    blocks: z.number().int().positive(),
    /** The blocks that misbehave; all of them by default. */
    at: z.array(z.number().int()).optional(),
    how: z.enum([
      'exit',
      'be-killed',
      'compute-for-ever',
      'wait-for-ever',
      'wait-for-go',
      'setup-throws',
      'setup-hangs',
      'leave-a-timer',
    ]),
  }),
  plan: ({ blocks }) => row(blocks),
  setup({ folder, at, how }) {
    if (how === 'setup-throws') throw new Error('the model has 3 layers, not 4')
    if (how === 'setup-hangs') for (;;);
    if (how === 'leave-a-timer') {
      setInterval(() => {}, 1000)
      process.on('exit', () => mark(folder, 'left', process.pid))
    }
    return async ({ index }) => {
      mark(folder, 'begun', index)
      if (at === undefined || at.includes(index)) await misbehave(how, folder, index)
      mark(folder, 'done', index)
    }
  },
})

async function misbehave(how: string, folder: string, index: number): Promise<void> {
  switch (how) {
    case 'exit':
      console.error(`last words of block ${index}`)
      process.exit(7)
      break
    case 'be-killed':
      process.kill(process.pid, 'SIGKILL')
      break
    case 'compute-for-ever':
      for (;;);
    case 'wait-for-ever':
      await delay(2 ** 31 - 1)
      break
    case 'wait-for-go':
      while (!existsSync(join(folder, `go-${index}`))) await delay(5)
      break
    default:
  }
}
