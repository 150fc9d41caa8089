import { type BlockwiseError, type ErrorCode, InfrastructureError, type WireError } from '../errors.ts'
import type { Outcome, ServerMessage, WorkerMessage } from './messages.ts'

/** The most entries that one message may list. */
const MAX_LIST = 65_536
/** Longer texts of a message (errors, stacks) are cut here. */
const MAX_TEXT = 65_536

type Fields = Readonly<Record<string, unknown>>

/** What a worker sent, checked. @throws InfrastructureError `PROTOCOL_ERROR` saying which field is wrong */
export function parseWorkerMessage(value: unknown): WorkerMessage {
  const message = asFields(value, 'message')
  switch (message.type) {
    case 'hello':
      return {
        type: 'hello',
        protocol: asInteger(message, 'protocol'),
        pid: asInteger(message, 'pid'),
        host: asText(message, 'host'),
      }
    case 'task-ready':
      return { type: 'task-ready', taskId: asText(message, 'taskId') }
    case 'outcomes':
      return {
        type: 'outcomes',
        lease: asInteger(message, 'lease'),
        outcomes: asList(message, 'outcomes').map(asOutcome),
      }
    case 'setup-failed':
      return { type: 'setup-failed', taskId: asText(message, 'taskId'), error: asError(message.error) }
    case 'goodbye':
      return { type: 'goodbye' }
    default:
      throw wrong('type', message.type, 'hello, task-ready, outcomes, setup-failed or goodbye')
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
      return { type: 'welcome', protocol: asInteger(message, 'protocol'), workerId: asText(message, 'workerId') }
    case 'task': {
      const task = asFields(message.task, 'task')
      for (const field of ['id', 'module', 'name', 'unit']) asText(task, field)
      asFields(task.grid, 'grid')
      return message as unknown as ServerMessage
    }
    case 'lease': {
      const blocks = asList(message, 'blocks')
      if (!blocks.every((block) => Number.isSafeInteger(block) && (block as number) >= 0)) {
        throw wrong('blocks', blocks, 'block indices')
      }
      return {
        type: 'lease',
        lease: asInteger(message, 'lease'),
        taskId: asText(message, 'taskId'),
        blocks: blocks as number[],
      }
    }
    case 'drain':
      return { type: 'drain' }
    default:
      throw wrong('type', message.type, 'welcome, task, lease or drain')
  }
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
  return { code: asText(error, 'code') as ErrorCode, message: asText(error, 'message'), ...stack }
}

function asDuration(fields: Fields): number {
  const ms = fields.ms
  if (typeof ms === 'number' && ms >= 0 && Number.isFinite(ms)) return ms
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

function asList(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (Array.isArray(value) && value.length <= MAX_LIST) return value
  throw wrong(name, value, `a list of at most ${MAX_LIST} entries`)
}

function wrong(field: string, value: unknown, expected: string): BlockwiseError {
  const shown = (JSON.stringify(value) ?? String(value)).slice(0, 100)
  return new InfrastructureError(
    'PROTOCOL_ERROR',
    `A message is wrong: "${field}" is ${shown}, but must be ${expected}.`,
  )
}
