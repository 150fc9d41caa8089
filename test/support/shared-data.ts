import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The part of a test's context that skipping needs. */
interface Skippable {
  skip(message?: string): void
}

/**
 * The path of a real data file that is not part of the project because of its licence. It is in the folder named by the variable
 * `BELLIS_TEST_DATA`, or in `shared/data` beside the repository. If it is missing, the test is skipped with a message, or fails
 * if the variable `CI` is set:
 *
 *     const path = sharedDataOrSkip(t, 'vnc_small.hdf')
 *     if (path === undefined) return
 */
export function sharedDataOrSkip(t: Skippable, name: string): string | undefined {
  const folder = process.env.BELLIS_TEST_DATA ?? fileURLToPath(new URL('../../../shared/data/', import.meta.url))
  const path = join(folder, name)
  if (existsSync(path)) return path
  const message = `no "${name}" in "${folder}"; point BELLIS_TEST_DATA at the folder that has it`
  if (process.env.CI) throw new Error(message)
  t.skip(message)
  return undefined
}
