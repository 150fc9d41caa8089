import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { defineTask, z } from 'bellis'
import { row } from './row.ts'

/** Blocks of which one does not advance: it stops its process at the first attempt, reads a FIFO that nobody writes, or takes long. */
export default defineTask({
  name: 'stall',
  config: z.object({
    folder: z.string(),
    blocks: z.number().int().positive(),
    at: z.number().int(),
    how: z.enum(['stop', 'read', 'read-sync', 'compute', 'compute-silently']),
    seconds: z.number().default(0),
  }),
  plan: ({ blocks }) => row(blocks),
  setup({ folder, at, how, seconds }) {
    return async (block) => {
      const { index } = block
      writeFileSync(join(folder, `.${index}-${process.pid}`), String(process.pid))
      renameSync(join(folder, `.${index}-${process.pid}`), join(folder, `begun-${index}-${process.pid}`))
      if (index === at) {
        switch (how) {
          case 'stop':
            if (takeFirst(folder)) process.kill(process.pid, 'SIGSTOP')
            break
          case 'read':
            await readFile(join(folder, 'fifo'))
            break
          case 'read-sync':
            readFileSync(join(folder, 'fifo'))
            break
          default: {
            const end = performance.now() + seconds * 1000
            while (performance.now() < end) if (how === 'compute') block.progress()
          }
        }
      }
      writeFileSync(join(folder, `done-${index}`), String(process.pid))
    }
  },
})

/** Whether no attempt was made before. */
function takeFirst(folder: string): boolean {
  try {
    writeFileSync(join(folder, 'taken'), '', { flag: 'wx' })
    return true
  } catch {
    return false
  }
}
