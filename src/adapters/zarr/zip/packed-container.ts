import { isPartOfArray, METADATA_FILES } from '../metadata/array-parts.ts'
import { isJsonObject } from '../metadata/exact-json.ts'
import { OME_KEYS } from '../metadata/group-metadata.ts'
import { readNode } from '../metadata/hierarchy.ts'
import { WRITERS_FOLDER } from '../output-writers.ts'
import { joinKey, parentKey, type Store, TEMPORARY_PREFIX } from '../store.ts'
import { LOCK_FILE, MARK_FILE } from '../write-guard.ts'
import { writeZip } from './write-zip.ts'
import { namesInZip, zipStore } from './zip-store.ts'

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

/**
 * What a zip file has besides some arrays and the groups around them: other files and groups, and attributes of groups. Those that OME-NGFF
 * defines, and groups that have no others, come with what a run converts: they count only if no run has written one of the arrays.
 * @param inner the paths of the arrays
 */
export async function othersInZip(path: string, inner: readonly string[]): Promise<readonly string[]> {
  const names = namesInZip(path)
  const isWritten = inner.some((key) => names.includes(joinKey(key, MARK_FILE)))
  const groups = new Set<string>()
  const found: string[] = []
  for (const name of names) {
    if (inner.some((key) => isPartOfArray(name, key))) continue
    const [file = '', folder] = [name.split('/').at(-1), parentKey(name)]
    const isAround = inner.some((key) => folder === '' || key.startsWith(`${folder}/`))
    if (METADATA_FILES.includes(file) && (isAround || isWritten)) groups.add(folder)
    else if (!(isWritten && file.endsWith('.ome.xml'))) found.push(name)
  }
  const store = zipStore(path)
  for (const group of groups) found.push(...(await ownAttributes(store, group, isWritten)))
  return found
}

/** The attributes of a group that would not be made again. */
async function ownAttributes(store: Store, group: string, isWritten: boolean): Promise<string[]> {
  const node = await readNode(store, group)
  if (node?.kind !== 'group') return []
  const made = isWritten ? OME_KEYS : ['multiscales']
  const { ome, ...others } = node.attributes
  const names = [
    ...Object.keys(others),
    ...(isJsonObject(ome) ? Object.keys(ome).filter((key) => key !== 'version') : []),
  ]
  const where = group === '' ? 'its root' : group
  return names.filter((name) => !made.includes(name)).map((name) => `the attribute "${name}" of ${where}`)
}
