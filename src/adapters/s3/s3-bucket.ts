import { createHash } from 'node:crypto'
import { InfrastructureError } from '../../core/errors.ts'
import { putParts } from './multipart.ts'
import { showS3Address } from './s3-address.ts'
import { type S3Answer, versionIn, wrongPart } from './s3-answer.ts'
import { type S3Options, S3Requests } from './s3-requests.ts'
import { type S3Settings, s3Settings } from './s3-settings.ts'
import { elementsOf, escapeXml, textOf } from './xml.ts'

export interface GetObject {
  /** `bytes=0-99` or `bytes=-16`. @default all of it */
  readonly range?: string
  /** The only version that is wanted. */
  readonly of?: string | undefined
  /** The version that is not wanted again. */
  readonly unless?: string | undefined
  readonly atMost: number
  readonly into?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FoundObject {
  readonly body: Uint8Array
  /** Its entity tag. */
  readonly version?: string
  /** Bytes of all of it; undefined if the service doesn't say. */
  readonly total: number | undefined
  /** When it was written, and now, by the clock of the service; NaN if it doesn't say. */
  readonly writtenMs: number
  readonly nowMs: number
}

export interface PutObject {
  /** Only if there is none, or only in place of this version. @default in any case */
  readonly only?: 'new' | { readonly of: string }
  /** Called before each attempt; if it throws, nothing is written. */
  readonly before?: (() => Promise<void>) | undefined
}

export interface ListedKeys {
  /** Keys of objects. */
  readonly objects: readonly string[]
  /** Keys that others begin with, with their last `/`. */
  readonly folders: readonly string[]
}

/** Larger objects are written in parts, which become visible together. */
const PART_BYTES = 32 * 2 ** 20
const LIST_BYTES = 8 * 2 ** 20
/** Most objects that one request removes. */
const MOST_REMOVED = 1000

/** The objects of a bucket. */
export class S3Bucket {
  readonly #requests: S3Requests
  #isListable: Promise<boolean> | undefined
  /** The key of an object that was read. */
  #readable: string | undefined

  constructor(bucket: string, settings: S3Settings = s3Settings(), options: S3Options = {}) {
    this.#requests = new S3Requests(bucket, settings, options)
  }

  /**
   * An object, or a part of it. A part that begins beyond its end is empty.
   * @returns 'missing', 'changed' if it is not the wanted version, 'same' if it is still the one that is not wanted again
   * @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR`
   */
  async get(
    key: string,
    { range, of, unless, ...limits }: GetObject,
  ): Promise<FoundObject | 'missing' | 'changed' | 'same'> {
    const answer = await this.#requests.send({
      method: 'GET',
      action: 'read',
      key,
      ...limits,
      headers: {
        ...(range === undefined ? {} : { range }),
        ...(of === undefined ? {} : { 'if-match': of }),
        ...(unless === undefined ? {} : { 'if-none-match': unless }),
      },
      // An answer to what was not asked says nothing: a proxy may be broken, and nothing is missing.
      expected: [
        ...[403, 404],
        ...(unless === undefined ? [] : [304]),
        ...(of === undefined ? [] : [412]),
        ...(range === undefined ? [] : [416]),
      ],
      wrong: (found) => wrongAnswer(found, range),
    })
    if (answer.status === 403) {
      // Whoever may not list a bucket is not told which of its objects are missing.
      if ((await this.#mayList(key)) || !(await this.#mayStillRead()))
        throw this.#requests.errorOf(answer, { action: 'read', key })
      return 'missing'
    }
    if (answer.status === 404) return 'missing'
    if (answer.status === 412) return 'changed'
    if (answer.status === 304) return 'same'
    this.#readable ??= key
    return foundIn(answer)
  }

  /** Whether an object that could be read can still be read: if not, forbidden objects say nothing about what is missing. */
  async #mayStillRead(): Promise<boolean> {
    const key = this.#readable
    if (key === undefined) return true
    const headers = { range: 'bytes=0-0' }
    const { status } = await this.#requests.send({
      ...{ method: 'GET', action: 'read', key, headers, atMost: LIST_BYTES },
      expected: [403, 404, 416],
    })
    return status !== 403
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

  /**
   * Writes an object, all of it or nothing.
   * @returns its version; 'refused' if the condition does not hold
   * @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR`; what `before` throws
   */
  async put(
    key: string,
    parts: readonly Uint8Array[],
    { only, before }: PutObject = {},
  ): Promise<{ readonly version?: string } | 'refused'> {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    if (bytes > PART_BYTES && only === undefined) {
      return putParts(this.#requests, key, parts, { bytes, partBytes: PART_BYTES, before })
    }
    const answer = await this.#requests.send({
      method: 'PUT',
      action: 'write',
      key,
      body: parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts),
      headers: only === 'new' ? { 'if-none-match': '*' } : only === undefined ? {} : { 'if-match': only.of },
      expected: only === undefined ? [] : [404, 412, 501],
      atMost: LIST_BYTES,
      before,
    })
    // A service that knows no conditions: whoever needs one has to read what was written.
    if (answer.status === 501) return this.put(key, parts, { before })
    return answer.status < 300 ? versionIn(answer) : 'refused'
  }

  /** Removes an object; no error if there is none. @throws what `before` throws */
  async remove(key: string, before?: () => Promise<void>): Promise<void> {
    await this.#requests.send({
      method: 'DELETE',
      action: 'remove',
      key,
      expected: [404],
      atMost: LIST_BYTES,
      before,
    })
  }

  /** Removes many objects. @throws InfrastructureError `IO_ERROR` for the first that can't be removed */
  async removeAll(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += MOST_REMOVED) await this.#removeSome(keys.slice(at, at + MOST_REMOVED))
  }

  async #removeSome(keys: readonly string[]): Promise<void> {
    const [first = ''] = keys
    if (keys.length <= 1) return this.remove(first)
    const objects = keys.map((key) => `<Object><Key>${escapeXml(key)}</Key></Object>`).join('')
    const body = Buffer.from(
      `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>true</Quiet>${objects}</Delete>`,
    )
    const { body: answer } = await this.#requests.send({
      method: 'POST',
      action: 'remove',
      key: '',
      query: [['delete', '']],
      headers: { 'content-md5': createHash('md5').update(body).digest('base64') },
      body,
      atMost: LIST_BYTES,
      wrong: ({ body: xml }) =>
        /<DeleteResult[^>]*\/>|<\/DeleteResult>/.test(endOf(xml))
          ? undefined
          : 'the answer does not say what was removed',
    })
    const [failed] = elementsOf(new TextDecoder().decode(answer), 'Error')
    if (failed === undefined) return
    const where = showS3Address({ bucket: this.#requests.bucket, key: textOf(failed, 'Key') ?? first })
    const why = `${textOf(failed, 'Code')}: ${textOf(failed, 'Message')}`
    throw new InfrastructureError('IO_ERROR', `Can't remove ${where}: ${why}.`)
  }

  /**
   * Keys with a prefix, in their order.
   * @param options `isDeep`: all of them; otherwise those up to the next `/`. `limit`: when to stop. @default at the end
   */
  async list(
    prefix: string,
    options: { readonly isDeep?: boolean; readonly limit?: number } = {},
  ): Promise<ListedKeys> {
    const { isDeep = false, limit = Number.POSITIVE_INFINITY } = options
    const objects: string[] = []
    const folders: string[] = []
    for (let next: string | undefined = ''; next !== undefined; ) {
      const { body }: S3Answer = await this.#requests.send({
        method: 'GET',
        action: 'list',
        key: '',
        query: [
          ['list-type', '2'],
          ['prefix', prefix],
          ...(isDeep ? [] : [['delimiter', '/'] as const]),
          ...(next === '' ? [] : [['continuation-token', next] as const]),
        ],
        atMost: LIST_BYTES,
        wrong: ({ body: xml }) => wrongList(new TextDecoder().decode(xml), prefix, next),
      })
      const page = pageOf(new TextDecoder().decode(body))
      objects.push(...page.objects)
      folders.push(...page.folders)
      next = objects.length + folders.length < limit ? page.next : undefined
    }
    return { objects, folders }
  }
}

/** The end of an answer. */
const endOf = (xml: Uint8Array): string => new TextDecoder().decode(xml.subarray(Math.max(0, xml.length - 256)))

const pageOf = (xml: string): ListedKeys & { readonly next: string | undefined } => ({
  objects: elementsOf(xml, 'Contents').map((item) => textOf(item, 'Key') ?? ''),
  folders: elementsOf(xml, 'CommonPrefixes').map((item) => textOf(item, 'Prefix') ?? ''),
  next: textOf(xml, 'IsTruncated') === 'true' ? (textOf(xml, 'NextContinuationToken') ?? '') : undefined,
})

/** Why an answer can't be a page of a list: what it leaves out would count as missing, and what it adds would be removed. */
function wrongList(xml: string, prefix: string, before: string | undefined): string | undefined {
  if (!xml.slice(-64).includes('</ListBucketResult>')) return 'the answer is no complete list'
  const { objects, folders, next } = pageOf(xml)
  if ([...objects, ...folders].some((key) => key === '' || !key.startsWith(prefix))) {
    return 'the list has keys that were not asked for'
  }
  return next !== undefined && (next === '' || next === before) ? 'the list goes on, and does not say where' : undefined
}

function wrongAnswer(answer: S3Answer, range: string | undefined): string | undefined {
  if (answer.status === 206) {
    return range === undefined
      ? 'the service sent a part of it, although all of it was requested'
      : wrongPart(answer, range)
  }
  return answer.status === 200 && range !== undefined
    ? 'the service sent all of it, although a part was requested'
    : undefined
}

function totalIn({ status, body, headers }: S3Answer): number | undefined {
  if (status === 200) return body.length
  const total = /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

const foundIn = (answer: S3Answer): FoundObject => ({
  body: answer.body,
  ...versionIn(answer),
  total: totalIn(answer),
  writtenMs: Date.parse(answer.headers.get('last-modified') ?? ''),
  nowMs: Date.parse(answer.headers.get('date') ?? ''),
})
