import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { folderTree } from '../../adapters/http/folder.ts'
import { ConfigError } from '../../core/errors.ts'
import type { Resource, ResourceTree } from '../../ports/resource.ts'
import { PACKAGE_ROOT } from '../../runtime/package-place.ts'
import { memoryResource } from '../../serving/virtual-zarr.ts'

const page = fileURLToPath(new URL('dist/viewer', PACKAGE_ROOT))

/** The files that the pages load. They are listed once at the start; no other file can be requested. */
export function pageFiles(): ResourceTree {
  const root = join(page, 'assets')
  if (!existsSync(root)) {
    throw new ConfigError(
      'NO_SUCH_FILE',
      `The files of the page are missing in ${page}; build them with: npm run build`,
    )
  }
  const files = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const known = new Set(files.map((entry) => join(entry.parentPath, entry.name)))
  return folderTree(root, { allows: (names) => known.has(join(root, ...names)), contentType: pageType })
}

/** The HTML of a page. */
export const pageDocument = (name: 'index.html' | 'dashboard.html' | 'runs.html'): Resource =>
  memoryResource(readFileSync(join(page, name)), 'text/html; charset=utf-8')

function pageType(name: string): string {
  if (name.endsWith('.js')) return 'text/javascript; charset=utf-8'
  return name.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/plain; charset=utf-8'
}
