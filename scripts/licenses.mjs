// The licences of the packages that a build by esbuild contains, which have to be distributed with them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** @param metafile of the build @returns the text of LICENSES.txt */
export function licenses(root, metafile) {
  const inputs = Object.keys(metafile.inputs)
  const packages = new Set(inputs.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))
  if (inputs.some((path) => path.startsWith('third_party/ikonate/'))) packages.add('ikonate')
  return [...packages]
    .sort()
    .map((name) => {
      const folder = join(root, 'node_modules', name)
      const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry))
      const text = file !== undefined && existsSync(join(folder, file)) ? readFileSync(join(folder, file), 'utf8') : ''
      return `${name} ${version} (${license})\n${'='.repeat(72)}\n\n${text.trim()}\n`
    })
    .join('\n\n')
}
