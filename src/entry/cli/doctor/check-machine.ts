import { tmpdir } from 'node:os'
import { messageOf } from '../../../core/errors.ts'
import { checkBrowser, checkGridEngine, checkKubernetes, checkLsf, checkPbs, checkSlurm } from './environment-checks.ts'
import { type Finding, type MachineOptions, ok, REINSTALL } from './finding.ts'
import { checkHdf5, checkMongodb, checkRunFolder, checkZarr } from './storage-checks.ts'
import { checkKernels, checkPorts, checkProcessorsAndMemory, checkWorkers } from './worker-checks.ts'

interface Check {
  readonly name: string
  run(options: MachineOptions): Finding | Promise<Finding>
  /** What to do about a problem or a warning; errors of databases contain their own advice. */
  readonly advice?: string
}

const CHECKS: readonly Check[] = [
  { name: 'Node', run: () => ok('Node', `${process.versions.node} (${process.platform}, ${process.arch})`) },
  { name: 'machine', run: checkProcessorsAndMemory },
  {
    name: 'HDF5',
    run: checkHdf5,
    advice: `remove flags that disable WebAssembly from NODE_OPTIONS, such as --jitless; otherwise ${REINSTALL}`,
  },
  { name: 'Zarr', run: checkZarr, advice: `make ${tmpdir()} writable, or set TMPDIR to another folder` },
  {
    name: 'kernels',
    run: checkKernels,
    advice: `remove flags that disable WebAssembly or SIMD from NODE_OPTIONS, such as --jitless; otherwise ${REINSTALL}`,
  },
  {
    name: 'workers',
    run: checkWorkers,
    advice: 'check that this user may start processes (ulimit -u), and check NODE_OPTIONS',
  },
  {
    name: 'runs',
    run: checkRunFolder,
    advice: 'choose a local disk, or a file system that supports locks, with --run-dir or BELLIS_HOME',
  },
  { name: 'ports', run: checkPorts, advice: 'choose others with --host and --port, or leave them out' },
  { name: 'SLURM', run: checkSlurm, advice: 'check sinfo, scontrol ping and the options after --slurm' },
  { name: 'Grid Engine', run: checkGridEngine, advice: 'check qhost, qstat -f and the options after --sge' },
  { name: 'PBS', run: checkPbs, advice: 'check qstat -q and the options after --pbs' },
  { name: 'LSF', run: checkLsf, advice: 'check lsid, bqueues and the options after --lsf' },
  {
    name: 'Kubernetes',
    run: checkKubernetes,
    advice: 'check kubectl cluster-info, kubectl auth can-i --list and the options after --kubernetes',
  },
  { name: 'MongoDB', run: checkMongodb },
  { name: 'browser', run: checkBrowser },
]

/** Tries everything that Bellis needs on this machine, one check after the other, and leaves no files behind. */
export async function* checkMachine(options: MachineOptions = {}): AsyncGenerator<Finding> {
  for (const { name, run, advice } of CHECKS) {
    const finding = await findingOf(name, async () => run(options))
    const needsAdvice = finding.status === 'problem' || finding.status === 'warning'
    // A finding's own advice is more specific.
    yield needsAdvice && advice !== undefined ? { ...finding, advice: finding.advice ?? advice } : finding
  }
}

async function findingOf(name: string, run: () => Promise<Finding>): Promise<Finding> {
  try {
    return await run()
  } catch (error) {
    return { name, status: 'problem', found: messageOf(error) }
  }
}
