import { Command } from 'commander'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import { startRunsServer } from '../../pages/runs-server.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { listRuns } from '../../run-folder/run-state.ts'
import { openPage, printedAddress, untilEnded, warnOfExposure } from '../open-page.ts'
import { portNumber } from '../option-values.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson, say, warn } from '../output.ts'

interface DashboardFlags extends CommonOptions {
  readonly host?: string
  readonly port?: number
  readonly open: boolean
}

/** `bellis dashboard` */
export function dashboardCommand(): Command {
  const command = new Command('dashboard')
    .description('Serves a web page of all runs recorded here, running and past, and the page of each, until Ctrl-C.')
    .argument('[folder]', 'folder that contains the runs (default: .bellis)')
    .option('--host <address>', 'address for browsers to connect to (default: 127.0.0.1, this machine only)')
    .option('--port <n>', 'port of the page (default: a free one)', portNumber)
    .option('--no-open', "print the page's address without opening a browser")
  return commonOptions(command).addHelpText('after', '\nExample:\n  $ bellis dashboard').action(serveRuns)
}

async function serveRuns(folder: string | undefined, flags: DashboardFlags): Promise<void> {
  const home = runsHome(folder)
  // A typing error would otherwise show an empty page.
  if (folder !== undefined && listRuns(home).length === 0) {
    throw new ConfigError('NO_SUCH_FILE', `${home} contains no runs; expected a folder such as .bellis.`)
  }
  const { host, port } = flags
  const onError = (error: unknown) => warn(flags, messageOf(error))
  await using server = await startRunsServer(home, given({ host, port, onError }))
  const ended = untilEnded()
  const { address } = server
  warnOfExposure(flags, host, 'see the state of the runs and their volumes')
  using printed = printedAddress(address, flags)
  if (flags.json) printJson({ address, port: server.port })
  else process.stdout.write(flags.quiet ? `${address}\n` : `\n  ${paint('bold', printed.text)}\n\n`)
  await openPage(flags, server, (line) => say(flags, line))
  say(flags, 'Press Ctrl-C to close the page; the runs continue.')
  await ended
}
