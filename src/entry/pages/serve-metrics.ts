import type { RunEvent, TaskCounts } from '../../core/events.ts'
import type { EventStream } from '../../runtime/coordinator/event-stream.ts'

/**
 * Serves the metrics of a run for Prometheus.
 * @throws ConfigError `INVALID_CONFIG` if the address can't be used
 */
export async function serveMetrics(
  at: { readonly host: string; readonly port: number },
  events: EventStream,
): Promise<AsyncDisposable & { readonly address: string }> {
  // Loaded only on request.
  const { serveRunMetrics } = await import('../../adapters/prometheus/run-metrics.ts')
  const metrics = await serveRunMetrics(at)
  const setBlocks = (tasks: readonly TaskCounts[]) => {
    for (const { id, total: _, skipped: __, ...counts } of tasks) metrics.setBlocks(id, counts)
  }
  events.listen((event: RunEvent) => {
    switch (event.type) {
      case 'run-started':
      case 'run-finished':
        setBlocks(event.tasks)
        break
      case 'progress':
        setBlocks(event.tasks)
        metrics.setBusyWorkers(event.busyWorkers)
        if (event.used !== undefined) metrics.setUsed(event.used)
        break
      case 'blocks-done':
        for (const ms of event.ms) if (ms > 0) metrics.addBlock(event.taskId, ms / 1000)
        break
      case 'block-retried':
      case 'block-failed':
        metrics.addFailedAttempt(event.taskId)
        break
      case 'worker-started':
        metrics.addWorker()
        break
      case 'worker-died':
        metrics.addDeath()
        break
      case 'worker-ended':
        metrics.endWorker()
        break
      default:
    }
  })
  return metrics
}
