import { getHeapStatistics } from 'node:v8'
import type { ListPage } from './object-service.ts'

/** Services may answer with pages that have few keys, or none; a list with more of them than this does not end. */
const MOST_SPARSE_PAGES = 1000
/** Pages with fewer keys than this on average are sparse. */
const SPARSE_KEYS = 10
/** What a key takes in memory besides its characters. */
const KEY_BYTES = 64

/** Follows the pages of one list. Only the service knows where it ends, so one that repeats itself, or goes on for ever, is an error. */
export class ListProgress {
  readonly #mostBytes: number
  /** Where pages go on, and the objects with which they start: some services repeat folders. */
  readonly #known = new Set<string>()
  #pages = 0
  #keys = 0
  #bytes = 0

  /** @param mostBytes that all keys may take @default half of what this process may have */
  constructor(mostBytes: number = getHeapStatistics().heap_size_limit / 2) {
    this.#mostBytes = mostBytes
  }

  /** @returns why the list can't be believed, or read, with this page; undefined if it can */
  add({ objects, folders, next }: ListPage): string | undefined {
    this.#pages++
    this.#keys += objects.length + folders.length
    for (const key of objects) this.#bytes += key.length + KEY_BYTES
    for (const key of folders) this.#bytes += key.length + KEY_BYTES
    this.#bytes += (next?.length ?? 0) + KEY_BYTES
    if (this.#bytes > this.#mostBytes)
      return `the list has ${this.#keys} keys so far, more than fit into memory; list a smaller folder`
    if (this.#isKnown('key', objects[0])) return 'the list has keys twice'
    if (this.#isKnown('next', next)) return 'the list leads back to where it was'
    if (next !== undefined && this.#pages > MOST_SPARSE_PAGES + this.#keys / SPARSE_KEYS)
      return `the list goes on after ${this.#pages} pages with ${this.#keys} keys`
    return undefined
  }

  #isKnown(kind: string, text: string | undefined): boolean {
    if (text === undefined) return false
    const known = `${kind} ${text}`
    if (this.#known.has(known)) return true
    this.#known.add(known)
    return false
  }
}
