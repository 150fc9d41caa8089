import { MongoBulkWriteError, MongoServerError } from 'mongodb'

// The keys of all documents except runs are texts that sort like their numbers. So the one index that every collection
// has makes them unique, finds them, and returns them in order.

/** A document with such a key. */
export interface KeyedDocument {
  readonly _id: string
}

/** @param numbers what the document belongs to, outermost first, then its place there */
export function keyOf(run: string, ...numbers: readonly number[]): string {
  return [encodeURIComponent(run), ...numbers.map((number) => String(number).padStart(15, '0'))].join('/')
}

/** Matches all keys that start with these parts: "0" is the character after "/". */
export function within(run: string, ...numbers: readonly number[]): { readonly $gt: string; readonly $lt: string } {
  const prefix = keyOf(run, ...numbers)
  return { $gt: `${prefix}/`, $lt: `${prefix}0` }
}

/** The items in lists of at most `size`. */
export async function* batchesOf<Item>(items: AsyncIterable<Item>, size: number): AsyncGenerator<Item[]> {
  let batch: Item[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

const DUPLICATE_KEY = 11_000

/** Whether all documents that were not inserted have an existing key. @param error the driver's, or one with it as cause */
export function isDuplicateKey(error: unknown): boolean {
  const cause = error instanceof MongoServerError ? error : (error as { cause?: unknown }).cause
  if (!(cause instanceof MongoServerError) || cause.code !== DUPLICATE_KEY) return false
  const errors = cause instanceof MongoBulkWriteError ? [cause.writeErrors].flat() : []
  return errors.every(({ code }) => code === DUPLICATE_KEY)
}
