import type { Viewer } from 'neuroglancer/unstable/viewer.js'

// Neuroglancer counts chunks by state (8, of which this is the 7th) and by urgency, with three numbers each.
const FAILED = 6
const TIERS = 3
const COUNTS = 3

/** The number of chunks that could not be read or decoded, among those requested so far, by the number of the dataset. */
export async function countUnreadable(viewer: Viewer): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>()
  for (const [{ key }, statistics] of await viewer.chunkQueueManager.getStatistics()) {
    const dataset = /\/data\/(\d+)\//.exec(urlOf(key))?.[1]
    if (dataset === undefined) continue
    let failed = counts.get(Number(dataset)) ?? 0
    for (let tier = 0; tier < TIERS; tier++) failed += statistics[(FAILED * TIERS + tier) * COUNTS] ?? 0
    counts.set(Number(dataset), failed)
  }
  return counts
}

const urlOf = (key: unknown): string => {
  const { parameters } = (key ?? {}) as { readonly parameters?: { readonly url?: unknown } }
  return String(parameters?.url)
}
