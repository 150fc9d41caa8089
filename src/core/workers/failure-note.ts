import type { WireError } from '../errors.ts'

/** What a worker writes into its log about a failed block. @param block `smooth/3` */
export const failureNote = (block: string, { message, stack }: WireError): string =>
  `block ${block} failed:\n${(stack ?? message).trimEnd().replaceAll(/^/gm, '  ')}`

const NOTE = /^block \S+ failed:\n(?: .*(?:\n|$))*/gm

/** A log without such notes: they say nothing of why the worker ended later. */
export const withoutFailureNotes = (log: string): string => log.replaceAll(NOTE, '')
