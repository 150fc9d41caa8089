import { Command } from 'commander'
import { given } from '../../../core/given.ts'
import { wrapped } from '../layout.ts'
import { portNumber } from '../option-values.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson, type Style } from '../output.ts'
import { checkMachine } from './check-machine.ts'
import type { Finding, MachineOptions } from './finding.ts'

type DoctorFlags = CommonOptions & MachineOptions

/** `bellis doctor` */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Checks this machine: Node, native parts, workers, free ports, SLURM, database, browser.')
    .option('--host <address>', 'address where workers would connect (default: 127.0.0.1)')
    .option('--port <n>', 'port where workers would connect (default: a free one)', portNumber)
    .option('--db <url>', 'database to try: mongodb://…')
    .option('--slurm <options>', 'sbatch options to try, as one quoted text')
    .option('--sge <options>', 'qsub options to try, as one quoted text')
    .option('--pbs <options>', 'PBS qsub options to try, as one quoted text')
    .option('--lsf <options>', 'bsub options to try, as one quoted text')
    .option('--kubernetes <options>', 'options of pods to try, as one quoted text')
    .option('--run-dir <folder>', 'parent folder of run folders (default: .bellis)')
  return commonOptions(command)
    .addHelpText(
      'after',
      '\nSLURM, Grid Engine, PBS, LSF, Kubernetes, MongoDB and a browser may be missing unless a flag asks for them.\nExit codes: 0 everything works, 1 something does not.\n\nExample:\n  $ bellis doctor',
    )
    .action(doctor)
}

async function doctor({ json, quiet, logLevel, ...flags }: DoctorFlags): Promise<void> {
  const findings: Finding[] = []
  for await (const finding of checkMachine(given(flags))) {
    findings.push(finding)
    if (json || (quiet && finding.status !== 'problem')) continue
    if (logLevel === 'error' && finding.status === 'warning') continue
    process.stdout.write(`${describe(finding)}\n`)
  }
  const isOk = findings.every(({ status }) => status !== 'problem')
  if (json) printJson({ ok: isOk, checks: findings })
  if (!isOk) process.exitCode = 1
}

const SIGNS: Readonly<Record<Finding['status'], readonly [Style, string]>> = {
  ok: ['green', '✔'],
  warning: ['yellow', '!'],
  problem: ['red', '✘'],
  absent: ['dim', '–'],
}

function describe({ name, status, found, advice }: Finding): string {
  const [style, sign] = SIGNS[status]
  const what = advice === undefined ? found : `${found.replace(/\.$/, '')}: ${advice}`
  return wrapped(`${paint(style, sign)} ${name.padEnd(12)}${what.replaceAll('\n', ' ')}`, 14)
}
