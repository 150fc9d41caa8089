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

  it('are refused to a page that reaches them by a name of its own, which a forged DNS answer leads here', async () => {
    await using metrics = await serveRunMetrics({ host: '127.0.0.1', port: 0 })
    metrics.setBlocks('smooth', { completed: 3 })
    const port = Number(new URL(metrics.address).port)
    const answerTo = async (...hosts: string[]) => {
      const socket = connect(port, '127.0.0.1').setEncoding('utf8')
      const lines = ['GET /metrics HTTP/1.1', ...hosts.map((host) => `Host: ${host}`), 'Connection: close', '', '']
      socket.write(lines.join('\r\n'))
      let text = ''
      for await (const part of socket) text += part
      return text
    }
    for (const own of ['127.0.0.1', `localhost:${port}`, 'LOCALHOST', '[::1]:1'])
      assert.match(await answerTo(own), /^HTTP\/1.1 200 /, own)
    for (const other of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      'localhost@evil.example',
      '',
    ])
      assert.match(await answerTo(other), /^HTTP\/1.1 421 (?!.*smooth)/s, other)
    assert.doesNotMatch(await answerTo('localhost', 'evil.example'), /smooth/)
    await using named = await serveRunMetrics({ host: 'localhost', port: 0 })
    assert.equal((await fetch(named.address)).status, 200)
  })
})
