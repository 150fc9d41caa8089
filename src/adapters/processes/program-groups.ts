/** More programs than a worker ever runs at once. */
const CAPACITY = 256

/**
 * The leaders of the process groups of this process's programs; 0 where there is none. It is shared memory, for the thread that ends the
 * process when its main thread is stuck.
 */
export const programGroups = new Int32Array(new SharedArrayBuffer(CAPACITY * Int32Array.BYTES_PER_ELEMENT))

/** Notes a group until the result is called. */
export function noteGroup(leader: number): () => void {
  const place = programGroups.indexOf(0)
  if (place === -1) return () => {}
  Atomics.store(programGroups, place, leader)
  return () => {
    Atomics.compareExchange(programGroups, place, leader, 0)
  }
}
