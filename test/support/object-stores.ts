import { ACCOUNT, azureOrSkip } from './azure.ts'
import type { Skippable } from './cluster.ts'
import { gsOrSkip } from './gs.ts'
import type { ObjectServer } from './object-server.ts'
import { s3OrSkip } from './s3.ts'

/** An object store with a server for tests. */
export interface TestedStore {
  readonly scheme: 's3' | 'gs' | 'az'
  /** For titles. */
  readonly name: string
  /** The address of a bucket. */
  addressOf(bucket: string): string
  orSkip(t: Skippable): Promise<ObjectServer | undefined>
}

/** All object stores that Bellis reads and writes. */
export const OBJECT_STORES: readonly TestedStore[] = [
  { scheme: 's3', name: 'S3', addressOf: (bucket) => `s3://${bucket}`, orSkip: s3OrSkip },
  { scheme: 'gs', name: 'Google Cloud Storage', addressOf: (bucket) => `gs://${bucket}`, orSkip: gsOrSkip },
  { scheme: 'az', name: 'Azure Blob Storage', addressOf: (name) => `az://${ACCOUNT}/${name}`, orSkip: azureOrSkip },
]
