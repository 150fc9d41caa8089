import { InfrastructureError } from '../../core/errors.ts'
import type { FoundObject, GetObject, ListedKeys, ObjectBucket, PutObject } from '../../ports/object-bucket.ts'
import { type ObjectAnswer, wrongPart } from './answer.ts'
import { ListProgress } from './list-progress.ts'
import type { ObjectOptions } from './object-request.ts'
import type { ListPage, ObjectCalls, ObjectService } from './object-service.ts'
import { ServiceRequests } from './requests.ts'

const PART_BYTES = 32 * 2 ** 20
const LIST_BYTES = 8 * 2 ** 20
/** Most objects that one request removes, and requests that remove one each at once. */
const MOST_REMOVED = 1000
const REMOVED_AT_ONCE = 16
/** How often an object is looked at again that is replaced all the time. */
const MOST_LOOKS = 5

type Got = FoundObject | 'missing' | 'changed' | 'same'

/** The objects of a bucket, whatever the service. */
export class Bucket implements ObjectBucket {
  readonly #requests: ServiceRequests
  readonly #calls: ObjectCalls
  readonly #partBytes: number
  #isListable: Promise<boolean> | undefined
  /** The key of an object that was read. */
  #readable: string | undefined

  constructor({ protocol, calls }: ObjectService, { partBytes = PART_BYTES, ...options }: ObjectOptions = {}) {
    this.#requests = new ServiceRequests(protocol, options)
    this.#calls = calls
    this.#partBytes = partBytes
  }

  get(key: string, options: GetObject): Promise<Got> {
    const [, count] = /^bytes=-(\d+)$/.exec(options.range ?? '') ?? []
    return count === undefined || this.#calls.hasEnds
      ? this.#get(key, options)
      : this.#getEnd(key, Number(count), options)
  }

  /** The last bytes, where a service counts only from the start: its length is asked for first. */
  async #getEnd(key: string, count: number, options: GetObject): Promise<Got> {
    for (let looks = 1; ; looks++) {
      const first = await this.#get(key, { ...options, range: 'bytes=0-0', into: undefined })
      if (typeof first === 'string' || !first.total) return first
      const range = `bytes=${Math.max(0, first.total - count)}-${first.total - 1}`
      const end = await this.#get(key, { ...options, range, of: first.version, unless: undefined })
      if (end !== 'changed' || options.of !== undefined || looks === MOST_LOOKS) return end
    }
  }

  async #get(key: string, { range, of, unless, ...limits }: GetObject): Promise<Got> {
    const own = this.#calls.get(key, { of, unless })
    const answer = await this.#requests.send({
      method: 'GET',
      action: 'read',
      key,
      ...own,
      ...limits,
      headers: { ...own.headers, ...(range === undefined ? {} : { range }) },
      // An answer to what was not asked says nothing: a proxy may be broken, and nothing is missing.
      expected: [
        ...[401, 403, 404],
        ...(unless === undefined ? [] : [304]),
        ...(of === undefined ? [] : [412]),
        ...(range === undefined ? [] : [416]),
      ],
      wrong: (found) => wrongAnswer(found, range),
    })
    if (answer.status === 401 || answer.status === 403) {
      // Whoever may not list a bucket is not told which of its objects are missing.
      if ((await this.#mayList(key)) || !(await this.#mayStillRead()))
        throw this.#requests.errorOf(answer, { action: 'read', key })
      return 'missing'
    }
    if (answer.status === 404) return 'missing'
    if (answer.status === 412) return 'changed'
    if (answer.status === 304) return 'same'
    this.#readable ??= key
    const found = this.#foundIn(answer)
    // Not all services know conditions.
    if (found.version === undefined) return found
    if (of !== undefined && found.version !== of) return 'changed'
    return found.version === unless ? 'same' : found
  }

  #foundIn(answer: ObjectAnswer): FoundObject {
    const { headers, body } = answer
    const writtenMs = Date.parse(headers.get('last-modified') ?? '')
    return {
      body,
      ...this.#calls.versionIn(answer),
      total: totalIn(answer),
      writtenMs: Number.isNaN(writtenMs) ? (this.#calls.writtenMs?.(answer) ?? Number.NaN) : writtenMs,
      nowMs: Date.parse(headers.get('date') ?? ''),
    }
  }

  /** Whether an object that could be read can still be read: if not, forbidden objects say nothing about what is missing. */
  async #mayStillRead(): Promise<boolean> {
    const key = this.#readable
    if (key === undefined) return true
    const own = this.#calls.get(key, {})
    const headers = { ...own.headers, range: 'bytes=0-0' }
    const { status } = await this.#requests.send({
      ...{ method: 'GET', action: 'read', key, ...own, headers, atMost: LIST_BYTES },
      expected: [401, 403, 404, 416],
    })
    return status !== 403 && status !== 401
  }

  #mayList(key: string): Promise<boolean> {
    this.#isListable ??= this.list(key, { limit: 1 }).then(
      () => true,
      (error) => {
        if (error instanceof InfrastructureError && error.code === 'UNAUTHORIZED') return false
        this.#isListable = undefined
        throw error
      },
    )
    return this.#isListable
  }

  async put(
    key: string,
    parts: readonly Uint8Array[],
    { only, before }: PutObject = {},
  ): Promise<{ readonly version?: string } | 'refused'> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    const partBytes = this.#partBytes
    if (bytes > partBytes && only === undefined) {
      return this.#calls.putLarge(this.#requests, key, { pieces: parts, bytes, partBytes, before })
    }
    const body = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
    const answer = await this.#requests.send({
      action: 'write',
      key,
      body,
      ...this.#calls.put(key, body, only),
      expected: only === undefined ? [] : [404, 409, 412, 501],
      atMost: LIST_BYTES,
      before,
    })
    // A service that knows no conditions: whoever needs one has to read what was written.
    if (answer.status === 501) return this.put(key, parts, { before })
    return answer.status < 300 ? this.#calls.versionIn(answer) : 'refused'
  }

  async remove(key: string, before?: () => Promise<void>): Promise<void> {
    await this.#requests.send({
      method: 'DELETE',
      action: 'remove',
      key,
      ...this.#calls.remove(key),
      // A folder of an account with a hierarchy, which is no object.
      expected: [404, 409],
      atMost: LIST_BYTES,
      before,
    })
  }

  async removeAll(keys: readonly string[]): Promise<void> {
    const removeSome = this.#calls.removeSome
    const most = removeSome === undefined ? REMOVED_AT_ONCE : MOST_REMOVED
    for (let at = 0; at < keys.length; at += most) {
      const some = keys.slice(at, at + most)
      if (removeSome === undefined || some.length === 1) await Promise.all(some.map((key) => this.remove(key)))
      else await removeSome(this.#requests, some)
    }
  }

  async list(
    prefix: string,
    options: { readonly isDeep?: boolean; readonly limit?: number } = {},
  ): Promise<ListedKeys> {
    const { isDeep = false, limit = Number.POSITIVE_INFINITY } = options
    const objects: string[] = []
    const folders: string[] = []
    const progress = new ListProgress()
    for (let next: string | undefined = ''; next !== undefined; ) {
      const before: string = next
      const { body }: ObjectAnswer = await this.#requests.send({
        method: 'GET',
        action: 'list',
        key: '',
        ...this.#calls.list(prefix, isDeep, before === '' ? undefined : before),
        atMost: LIST_BYTES,
        wrong: ({ body: text }) => wrongList(this.#pageIn(text), prefix, before),
      })
      const page = this.#pageIn(body) as ListPage
      const endless = progress.add(page)
      if (endless !== undefined) {
        const where = this.#requests.protocol.where(prefix)
        throw new InfrastructureError('IO_ERROR', `Can't list ${where}: ${endless}.`)
      }
      for (const key of page.objects) objects.push(ownText(key))
      for (const key of page.folders) folders.push(ownText(key))
      next = objects.length + folders.length < limit ? page.next : undefined
    }
    return { objects, folders }
  }

  #pageIn(body: Uint8Array): ListPage | undefined {
    return this.#calls.pageOf(new TextDecoder().decode(body))
  }
}

/** A key was cut out of an answer, and would keep all of it in memory. */
const ownText = (key: string): string => Buffer.from(key).toString()

/** Why an answer can't be a page of a list: what it leaves out would count as missing, and what it adds would be removed. */
function wrongList(page: ListPage | undefined, prefix: string, before: string): string | undefined {
  if (page === undefined) return 'the answer is no complete list'
  const { objects, folders, next } = page
  if ([...objects, ...folders].some((key) => key === '' || !key.startsWith(prefix))) {
    return 'the list has keys that were not asked for'
  }
  return next !== undefined && (next === '' || next === before) ? 'the list goes on, and does not say where' : undefined
}

function wrongAnswer(answer: ObjectAnswer, range: string | undefined): string | undefined {
  if (answer.status === 206) {
    return range === undefined
      ? 'the service sent a part of it, although all of it was requested'
      : wrongPart(answer, range)
  }
  return answer.status === 200 && range !== undefined
    ? 'the service sent all of it, although a part was requested'
    : undefined
}

function totalIn({ status, body, headers }: ObjectAnswer): number | undefined {
  if (status === 200) return body.length
  const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}
