import { Command } from 'commander'
import { checkMachine, type Finding, type MachineOptions } from './machine-checks.ts'
import { type CommonOptions, commonOptions, given, portNumber } from './options.ts'
import { paint, printJson, type Style } from './output.ts'

type DoctorFlags = CommonOptions & MachineOptions

/** `bellis doctor` */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Checks this machine: Node, native parts, workers, free ports, SLURM, database, browser.')
    .option('--host <address>', 'where workers of other machines would come in (default: 127.0.0.1)')
    .option('--port <n>', 'at which port (default: one that is free)', portNumber)
    .option('--db <url>', 'a database for progress: mongodb://…')
    .option('--slurm <options>', 'what sbatch would be given for each worker, as one quoted text')
    .option('--sge <options>', 'what qsub would be given for each worker, as one quoted text')
    .option('--run-dir <folder>', "where runs' folders would be made (default: .bellis)")
  return commonOptions(command)
    .addHelpText(
      'after',
      '\nWhat is asked for by a flag has to work; SLURM, Grid Engine, MongoDB and a browser may else be absent.\nIt ends with 0 where all works, and with 1 where something does not.\n\nExample:\n  $ bellis doctor',
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
  const isWell = findings.every(({ status }) => status !== 'problem')
  if (json) printJson({ ok: isWell, checks: findings })
  if (!isWell) process.exitCode = 1
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
  return `${paint(style, sign)} ${name.padEnd(12)}${what.replaceAll('\n', ' ')}`
}
