import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Writes the address of a page to a file that only this user can read. Disposing removes it. */
export function addressFile(address: string): Disposable & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-page-'))
  const path = join(folder, 'address')
  writeFileSync(path, `${address}\n`, { mode: 0o600, flag: 'wx' })
  return { path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}
