import { openSync, statSync, writeSync } from 'node:fs'
import { closeQuietly } from '../../adapters/files/close-quietly.ts'
import { ConfigError } from '../../core/errors.ts'
import { systemFailure, systemReason } from '../../core/system-errors.ts'
import type { EventStream } from '../../runtime/coordinator/event-stream.ts'
import { startOf } from '../other-formats.ts'

/** Lines that come within this time are written together. */
const EVERY_MS = 100

/**
 * Writes every event of a run as a line of JSON with its time. Unlike a slow reader of the stream, the file misses none.
 * @param path a file of events is replaced; no other file is
 * @param warn called once if writing fails later
 * @returns disposing writes what is buffered
 * @throws ConfigError `READ_ONLY`; `INVALID_CONFIG` if the file has other content
 */
export function writeEvents(path: string, events: EventStream, warn: (message: string) => void): Disposable {
  const file = open(path)
  let lines: string[] = []
  let timer: NodeJS.Timeout | undefined
  let isBroken = false
  const write = () => {
    timer = undefined
    const text = lines.join('')
    lines = []
    try {
      if (!isBroken) writeSync(file, text)
    } catch (error) {
      isBroken = true
      warn(`no further events are written to ${path}: ${systemReason(error)}`)
    }
  }
  events.listen((event) => {
    if (isBroken) return
    lines.push(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`)
    timer ??= setTimeout(write, EVERY_MS)
  })
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
      write()
      closeQuietly(file)
    },
  }
}

/** The start of every line. */
const START = '{"time":"'

function open(path: string): number {
  try {
    if (hasOtherContent(path)) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `${path} exists and has no events of a run in it, so they are not written there; name another file.`,
      )
    }
    return openSync(path, 'w')
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(
      'READ_ONLY',
      `The events can't be written to ${path}: ${systemFailure(error)?.reason ?? systemReason(error)}; name another file.`,
      { cause: error },
    )
  }
}

/** Whether a file would lose something that is no event; pipes and devices lose nothing. */
function hasOtherContent(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || !found.isFile() || found.size === 0) return false
  return startOf(path, START.length).toString() !== START
}
