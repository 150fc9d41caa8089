const AT_ONCE = 4

/** Sends the parts of an object, some at once. @param send returns what names a part @returns the names of all, in order */
export async function sendParts<Name>(count: number, send: (number: number) => Promise<Name>): Promise<Name[]> {
  const names: Name[] = []
  let next = 0
  const lane = async () => {
    while (next < count) {
      const number = next++
      names[number] = await send(number).catch((error) => {
        next = count
        throw error
      })
    }
  }
  const lanes = Array.from({ length: Math.min(AT_ONCE, count) }, lane)
  // No part may still be on its way when they are removed.
  const failure = (await Promise.allSettled(lanes)).find(({ status }) => status === 'rejected')
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason
  return names
}

/** Bytes of pieces that follow each other, without a copy if one has them all. */
export function cut(pieces: readonly Uint8Array[], from: number, to: number): Uint8Array {
  const found: Uint8Array[] = []
  let start = 0
  for (const piece of pieces) {
    const [first, last] = [Math.max(from - start, 0), Math.min(to - start, piece.length)]
    if (first < last) found.push(piece.subarray(first, last))
    start += piece.length
  }
  return found.length === 1 ? (found[0] as Uint8Array) : Buffer.concat(found)
}
