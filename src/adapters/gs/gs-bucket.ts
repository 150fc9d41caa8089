import { given } from '../../core/given.ts'
import { Bucket } from '../objects/bucket.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import type { ListPage, ObjectCalls } from '../objects/object-service.ts'
import { GsProtocol } from './gs-protocol.ts'
import { type GsSettings, gsSettings } from './gs-settings.ts'
import { putResumable } from './resumable.ts'
import { metadataIn, uploadPath, wrongUpload } from './uploads.ts'

/** @see https://cloud.google.com/storage/docs/json_api */
const gsCalls = (bucket: string): ObjectCalls => ({
  hasEnds: true,
  get: (_, { of, unless }) => ({
    query: [
      ['alt', 'media'],
      ...(of === undefined ? [] : [['ifGenerationMatch', of] as const]),
      ...(unless === undefined ? [] : [['ifGenerationNotMatch', unless] as const]),
    ],
  }),
  put: (key, body, only) => ({
    method: 'POST',
    path: uploadPath(bucket),
    query: [
      ['uploadType', 'media'],
      ['name', key],
      ...(only === undefined ? [] : [['ifGenerationMatch', only === 'new' ? '0' : only.of] as const]),
    ],
    headers: { 'content-type': 'application/octet-stream' },
    wrong: (answer) => wrongUpload(answer, body),
  }),
  remove: () => ({}),
  list: (prefix, isDeep, next) => ({
    query: [
      ['prefix', prefix],
      ['fields', 'kind,items(name),prefixes,nextPageToken'],
      ...(isDeep ? [] : [['delimiter', '/'] as const]),
      ...(next === undefined ? [] : [['pageToken', next] as const]),
    ],
  }),
  pageOf: gsPageOf,
  versionIn: (answer) =>
    given({ version: answer.headers.get('x-goog-generation') ?? metadataIn(answer).generation ?? undefined }),
  // Generations are the times of writing, in µs.
  writtenMs: ({ headers }) => Number(headers.get('x-goog-generation') ?? Number.NaN) / 1000,
  putLarge: putResumable,
})

interface ListAnswer {
  readonly kind?: unknown
  readonly items?: readonly { readonly name?: unknown }[]
  readonly prefixes?: readonly unknown[]
  readonly nextPageToken?: unknown
}

/** @returns undefined for an answer that is no complete page */
export function gsPageOf(text: string): ListPage | undefined {
  let found: ListAnswer
  try {
    found = JSON.parse(text)
  } catch {
    return undefined
  }
  const { kind, items = [], prefixes = [], nextPageToken: next } = found ?? {}
  if (kind !== 'storage#objects' || !Array.isArray(items) || !Array.isArray(prefixes)) return undefined
  const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
    objects: items.map((item) => textOf(item?.name)),
    folders: prefixes.map(textOf),
    next: next === undefined ? undefined : textOf(next),
  }
}

/** The objects of a bucket in Google Cloud Storage. */
export const gsBucket = (bucket: string, settings: GsSettings = gsSettings(), options: ObjectOptions = {}): Bucket =>
  new Bucket({ protocol: new GsProtocol(bucket, settings), calls: gsCalls(bucket) }, options)
