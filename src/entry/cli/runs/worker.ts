import { Command } from 'commander'
import { BlockwiseError } from '../../../core/errors.ts'
import type { WorkerEnd } from '../../../runtime/worker/worker-options.ts'
import { contextReader } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { RECONNECT_MS, runNetworkWorker } from '../../workers/network-worker.ts'
import { type UserCodeWatch, watchUserCode } from '../../workers/user-code.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson } from '../output.ts'

interface WorkerFlags extends CommonOptions {
  readonly runDir?: string
}

/** `bellis worker` */
export function workerCommand(): Command {
  const command = new Command('worker')
    .description('Joins a run as one worker, from any machine that reaches its coordinator.')
    .argument('[run]', "the run's folder or its name; without it BELLIS_CONTEXT says which run")
    .option('--run-dir <folder>', "where runs' folders are (default: .bellis)")
  return commonOptions(command)
    .addHelpText(
      'after',
      `
The first Ctrl-C, or SIGTERM, lets it finish its block and hand back the rest; the second Ctrl-C ends it at once.
Exit codes: 0 the run is over, 1 a task could not be set up or the coordinator was not reached, 2 it was not let in,
130 interrupted.

Example:
  $ bellis worker .bellis/smooth-1a2b3c4d
  $ BELLIS_CONTEXT='bellis://…' bellis worker`,
    )
    .action(work)
}

async function work(run: string | undefined, flags: WorkerFlags): Promise<void> {
  const readContext = contextReader(run, process.env.BELLIS_CONTEXT, runsHome(flags.runDir))
  const tell = (text: string) => {
    if (!flags.quiet) process.stderr.write(`${text}\n`)
  }
  const leaving = new AbortController()
  const watch: UserCodeWatch = watchUserCode()
  let exitCode = 0
  const leave = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT') {
      if (leaving.signal.aborted) watch.exit(130)
      exitCode = 130
      tell('Leaving: the running block may finish; Ctrl-C again ends at once.')
    }
    leaving.abort()
  }
  process.on('SIGINT', leave)
  // What SGE and LSF send before a time limit.
  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, leave)
  let wasIn = false
  let end: WorkerEnd
  try {
    end = await runNetworkWorker({
      readContext,
      ...(process.env.BELLIS_WORKER === undefined ? {} : { name: process.env.BELLIS_WORKER }),
      drain: leaving.signal,
      watch,
      onConnection: (event, detail) => {
        if (event === 'lost') {
          if (!leaving.signal.aborted) tell(`Not linked: ${detail}; trying for ${RECONNECT_MS / 60_000} minutes.`)
          return
        }
        tell(wasIn ? `In again, as ${detail}.` : `Working, as ${detail}.`)
        wasIn = true
      },
    })
  } catch (error) {
    if (!(error instanceof BlockwiseError) || error.code !== 'CONNECTION_LOST') throw error
    process.stderr.write(`${paint('red', 'bellis:', process.stderr)} ${error.message}\n`)
    watch.exit(1)
  }
  tell(`Left after ${end.blocks} ${end.blocks === 1 ? 'block' : 'blocks'}.`)
  if (end.setupError !== undefined) {
    process.stderr.write(`${paint('red', 'bellis:', process.stderr)} ${end.setupError.message}\n`)
    if (flags.logLevel === 'debug') process.stderr.write(`${end.setupError.stack}\n`)
    exitCode = 1
  }
  if (flags.json) {
    const error = end.setupError === undefined ? {} : { error: end.setupError }
    printJson({ ok: exitCode === 0, blocks: end.blocks, ...error })
  }
  // Something in the user's code may still be open; the worker's work is done.
  watch.exit(exitCode)
}
