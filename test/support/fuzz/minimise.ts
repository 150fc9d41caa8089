/** Attempts at most. */
const MAX_ATTEMPTS = 3000

/**
 * A smaller input with the same fault: parts are left out, the largest first, then bytes become zeros or blanks.
 * @param hasFault whether an input still has the fault
 */
export async function minimise(
  input: Uint8Array,
  hasFault: (input: Uint8Array) => Promise<boolean>,
  maxMs: number,
): Promise<Uint8Array> {
  const end = performance.now() + maxMs
  let smallest = input
  let attempts = 0
  const accept = async (candidate: Uint8Array): Promise<boolean> => {
    if (attempts++ > MAX_ATTEMPTS || performance.now() > end || !(await hasFault(candidate))) return false
    smallest = candidate
    return true
  }
  for (let length = Math.ceil(input.length / 2); length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let at = 0; at < smallest.length; ) {
      const without = new Uint8Array([...smallest.subarray(0, at), ...smallest.subarray(at + length)])
      if (!(await accept(without))) at += length
    }
  }
  for (let at = 0; at < smallest.length; at++) {
    for (const plain of [0, 0x20]) {
      if (smallest[at] === plain) break
      if (await accept(smallest.with(at, plain))) break
    }
  }
  return smallest
}
