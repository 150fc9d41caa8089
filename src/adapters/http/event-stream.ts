import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EventFeed } from '../../ports/resource.ts'

/** At most this much is buffered for a browser that does not read. */
const MAX_WAITING_BYTES = 1 << 20
/** How often a stream without events sends a sign of life. */
const BEAT_MS = 15_000
/** A browser that has read nothing for this long is disconnected: it reconnects when it wakes. */
const MAX_STUCK_MS = 120_000

/** Answers with the events of a feed until the client leaves. */
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
  const place = feed.join({
    send(event, data) {
      if (hasMissed || response.writableLength > MAX_WAITING_BYTES) {
        if (!hasMissed) stuckSince = performance.now()
        hasMissed = true
        return false
      }
      response.write(`event: ${event}\ndata: ${data}\n\n`)
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
