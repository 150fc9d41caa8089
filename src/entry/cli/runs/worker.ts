import { Command } from 'commander'
import { BlockwiseError } from '../../../core/errors.ts'
import { printableLine } from '../../../core/text/printable.ts'
import type { WorkerEnd } from '../../../runtime/worker/worker-options.ts'
import { assertOwnRun, contextReader, findRunFolder } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { RECONNECT_MS, runNetworkWorker } from '../../workers/network-worker.ts'
import { type UserCodeWatch, watchUserCode } from '../../workers/user-code.ts'
import { type CommonOptions, dataOptions, RUN_ARGUMENT } from '../options.ts'
import { paint, printJson } from '../output.ts'

interface WorkerFlags extends CommonOptions {
  readonly runDir?: string
  readonly trustOwner?: boolean
}

/** `bellis worker` */
export function workerCommand(): Command {
  const command = new Command('worker')
    .description('Joins a run as one worker, from any machine that can reach its coordinator.')
    .argument('[run]', `${RUN_ARGUMENT} (default: the run in BELLIS_CONTEXT)`)
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
    .option('--trust-owner', 'join a run of another user, whose code then runs with your rights')
  return dataOptions(command)
    .addHelpText(
      'after',
      `
On the first Ctrl-C, or SIGTERM, it finishes its block and returns the rest; a second Ctrl-C ends it at once.
Exit codes: 0 the run has ended, 1 a task could not be set up or the coordinator could not be reached,
2 the coordinator refused it, 130 stopped by Ctrl-C.

Example:
  $ bellis worker .bellis/smooth-out-smoothed-1a2b3c4d
  $ BELLIS_CONTEXT='bellis://…' bellis worker`,
    )
    .action(work)
}

async function work(run: string | undefined, flags: WorkerFlags): Promise<void> {
  const home = runsHome(flags.runDir)
  if (run !== undefined && flags.trustOwner !== true) assertOwnRun(findRunFolder(run, home))
  const readContext = contextReader(run, process.env.BELLIS_CONTEXT, home, { isOwn: flags.trustOwner !== true })
  const print = (text: string) => {
    if (!flags.quiet) process.stderr.write(`${text}\n`)
  }
  const leaving = new AbortController()
  const watch: UserCodeWatch = watchUserCode()
  let exitCode = 0
  const leave = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT') {
      if (leaving.signal.aborted) watch.exit(130)
      exitCode = 130
      print('Leaving after the current block; press Ctrl-C again to end immediately.')
    }
    leaving.abort()
  }
  process.on('SIGINT', leave)
  // SGE and LSF send these before a time limit.
  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, leave)
  let hasConnected = false
  let end: WorkerEnd
  try {
    end = await runNetworkWorker({
      readContext,
      ...(process.env.BELLIS_WORKER === undefined ? {} : { name: process.env.BELLIS_WORKER }),
      drain: leaving.signal,
      watch,
      onConnection: (event, detail) => {
        if (event === 'lost') {
          if (!leaving.signal.aborted) print(`Not connected: ${detail}; retrying for ${RECONNECT_MS / 60_000} minutes.`)
          return
        }
        print(hasConnected ? `Reconnected as ${detail}.` : `Connected as ${detail}.`)
        hasConnected = true
      },
    })
  } catch (error) {
    if (!(error instanceof BlockwiseError) || error.code !== 'CONNECTION_LOST') throw error
    process.stderr.write(`${paint('red', 'bellis:', process.stderr)} ${printableLine(error.message)}\n`)
    watch.exit(1)
  }
  print(`Left after ${end.blocks} ${end.blocks === 1 ? 'block' : 'blocks'}.`)
  if (end.setupError !== undefined) {
    process.stderr.write(`${paint('red', 'bellis:', process.stderr)} ${printableLine(end.setupError.message)}\n`)
    if (flags.logLevel === 'debug') process.stderr.write(`${end.setupError.stack}\n`)
    exitCode = 1
  }
  if (flags.json) {
    const error = end.setupError === undefined ? {} : { error: end.setupError }
    printJson({ ok: exitCode === 0, blocks: end.blocks, ...error })
  }
  // The user's code might keep the process alive.
  watch.exit(exitCode)
}
