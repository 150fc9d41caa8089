import { given } from '../../../../core/given.ts'
import { ownCommand } from '../../../own-command.ts'
import type { DashboardRequest } from '../../../pages/dashboard-thread.ts'
import type { RunOptions } from '../../../run-options.ts'
import type { Invitation } from '../../../workers/worker-pool.ts'
import { wrapped, wrappedCommand } from '../../layout.ts'
import { openPage, pageText, warnOfExposure, whatPagesAllow } from '../../open-page.ts'
import type { RunFlags } from '../../options.ts'

/**
 * Prints how to add workers, if some may come from elsewhere, or if it was asked for with --verbose. The context with the token
 * is printed only on a terminal: standard error in a file is a log that others may read.
 */
export function printInvitation(
  { folder, context, submit, isLoopback }: Invitation,
  flags: RunFlags,
  { pool }: Pick<RunOptions, 'pool'>,
): void {
  if (flags.quiet || (isLoopback && pool !== 'none' && !flags.verbose)) return
  // Quoted for another terminal.
  const lines = [ownCommand('worker', folder)]
  if (process.stderr.isTTY && (pool === 'none' || !isLoopback)) {
    lines.push(`BELLIS_CONTEXT='${context}' ${ownCommand('worker')}`)
  }
  lines.push(submit)
  const where = isLoopback ? ' (on this machine; --host 0.0.0.0 admits others)' : ''
  const title = pool === 'none' ? 'Waiting for workers. To start one' : 'To add a worker'
  const shown = lines.map((line) => wrappedCommand(`  ${line}`, 4, process.stderr))
  process.stderr.write(`${[wrapped(`${title}${where}:`, 2, process.stderr), ...shown].join('\n')}\n`)
}

/** The request for a run's page. Its address, or where that is, is printed even with --quiet, since it was asked for. */
export const announcePage = (flags: RunFlags): DashboardRequest => ({
  ...given({ host: flags.dashboardHost, port: flags.dashboardPort, control: flags.dashboardControl }),
  onAddress: (address, port, file) => {
    const { dashboardHost: host, dashboardControl: control } = flags
    warnOfExposure(flags, host, whatPagesAllow(control))
    const text = pageText(address, file, process.stderr)
    process.stderr.write(flags.quiet && process.stderr.isTTY ? `${text}\n` : `The run's page: ${text}\n`)
    void openPage({ open: flags.open ?? true, host: flags.dashboardHost }, { address, port }, (text) => {
      if (!flags.quiet) process.stderr.write(`${text}\n`)
    })
  },
})
