import { accessSync, constants } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { sgeQueue } from '../../../adapters/batch/sge/sge-queue.ts'
import { slurmQueue } from '../../../adapters/batch/slurm/slurm-queue.ts'
import { browserOpener, hasDesktop } from '../../../adapters/browser/open-browser.ts'
import { messageOf } from '../../../core/errors.ts'
import { pageFiles } from '../../pages/viewer-page.ts'
import { readLogEnd } from '../../workers/log-end.ts'
import { absent, type Finding, type MachineOptions, ok, problem } from './finding.ts'

export const checkSlurm = ({ slurm }: MachineOptions): Promise<Finding> =>
  checkQueue({ name: 'SLURM', pool: 'slurm', program: 'sbatch', open: slurmQueue }, slurm)

export const checkGridEngine = ({ sge }: MachineOptions): Promise<Finding> =>
  checkQueue({ name: 'Grid Engine', pool: 'sge', program: 'qsub', open: sgeQueue }, sge)

interface Queue {
  readonly name: string
  readonly pool: 'slurm' | 'sge'
  readonly program: string
  readonly open: typeof slurmQueue
}

/** Whether the queue accepts such jobs and reports their states. @param options undefined if no flag asks for this queue */
async function checkQueue({ name, pool, program, open }: Queue, options: string | undefined): Promise<Finding> {
  if (findProgram(program) === undefined) {
    const missing = `${program} is not on the PATH`
    if (options === undefined) return absent(name, `${missing}; only --pool ${pool} needs it`)
    return problem(name, missing, `run this on a machine that submits jobs, or add ${program} to the PATH`)
  }
  await using queue = open({
    folder: join(tmpdir(), 'bellis-doctor'),
    jobName: 'bellis-doctor',
    command: ['true'],
    options: options ?? '',
    readLog: readLogEnd,
    callTimeoutMs: 5000,
  })
  try {
    await queue.check()
    await queue.status(['1'])
  } catch (error) {
    // A queue that no flag asks for may be an unused leftover.
    return { name, status: options === undefined ? 'warning' : 'problem', found: messageOf(error) }
  }
  const how = options === undefined ? 'without options' : `with ${options}`
  return ok(name, `${program} accepts workers ${how}, and the queue responds`)
}

export function checkBrowser(): Finding {
  pageFiles()
  const otherwise = 'bellis show prints an address, and the ssh command to open it from another machine'
  if (!hasDesktop()) return absent('browser', `no desktop here; ${otherwise}`)
  const opener = browserOpener()
  if (findProgram(opener) === undefined) return absent('browser', `${opener} is not on the PATH; ${otherwise}`)
  return ok('browser', `${opener} opens pages`)
}

function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
