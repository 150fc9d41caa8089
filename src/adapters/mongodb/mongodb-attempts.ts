import { createHash } from 'node:crypto'
import { type Collection, MongoBulkWriteError } from 'mongodb'
import type { ErrorCode } from '../../core/errors.ts'
import { withMessage, withoutMessage } from '../../core/progress/error-text.ts'
import type { FailedAttempt } from '../../ports/progress-store.ts'
import { damagedRecord } from './mongodb-errors.ts'
import { isDuplicateKey, type KeyedDocument, keyOf, within } from './mongodb-keys.ts'

/** Of SHA-256, in hexadecimal digits: two texts are never taken for each other. */
const HASH_DIGITS = 32
const REPLACED_AT_ONCE = 32
const REMOVED_AT_ONCE = 1000

interface Attempt extends Omit<FailedAttempt, 'task' | 'error'> {
  readonly number: number
  readonly code: ErrorCode
}

/** A failed attempt; the key has its block and its number. Errors repeat, so it refers to their texts. */
export interface AttemptDocument extends Attempt, KeyedDocument {
  readonly message: string
  readonly stack?: string
}

/** A failed attempt of version 1, with its texts in place of references; the key has its place in their order. */
export type OldAttemptDocument = AttemptDocument

/** The message of an error, or a stack without its message. */
export interface TextDocument extends KeyedDocument {
  readonly text: string
}

/** Reads and writes the failed attempts of one run. */
export class AttemptStore {
  readonly #run: string
  readonly #attempts: Collection<AttemptDocument>
  readonly #texts: Collection<TextDocument>
  #next = 0
  /** A failed attempt keeps its number: a batch written twice, since the first answer was lost, changes nothing. */
  readonly #numbers = new WeakMap<FailedAttempt, number>()

  constructor(run: string, attempts: Collection<AttemptDocument>, texts: Collection<TextDocument>) {
    this.#run = run
    this.#attempts = attempts
    this.#texts = texts
  }

  static fromOld(task: number, { code, message, stack, ...document }: OldAttemptDocument): FailedAttempt {
    return fromDocument(task, document, { code, message, ...(stack === undefined ? {} : { stack }) })
  }

  /** Continues the numbers of what is stored, and removes the texts to which nothing refers any more. */
  async prepare(tasks: number): Promise<void> {
    const used = new Set<string>()
    for (let task = 0; task < tasks; task++) {
      const found = this.#attempts.find(
        { _id: within(this.#run, task) },
        { projection: { number: 1, message: 1, stack: 1 } },
      )
      for await (const document of found) {
        const { number, message, stack } = this.#checked(document)
        this.#next = Math.max(this.#next, number + 1)
        used.add(message)
        if (stack !== undefined) used.add(stack)
      }
    }
    const unused: string[] = []
    for await (const { _id } of this.#texts.find({ _id: within(this.#run) }, { projection: { _id: 1 } })) {
      if (!used.has(_id)) unused.push(_id)
    }
    for (let at = 0; at < unused.length; at += REMOVED_AT_ONCE) {
      await this.#texts.deleteMany({ _id: { $in: unused.slice(at, at + REMOVED_AT_ONCE) } })
    }
  }

  async put(failedAttempts: readonly FailedAttempt[]): Promise<void> {
    if (failedAttempts.length === 0) return
    const texts = new Map<string, string>()
    const keyOfText = (text: string) => {
      const key = `${keyOf(this.#run)}/${createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS)}`
      texts.set(key, text)
      return key
    }
    const documents = failedAttempts.map((failed): AttemptDocument => {
      const { task, error, ...rest } = failed
      const { code, stack } = error
      const message = keyOfText(error.message)
      const frames = stack === undefined ? {} : { stack: keyOfText(withoutMessage(stack, error.message)) }
      const _id = keyOf(this.#run, task, rest.block, rest.attempt)
      return { _id, ...rest, number: this.#numberOf(failed), code, message, ...frames }
    })
    await insertMissing(
      this.#texts,
      Array.from(texts, ([_id, text]) => ({ _id, text })),
    )
    const known = await insertMissing(this.#attempts, documents)
    for (let at = 0; at < known.length; at += REPLACED_AT_ONCE) {
      const operations = known.slice(at, at + REPLACED_AT_ONCE).map(({ _id, ...replacement }) => {
        return { replaceOne: { filter: { _id }, replacement, upsert: true } }
      })
      await this.#attempts.bulkWrite(operations, { ordered: false })
    }
  }

  /** Documents as failed attempts. */
  async withTexts(task: number, documents: readonly AttemptDocument[]): Promise<FailedAttempt[]> {
    const keys = new Set(
      documents
        .map((document) => this.#checked(document))
        .flatMap(({ message, stack }) => (stack === undefined ? [message] : [message, stack])),
    )
    if (keys.size === 0) return []
    const texts = new Map<string, string>()
    for await (const { _id, text } of this.#texts.find({ _id: { $in: [...keys] } })) {
      // Others may have changed it.
      if (typeof text === 'string') texts.set(_id, text)
    }
    return documents.map(({ code, message: itsMessage, stack: itsStack, ...document }) => {
      const message = texts.get(itsMessage) ?? ''
      const stack = itsStack === undefined ? {} : { stack: withMessage(texts.get(itsStack) ?? '', message) }
      return fromDocument(task, document, { code, message, ...stack })
    })
  }

  /** @throws InfrastructureError `CORRUPT_DATA` for what others have made of one, as far as it is used here */
  #checked<T extends Pick<AttemptDocument, 'number' | 'message' | 'stack'>>(document: T): T {
    const { number, message, stack } = document
    const isRight = Number.isSafeInteger(number) && number >= 0 && typeof message === 'string'
    if (isRight && (stack === undefined || typeof stack === 'string')) return document
    throw damagedRecord(
      `The record of ${this.#run}`,
      'the number, the message or the stack of a failed attempt was changed',
    )
  }

  #numberOf(failed: FailedAttempt): number {
    const known = this.#numbers.get(failed)
    if (known !== undefined) return known
    const number = this.#next++
    this.#numbers.set(failed, number)
    return number
  }
}

/** Inserts the documents whose keys are new. @returns the others */
async function insertMissing<T extends KeyedDocument>(
  collection: Collection<T>,
  documents: readonly T[],
): Promise<T[]> {
  try {
    await (collection as unknown as Collection<KeyedDocument>).insertMany(documents, { ordered: false })
    return []
  } catch (error) {
    if (!isDuplicateKey(error) || !(error instanceof MongoBulkWriteError)) throw error
    return [error.writeErrors].flat().map(({ index }) => documents[index] as T)
  }
}

const fromDocument = (
  task: number,
  { block, attempt, isFinal, workerId, host, durationMs, time }: Omit<Attempt, 'number' | 'code'>,
  error: FailedAttempt['error'],
): FailedAttempt => ({ task, block, attempt, isFinal, error, workerId, host, durationMs, time })
