import { WRITERS_FOLDER } from '../output-writers.ts'
import { joinKey, TEMPORARY_PREFIX } from '../store.ts'
import { LOCK_FILE, MARK_FILE } from '../write-guard.ts'
import { writeZip } from './write-zip.ts'
import { zipStore } from './zip-store.ts'

/** What OME-NGFF's readers are told of the zip file: its version, and that metadata come first. */
const OME_COMMENT = JSON.stringify({ ome: { version: '0.5', zipFile: { centralDirectory: { jsonFirst: true } } } })

/**
 * Packs the container in a folder into a zip file, with the marks of the runs that wrote its arrays, and without what belongs to those that
 * write them now.
 * @throws what `writeZip` throws
 */
export const packContainer = (folder: string, target: string, { isOme }: { readonly isOme: boolean }): Promise<void> =>
  writeZip(folder, target, {
    leavesOut: (name) => name.startsWith(TEMPORARY_PREFIX) || name === LOCK_FILE || name === WRITERS_FOLDER,
    ...(isOme ? { comment: OME_COMMENT } : {}),
  })

/** The mark of the run that wrote an array of a zip file. @returns undefined if there is none */
export async function markInZip(path: string, inner: string): Promise<string | undefined> {
  const bytes = await zipStore(path).get(joinKey(inner, MARK_FILE))
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}
