import { type BlockwiseError, type ErrorCode, InfrastructureError, type WireError } from '../errors.ts'
import type { Roi } from '../geometry/roi.ts'
import {
  type Hello,
  MAX_DEPTH,
  type Outcome,
  type RefusalCode,
  type ServerMessage,
  type WireRois,
  type WireTask,
  type WorkerMessage,
} from './messages.ts'

/** The most entries that one message may list. */
const MAX_LIST = 65_536
/** Longer texts of errors are cut here, in characters. */
const MAX_TEXT = 65_536
/** Longer names are refused. */
const MAX_NAME = 1024
/** A line that is shorter can't do harm by its depth. */
const DEPTH_UNCHECKED = 16_384
const REFUSALS: readonly RefusalCode[] = ['UNAUTHORIZED', 'PROTOCOL_ERROR', 'RUN_OVER', 'TOO_MANY_CONNECTIONS']

type Fields = Readonly<Record<string, unknown>>

/**
 * The value of one line of JSON, its depth checked before it is parsed. Its length is the receiver's to check.
 * @throws InfrastructureError `PROTOCOL_ERROR`
 */
export function parseLine(line: string): unknown {
  if (line.length > DEPTH_UNCHECKED) assertShallow(line)
  try {
    return JSON.parse(line)
  } catch {
    throw new InfrastructureError('PROTOCOL_ERROR', `A message is no JSON: ${JSON.stringify(line.slice(0, 60))}.`)
  }
}

/** Counts brackets outside of texts: a million nested lists would cost memory before any field is looked at. */
function assertShallow(line: string): void {
  let depth = 0
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === 0x22) {
      // To the end of the text: the next quote that no backslash stands before.
      do {
        at = line.indexOf('"', at + 1)
        if (at === -1) return
      } while (isEscaped(line, at))
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_DEPTH) {
        throw new InfrastructureError('PROTOCOL_ERROR', `A message is nested deeper than ${MAX_DEPTH}.`)
      }
    } else if (code === 0x5d || code === 0x7d) depth--
  }
}

function isEscaped(line: string, at: number): boolean {
  let slashes = 0
  while (line.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
  return slashes % 2 === 1
}

/** What a worker sent, checked. @throws InfrastructureError `PROTOCOL_ERROR` saying which field is wrong */
export function parseWorkerMessage(value: unknown): WorkerMessage {
  const message = asFields(value, 'message')
  switch (message.type) {
    case 'hello':
      return parseHello(message)
    case 'task-ready':
      return { type: 'task-ready', taskId: asName(message, 'taskId') }
    case 'usage':
      return {
        type: 'usage',
        readBytes: asInteger(message, 'readBytes'),
        writtenBytes: asInteger(message, 'writtenBytes'),
        peakMemory: asInteger(message, 'peakMemory'),
      }
    case 'outcomes':
      return {
        type: 'outcomes',
        lease: asInteger(message, 'lease'),
        outcomes: asList(message, 'outcomes').map(asOutcome),
      }
    case 'setup-failed':
      return { type: 'setup-failed', taskId: asName(message, 'taskId'), error: asError(message.error) }
    case 'dropped':
      return { type: 'dropped', lease: asInteger(message, 'lease') }
    case 'heartbeat':
    case 'goodbye':
      return { type: message.type }
    default:
      throw wrong(
        'type',
        message.type,
        'hello, task-ready, outcomes, usage, setup-failed, dropped, heartbeat or goodbye',
      )
  }
}

function parseHello(message: Fields): Hello {
  const { leases, rois } = message
  if (rois !== undefined && typeof rois !== 'boolean') throw wrong('rois', rois, 'true or false')
  return {
    type: 'hello',
    protocol: asInteger(message, 'protocol'),
    ...(message.token === undefined ? {} : { token: asName(message, 'token') }),
    ...(message.worker === undefined ? {} : { worker: asName(message, 'worker') }),
    ...(message.session === undefined ? {} : { session: asName(message, 'session') }),
    ...(leases === undefined ? {} : { leases: asIntegers(message, 'leases') }),
    pid: asInteger(message, 'pid'),
    host: asName(message, 'host'),
    ...(rois === undefined ? {} : { rois }),
  }
}

/**
 * What the coordinator sent, checked as far as a worker relies on it: a worker trusts its coordinator with the code that
 * it runs, so a task's own fields are left to the grid and the schema that use them.
 * @throws InfrastructureError `PROTOCOL_ERROR`
 */
export function parseServerMessage(value: unknown): ServerMessage {
  const message = asFields(value, 'message')
  switch (message.type) {
    case 'welcome':
      return {
        type: 'welcome',
        protocol: asInteger(message, 'protocol'),
        workerId: asName(message, 'workerId'),
        session: asName(message, 'session'),
        heartbeatMs: asInteger(message, 'heartbeatMs'),
        leases: asList(message, 'leases').map((known) => {
          const fields = asFields(known, 'leases')
          return { lease: asInteger(fields, 'lease'), reported: asInteger(fields, 'reported') }
        }),
      }
    case 'task': {
      const task = asFields(message.task, 'task')
      const id = asText(task, 'id')
      asText(task, 'unit')
      for (const field of ['module', 'name', 'folder']) if (task[field] !== undefined) asText(task, field)
      if (task.grid !== undefined) asFields(task.grid, 'grid')
      if (task.resources !== undefined) {
        const units = asFields(task.resources, 'resources')
        for (const name of Object.keys(units)) asIntegers(units, name)
      }
      // A program is told no more than its blocks need.
      return { type: 'task', task: { module: '', name: id, ...task } as unknown as WireTask }
    }
    case 'lease': {
      const blocks = asIntegers(message, 'blocks')
      return {
        type: 'lease',
        lease: asInteger(message, 'lease'),
        taskId: asName(message, 'taskId'),
        blocks,
        ...(message.rois === undefined ? {} : { rois: asRois(message, blocks.length) }),
      }
    }
    case 'revoked':
      return { type: 'revoked', lease: asInteger(message, 'lease') }
    case 'heartbeat':
    case 'drain':
      return { type: message.type }
    case 'refused': {
      const code = REFUSALS.find((known) => known === message.code)
      if (code === undefined) throw wrong('code', message.code, REFUSALS.join(', '))
      return { type: 'refused', code, message: asText(message, 'message') }
    }
    default:
      throw wrong('type', message.type, 'welcome, task, lease, revoked, heartbeat, drain or refused')
  }
}

function asRois(message: Fields, count: number): readonly WireRois[] {
  const rois = asList(message, 'rois')
  if (rois.length !== count) throw wrong('rois', rois, `a list of ${count}, one for each block`)
  return rois.map((value) => {
    const fields = asFields(value, 'rois')
    return { read: asRoi(fields, 'read'), write: asRoi(fields, 'write') }
  })
}

function asRoi(fields: Fields, name: string): Roi {
  const roi = asFields(fields[name], name)
  const [offset, shape] = ['offset', 'shape'].map((part) => asList(roi, part))
  const numbers = [...(offset as readonly unknown[]), ...(shape as readonly unknown[])]
  if (offset?.length === shape?.length && numbers.every(Number.isSafeInteger)) return roi as unknown as Roi
  throw wrong(name, fields[name], 'an offset and a shape of as many whole numbers')
}

function asOutcome(value: unknown): Outcome {
  const outcome = asFields(value, 'outcome')
  switch (outcome.status) {
    case 'done':
      return { status: 'done', ms: asDuration(outcome) }
    case 'failed':
      return { status: 'failed', ms: asDuration(outcome), error: asError(outcome.error) }
    case 'skipped':
    case 'returned':
      return { status: outcome.status }
    default:
      throw wrong('status', outcome.status, 'done, skipped, failed or returned')
  }
}

function asError(value: unknown): WireError {
  const error = asFields(value, 'error')
  const stack = typeof error.stack === 'string' ? { stack: error.stack.slice(0, MAX_TEXT) } : {}
  const { code } = error
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{0,63}$/.test(code)) throw wrong('code', code, 'an error code')
  return { code: code as ErrorCode, message: asText(error, 'message'), ...stack }
}

function asDuration(fields: Fields): number {
  const ms = fields.ms
  // Bounded, so that sums stay numbers.
  if (typeof ms === 'number' && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER) return ms
  throw wrong('ms', ms, 'milliseconds')
}

function asFields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw wrong(what, value, 'an object')
}

function asInteger(fields: Fields, name: string): number {
  const value = fields[name]
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw wrong(name, value, 'a whole number')
}

function asText(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
  throw wrong(name, value, 'a text')
}

/** A text that is kept and compared, so never cut. */
function asName(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length <= MAX_NAME) return value
  throw wrong(name, value, `a text of at most ${MAX_NAME} characters`)
}

function asIntegers(fields: Fields, name: string): readonly number[] {
  const values = asList(fields, name)
  if (values.every((value) => Number.isSafeInteger(value) && (value as number) >= 0)) return values as number[]
  throw wrong(
    name,
    values.find((value) => !Number.isSafeInteger(value) || (value as number) < 0),
    'whole numbers alone',
  )
}

function asList(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (Array.isArray(value) && value.length <= MAX_LIST) return value
  throw wrong(name, value, `a list of at most ${MAX_LIST} entries`)
}

function wrong(field: string, value: unknown, expected: string): BlockwiseError {
  const shown = show(value)
  return new InfrastructureError(
    'PROTOCOL_ERROR',
    `A message is wrong: "${field}" is ${shown}, but must be ${expected}.`,
  )
}

/** The start of a value; of a large one its kind alone, for it is not worth writing out what is refused. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return (JSON.stringify(value) ?? String(value)).slice(0, 100)
}
