/** How many parts of a block are read at once, so that a slow disk or an object store works on several. */
const AT_ONCE = 8

/**
 * Works on all parts, some at once, and returns when all have ended. After an error, no new part starts; when the running ones have ended,
 * the first error is thrown, so that nothing uses the memory of a block that has failed.
 */
export async function forEachAtOnce<Part>(parts: readonly Part[], work: (part: Part) => Promise<void>): Promise<void> {
  let next = 0
  let failure: { readonly error: unknown } | undefined
  const lane = async (): Promise<void> => {
    while (failure === undefined && next < parts.length) {
      try {
        await work(parts[next++] as Part)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, parts.length) }, lane))
  if (failure !== undefined) throw (failure as { readonly error: unknown }).error
}
