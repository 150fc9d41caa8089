import { Command } from 'commander'
import { parseContext } from '../../adapters/tcp/context.ts'
import { BlockwiseError, ConfigError } from '../../core/errors.ts'
import type { WorkerEnd } from '../../runtime/worker-loop.ts'
import { runNetworkWorker } from '../network-worker.ts'
import { runsHome } from '../run.ts'
import { findRunFolder, readContextFile } from '../run-context.ts'
import { type UserCodeWatch, watchUserCode } from '../user-code.ts'
import { type CommonOptions, commonOptions } from './options.ts'
import { paint } from './output.ts'

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
  const readContext = contextReader(run, flags)
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
  process.on('SIGTERM', leave)
  let wasIn = false
  let end: WorkerEnd
  try {
    end = await runNetworkWorker({
      readContext,
      ...(process.env.BELLIS_WORKER === undefined ? {} : { name: process.env.BELLIS_WORKER }),
      drain: leaving.signal,
      watch,
      onLink: (event, detail) => {
        if (event === 'welcome') tell(wasIn ? `In again, as ${detail}.` : `Working, as ${detail}.`)
        else if (!leaving.signal.aborted) tell(`Not linked: ${detail}; trying to come back.`)
        wasIn = true
      },
    })
  } catch (error) {
    // The file is gone with the run.
    if (wasIn && error instanceof ConfigError && error.code === 'NO_SUCH_FILE') {
      tell('The run is over.')
      watch.exit(exitCode)
    }
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
  // Something in the user's code may still be open; the worker's work is done.
  watch.exit(exitCode)
}

/** Reads the context anew each time where it comes from a file: a run that is started again has another. */
function contextReader(run: string | undefined, { runDir }: WorkerFlags) {
  if (run !== undefined) {
    const folder = findRunFolder(run, runsHome(runDir))
    return () => readContextFile(folder)
  }
  const context = process.env.BELLIS_CONTEXT
  if (context === undefined) {
    throw new ConfigError('INVALID_CONFIG', 'Which run? Give its folder or name, or set BELLIS_CONTEXT.')
  }
  return () => parseContext(context)
}
