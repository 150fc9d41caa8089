// The program of the thread that serves the page of a run; the run starts it.
import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { BlockwiseError, messageOf } from '../../core/errors.ts'
import { type Dashboard, startDashboard } from './dashboard-server.ts'
import type { DashboardThreadData, DashboardThreadMessage } from './dashboard-thread.ts'

if (parentPort === null) {
  console.error('Bellis starts this program itself; it cannot be run directly.')
  process.exit(2)
}
const { folder, ...options } = workerData as DashboardThreadData
const say = (message: DashboardThreadMessage) => parentPort?.postMessage(message)
const dashboard = await start()
if (dashboard !== undefined) {
  const { address, port, file = '' } = dashboard
  say({ type: 'ready', address, port, file })
  await once(parentPort, 'message')
  await dashboard[Symbol.asyncDispose]()
}
parentPort.close()

async function start(): Promise<Dashboard | undefined> {
  try {
    return await startDashboard(folder, { ...options, isOwn: true })
  } catch (error) {
    const code = error instanceof BlockwiseError ? error.code : 'IO_ERROR'
    say({ type: 'failed', code, message: messageOf(error) })
    return undefined
  }
}
