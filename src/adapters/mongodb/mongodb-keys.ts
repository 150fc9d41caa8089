import { MongoBulkWriteError, MongoServerError } from 'mongodb'

// The keys of all documents but runs are texts that sort as their numbers do. So the one index that every collection has
// makes them unique, finds them, and gives them in order.

/** A document that has such a key. */
export interface KeyedDocument {
  readonly _id: string
}

/** @param numbers what a document is of, from the largest part down, and its place there */
export function keyOf(run: string, ...numbers: readonly number[]): string {
  return [encodeURIComponent(run), ...numbers.map((number) => String(number).padStart(15, '0'))].join('/')
}

/** The condition for all keys that begin with these parts: "0" comes after "/". */
export function within(run: string, ...numbers: readonly number[]): { readonly $gt: string; readonly $lt: string } {
  const prefix = keyOf(run, ...numbers)
  return { $gt: `${prefix}/`, $lt: `${prefix}0` }
}

const DUPLICATE_KEY = 11_000

/** Whether all that was not inserted has a key that is there already. @param error also one that has it as its cause */
export function isDuplicateKey(error: unknown): boolean {
  const cause = error instanceof MongoServerError ? error : (error as { cause?: unknown }).cause
  if (!(cause instanceof MongoServerError) || cause.code !== DUPLICATE_KEY) return false
  const errors = cause instanceof MongoBulkWriteError ? [cause.writeErrors].flat() : []
  return errors.every(({ code }) => code === DUPLICATE_KEY)
}
