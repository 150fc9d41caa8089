import { createHash } from 'node:crypto'
import { given } from '../../core/given.ts'
import { Bucket } from '../objects/bucket.ts'
import type { ObjectOptions } from '../objects/object-request.ts'
import type { ListPage, ObjectCalls } from '../objects/object-service.ts'
import { elementsOf, textOf } from '../objects/xml.ts'
import { AzureProtocol } from './azure-protocol.ts'
import { type AzureSettings, azureSettings } from './azure-settings.ts'
import { putBlocks } from './blocks.ts'

/** @see https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api */
const azureCalls: ObjectCalls = {
  hasEnds: false,
  get: (_, { of, unless }) => ({
    headers: {
      ...(of === undefined ? {} : { 'if-match': of }),
      ...(unless === undefined ? {} : { 'if-none-match': unless }),
    },
  }),
  put: (_key, body, only) => ({
    method: 'PUT',
    headers: {
      'x-ms-blob-type': 'BlockBlob',
      'content-type': 'application/octet-stream',
      'content-md5': createHash('md5').update(body).digest('base64'),
      ...(only === 'new' ? { 'if-none-match': '*' } : only === undefined ? {} : { 'if-match': only.of }),
    },
  }),
  remove: () => ({ headers: { 'x-ms-delete-snapshots': 'include' } }),
  list: (prefix, isDeep, next) => ({
    query: [
      ['restype', 'container'],
      ['comp', 'list'],
      ['prefix', prefix],
      ...(isDeep ? [] : [['delimiter', '/'] as const]),
      ...(next === undefined ? [] : [['marker', next] as const]),
    ],
  }),
  pageOf: azurePageOf,
  versionIn: ({ headers }) => given({ version: headers.get('etag') ?? undefined }),
  putLarge: putBlocks,
}

/** @returns undefined for an answer that is no complete page */
export function azurePageOf(xml: string): ListPage | undefined {
  if (!xml.slice(-64).includes('</EnumerationResults>')) return undefined
  // Accounts with a hierarchy list folders as if they were objects, too.
  const blobs = elementsOf(xml, 'Blob').filter((item) => textOf(item, 'ResourceType') !== 'directory')
  return {
    objects: blobs.map((item) => textOf(item, 'Name') ?? ''),
    folders: elementsOf(xml, 'BlobPrefix').map((item) => textOf(item, 'Name') ?? ''),
    next: textOf(xml, 'NextMarker') || undefined,
  }
}

/** The objects of a container in Azure Blob Storage. @param bucket `account/container` */
export const azureBucket = (
  bucket: string,
  settings: AzureSettings = azureSettings(bucket.slice(0, bucket.indexOf('/'))),
  options: ObjectOptions = {},
): Bucket => new Bucket({ protocol: new AzureProtocol(bucket, settings), calls: azureCalls }, options)
