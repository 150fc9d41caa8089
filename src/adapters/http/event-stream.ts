import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EventFeed } from '../../ports/resource.ts'

/** At most this much is buffered for a browser that does not read, in addition to one batch of events: see `sendFeed`. */
const MAX_WAITING_BYTES = 1 << 20
/** How often a stream without events sends a sign of life. */
const BEAT_MS = 15_000
/** A browser that has read nothing for this long is disconnected: it reconnects when it wakes. */
const MAX_STUCK_MS = 120_000

/**
 * Answers with the events of a feed until the client leaves. Events that are sent in one turn are one batch, which is taken or refused
 * as a whole: half of a large snapshot would never be followed by the rest.
 */
export function sendFeed(request: IncomingMessage, response: ServerResponse, feed: EventFeed): void {
  response.setHeader('Content-Type', 'text/event-stream; charset=utf-8')
  response.setHeader('Cache-Control', 'no-store')
  // Proxies must not buffer events.
  response.setHeader('X-Accel-Buffering', 'no')
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  let hasMissed = false
  let stuckSince = 0
  let largestBatch = 0
  let batch: number | undefined
  const startBatch = () => {
    batch = 0
    queueMicrotask(() => {
      largestBatch = Math.max(largestBatch, batch ?? 0)
      batch = undefined
    })
  }
  const place = feed.join({
    send(event, data) {
      const isFull = batch === undefined && response.writableLength > MAX_WAITING_BYTES + largestBatch
      if (hasMissed || isFull) {
        if (!hasMissed) stuckSince = performance.now()
        hasMissed = true
        return false
      }
      if (batch === undefined) startBatch()
      const text = `event: ${event}\ndata: ${data}\n\n`
      batch = (batch ?? 0) + text.length
      response.write(text)
      return true
    },
    end: () =>
      new Promise((resolve) => {
        response.once('close', () => resolve())
        response.end()
      }),
  })
  if (place === undefined) {
    response.removeHeader('Content-Type')
    response.writeHead(503).end()
    return
  }
  response.flushHeaders()
  const beat = setInterval(() => {
    if (!hasMissed) response.write(': \n\n')
    else if (performance.now() - stuckSince > MAX_STUCK_MS) response.destroy()
  }, BEAT_MS)
  response.on('drain', () => {
    if (!hasMissed) return
    hasMissed = false
    place.resume()
  })
  response.once('close', () => {
    clearInterval(beat)
    place.leave()
  })
}
