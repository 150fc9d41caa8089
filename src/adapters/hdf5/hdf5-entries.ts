import type { Hdf5File } from './hdf5-file.ts'

export interface Hdf5Entry {
  readonly path: string
  readonly kind: 'array' | 'group'
}

/** Groups and datasets below a group, depth first. Links are listed but not followed, so the walk always ends. */
export function entriesBelow(file: Hdf5File, group: string, limit: number): readonly Hdf5Entry[] {
  const found: Hdf5Entry[] = []
  const seen = new Set([file.addressOf(group)])
  const visit = (parent: string): void => {
    for (const name of file.childrenOf(parent)) {
      if (found.length >= limit) return
      const path = parent === '' ? name : `${parent}/${name}`
      const kind = file.kindOf(path)
      if (kind !== 'array' && kind !== 'group') continue
      found.push({ path, kind })
      if (kind === 'array' || file.softLinkOf(path) !== undefined || file.externalLinkOf(path) !== undefined) continue
      const address = file.addressOf(path)
      if (seen.has(address)) continue
      seen.add(address)
      visit(path)
    }
  }
  visit(group)
  return found
}

/** What a file has besides some datasets and plain groups. Links are named, but not followed. */
export function othersBelow(file: Hdf5File, own: ReadonlySet<string>): readonly string[] {
  const found: string[] = []
  const seen = new Set<number>()
  const visit = (group: string): void => {
    const address = file.addressOf(group)
    if (seen.has(address)) return
    seen.add(address)
    const [attribute] = file.call((hdf5, id) => hdf5.get_attribute_names(id, `/${group}`))
    if (attribute !== undefined) found.push(`the attribute "${attribute}" of ${group === '' ? 'its root' : group}`)
    for (const name of file.childrenOf(group)) {
      const path = group === '' ? name : `${group}/${name}`
      const isLink = file.softLinkOf(path) !== undefined || file.externalLinkOf(path) !== undefined
      if (!isLink && file.kindOf(path) === 'group') visit(path)
      else if (!own.has(path)) found.push(path)
    }
  }
  visit('')
  return found
}

/** Describes the datasets of a group for messages: "it has a, b, c". */
export function showDatasets(file: Hdf5File, group: string): string {
  const found = entriesBelow(file, group, 200).filter((entry) => entry.kind === 'array')
  if (found.length === 0) return 'it has no datasets'
  const shown = found.slice(0, 12).map((entry) => entry.path)
  return `it has ${shown.join(', ')}${found.length > shown.length ? ', …' : ''}`
}
