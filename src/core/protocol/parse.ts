import type { ErrorCode, WireError } from '../errors.ts'
import type { Roi } from '../geometry/roi.ts'
import { hideQueries } from '../text/shown-address.ts'
import {
  asDuration,
  asFields,
  asInteger,
  asIntegers,
  asList,
  asName,
  asText,
  type Fields,
  invalid,
  MAX_TEXT,
} from './fields.ts'
import type { Join, Outcome, RefusalCode, ServerMessage, WireRois, WireTask, WorkerMessage } from './messages.ts'
import { assertSameProtocol } from './version.ts'

const REFUSALS: readonly RefusalCode[] = [
  'UNAUTHORIZED',
  'PROTOCOL_ERROR',
  'RUN_OVER',
  'TOO_MANY_CONNECTIONS',
  'TOO_LATE',
]

/** Checks what a worker sent. @throws InfrastructureError `PROTOCOL_ERROR` naming the invalid field */
export function parseWorkerMessage(value: unknown): WorkerMessage {
  const message = asFields(value, 'message')
  switch (message.type) {
    case 'join':
      return asJoin(message)
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
    case 'progress':
    case 'heartbeat':
    case 'goodbye':
      return { type: message.type }
    default:
      // A program that was written for an earlier version starts with it.
      if (message.type === 'hello') assertSameProtocol(asInteger(message, 'protocol'))
      throw invalid(
        'type',
        message.type,
        'join, task-ready, outcomes, usage, progress, setup-failed, dropped, heartbeat or goodbye',
      )
  }
}

/**
 * Checks the first message of a worker to a coordinator that it trusts.
 * @throws InfrastructureError `PROTOCOL_ERROR`
 */
export function parseJoin(value: unknown): Join {
  const message = parseWorkerMessage(value)
  if (message.type === 'join') return message
  throw invalid('type', message.type, 'join')
}

function asJoin(message: Fields): Join {
  const { leases, rois, batches } = message
  if (rois !== undefined && typeof rois !== 'boolean') throw invalid('rois', rois, 'true or false')
  if (batches !== undefined && typeof batches !== 'boolean') throw invalid('batches', batches, 'true or false')
  return {
    type: 'join',
    protocol: asInteger(message, 'protocol'),
    ...(message.worker === undefined ? {} : { worker: asName(message, 'worker') }),
    ...(message.session === undefined ? {} : { session: asName(message, 'session') }),
    ...(leases === undefined ? {} : { leases: asIntegers(message, 'leases') }),
    pid: asInteger(message, 'pid'),
    host: asName(message, 'host'),
    ...(rois === undefined ? {} : { rois }),
    ...(batches === undefined ? {} : { batches }),
    ...(message.task === undefined ? {} : { task: asName(message, 'task') }),
  }
}

/**
 * Checks what the coordinator sent, as far as a worker relies on it. A worker trusts its coordinator with the code that it
 * runs, so the fields of a task are checked only by the grid and the schema that use them.
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
      if (task.owns !== undefined) {
        const owns = asFields(task.owns, 'owns')
        asText(owns, 'id')
        for (const output of asList(owns, 'outputs')) asText({ output }, 'output')
      }
      if (task.resources !== undefined) {
        const units = asFields(task.resources, 'resources')
        for (const name of Object.keys(units)) asIntegers(units, name)
      }
      // A program gets only the fields that its blocks need.
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
      if (code === undefined) throw invalid('code', message.code, REFUSALS.join(', '))
      return { type: 'refused', code, message: asText(message, 'message') }
    }
    default:
      throw invalid('type', message.type, 'welcome, task, lease, revoked, heartbeat, drain or refused')
  }
}

function asRois(message: Fields, count: number): readonly WireRois[] {
  const rois = asList(message, 'rois')
  if (rois.length !== count) throw invalid('rois', rois, `a list of ${count}, one per block`)
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
  throw invalid(name, fields[name], 'an offset and a shape with equally many whole numbers')
}

function asOutcome(value: unknown): Outcome {
  const outcome = asFields(value, 'outcome')
  switch (outcome.status) {
    case 'done':
      return { status: 'done', ms: asDuration(outcome, 'ms') }
    case 'failed':
      return { status: 'failed', ms: asDuration(outcome, 'ms'), error: asError(outcome.error) }
    case 'skipped':
    case 'returned':
      return { status: outcome.status }
    default:
      throw invalid('status', outcome.status, 'done, skipped, failed or returned')
  }
}

function asError(value: unknown): WireError {
  const error = asFields(value, 'error')
  const stack = typeof error.stack === 'string' ? { stack: hideQueries(error.stack.slice(0, MAX_TEXT)) } : {}
  const { code } = error
  if (typeof code !== 'string' || !/^[A-Z][A-Z0-9_]{0,63}$/.test(code)) throw invalid('code', code, 'an error code')
  return { code: code as ErrorCode, message: hideQueries(asText(error, 'message')), ...stack }
}
