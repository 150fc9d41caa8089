import { fstatSync } from 'node:fs'

/** Node's own handle of a stream, which has no public way to this. */
type WithHandle = NodeJS.WriteStream & { readonly _handle?: { setBlocking?(isBlocking: boolean): void } | null }

/**
 * Has this process wait until what it prints is with whoever reads it. A print to a file is complete when the call returns; one to a pipe or a
 * socket would be lost from Node's memory if the process were killed.
 */
export function blockOutput(): void {
  // The streams are made when they are first asked for.
  const outputs = [() => process.stdout, () => process.stderr]
  for (const [number, output] of outputs.entries()) {
    const found = fstatSync(number + 1)
    if (found.isSocket() || found.isFIFO()) (output() as WithHandle)._handle?.setBlocking?.(true)
  }
}
