import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'
import { growthIn } from './growth.ts'
import { type Size, Start, signalProcess } from './start.ts'

const task = fileURLToPath(new URL('tasks/many.ts', import.meta.url))
/** A worker is killed each time after this part of the blocks. */
const PARTS = 8

/** A coordinator after a part of its blocks. */
export interface Stage extends Size {
  readonly blocks: number
}

/** Runs many blocks, whose workers are killed now and then; it is a complaint if the coordinator grows with them. @returns the size of the coordinator after each part of them */
export async function playLongRun(blocks: number): Promise<{ readonly stages: Stage[]; readonly complaint?: string }> {
  using folder = temporaryFolder()
  const events = join(folder.path, 'events.jsonl')
  const flags = ['--workers', '2', '--events', events, '--quiet', '--max-retries', '20']
  const start = new Start(['run', task, '--blocks', String(blocks), ...flags], events, { cwd: folder.path })
  const stages: Stage[] = []
  for (let part = 1; part < PARTS && !start.isOver; part++) {
    const target = (part * blocks) / PARTS
    await until('blocks are done', () => start.isOver || start.blocksDone() >= target, 1_200_000)
    if (start.isOver) break
    const size = start.measure()
    if (size !== undefined) stages.push({ blocks: start.blocksDone(), ...size })
    const [worker] = start.workers()
    if (worker !== undefined) signalProcess(worker, 'SIGKILL')
  }
  const { code, stderr } = await start.ended
  const isDone = code === 0 && start.blocksDone() === blocks
  if (!isDone) return { stages, complaint: `a run of many blocks ended with ${code}: ${stderr.slice(-2000)}` }
  const growth = growthIn('the coordinator of a run of many blocks', stages)
  return growth === undefined ? { stages } : { stages, complaint: growth }
}
