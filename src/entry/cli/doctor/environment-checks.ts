import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { kubernetesQueue } from '../../../adapters/batch/kubernetes/kubernetes-queue.ts'
import { lsfQueue } from '../../../adapters/batch/lsf/lsf-queue.ts'
import { pbsQueue } from '../../../adapters/batch/pbs/pbs-queue.ts'
import { sgeQueue } from '../../../adapters/batch/sge/sge-queue.ts'
import { slurmQueue } from '../../../adapters/batch/slurm/slurm-queue.ts'
import { browserOpener, hasDesktop } from '../../../adapters/browser/open-browser.ts'
import { findProgram, isExecutable } from '../../../adapters/processes/find-program.ts'
import { messageOf } from '../../../core/errors.ts'
import { pageFiles } from '../../pages/viewer-page.ts'
import { readLogEnd } from '../../workers/log-end.ts'
import type { BatchKind } from '../../workers/pools.ts'
import { absent, type Finding, type MachineOptions, ok, problem } from './finding.ts'

export const checkSlurm = ({ slurm }: MachineOptions): Promise<Finding> =>
  checkQueue({ name: 'SLURM', pool: 'slurm', program: 'sbatch', open: slurmQueue }, slurm)

export const checkGridEngine = ({ sge }: MachineOptions): Promise<Finding> =>
  checkQueue(
    { name: 'Grid Engine', pool: 'sge', program: 'qsub', open: sgeQueue, isIts: (path) => !isOfPbs(path) },
    sge,
  )

export const checkPbs = ({ pbs }: MachineOptions): Promise<Finding> =>
  checkQueue({ name: 'PBS', pool: 'pbs', program: 'qsub', open: pbsQueue, isIts: isOfPbs }, pbs)

export const checkLsf = ({ lsf }: MachineOptions): Promise<Finding> =>
  checkQueue({ name: 'LSF', pool: 'lsf', program: 'bsub', open: lsfQueue }, lsf)

/** Pods need an image, so that nothing can be tried without options. */
export function checkKubernetes({ kubernetes }: MachineOptions): Finding | Promise<Finding> {
  if (kubernetes === undefined && findProgram('kubectl') !== undefined)
    return absent('Kubernetes', 'not tried; give --kubernetes "--image=IMAGE" to have it checked')
  return checkQueue({ name: 'Kubernetes', pool: 'kubernetes', program: 'kubectl', open: kubernetesQueue }, kubernetes)
}

/** Grid Engine and PBS have a `qsub` each: only that of PBS has a `qsub` without a `qconf` or a `qhost` beside it. */
const isOfPbs = (path: string): boolean => !['qconf', 'qhost'].some((name) => isExecutable(join(dirname(path), name)))

interface Queue {
  readonly name: string
  readonly pool: BatchKind
  readonly program: string
  readonly open: typeof slurmQueue
  /** Whether a program of this name is that of the system. @default any is */
  readonly isIts?: (path: string) => boolean
}

/** Whether the queue accepts such jobs and reports their states. @param options undefined if no flag asks for this queue */
async function checkQueue(
  { name, pool, program, open, isIts = () => true }: Queue,
  options: string | undefined,
): Promise<Finding> {
  const path = findProgram(program)
  if (path === undefined || (options === undefined && !isIts(path))) {
    const missing = path === undefined ? `${program} is not on the PATH` : `${path} is not that of ${name}`
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
