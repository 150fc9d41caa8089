import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { serveRunMetrics } from '../../../src/adapters/prometheus/run-metrics.ts'

describe('the metrics of a run', () => {
  it('are served although strangers hold connections: the oldest is closed for a new one', async () => {
    await using metrics = await serveRunMetrics({ host: '127.0.0.1', port: 0, maxConnections: 2 })
    const port = Number(new URL(metrics.address).port)
    const strangers = []
    for (let i = 0; i < 3; i++) {
      const stranger = connect(port, '127.0.0.1').resume()
      await once(stranger, 'connect')
      strangers.push(stranger)
    }
    const [oldest] = strangers
    if (oldest?.destroyed === false) await once(oldest, 'close')
    metrics.setBlocks('smooth', { completed: 3 })
    const answer = await fetch(metrics.address)
    assert.match(await answer.text(), /bellis_blocks\{task="smooth",state="completed"\} 3/)
    for (const stranger of strangers) stranger.destroy()
  })
})
