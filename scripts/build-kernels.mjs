// Compiles the *.as below src (AssemblyScript) into *.generated.ts beside them: the module as base64 and the sha256 of its source.
// The result is committed, so that only a change of a kernel needs the compiler; a test compares the sha256.
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import asc from 'assemblyscript/asc'

const folder = new URL('../src/', import.meta.url)
const sources = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.as'))

for (const name of sources) {
  const source = await readFile(new URL(name, folder), 'utf8')
  const entry = basename(name).replace(/\.as$/, '.ts') // the compiler accepts no other extension
  let binary
  const { error, stderr } = await asc.main(
    [
      entry,
      '--outFile',
      'out.wasm',
      '--runtime',
      'stub',
      '-O3',
      '--noAssert',
      '--enable',
      'simd',
      '--disable',
      'relaxed-simd',
    ],
    {
      readFile: (path) => (path === entry ? source : null),
      writeFile: (path, contents) => {
        if (path.endsWith('.wasm')) binary = contents
      },
      listFiles: () => [],
    },
  )
  if (error) throw new Error(`${name} does not compile:\n${stderr}`, { cause: error })
  const sha256 = createHash('sha256').update(source).digest('hex')
  const generated = `// Made from ${basename(name)} by scripts/build-kernels.mjs: change that, and run it again.
export const SOURCE_SHA256 = '${sha256}'
export const MODULE_BASE64 =
  '${Buffer.from(binary).toString('base64')}'
`
  await writeFile(new URL(name.replace(/\.as$/, '.generated.ts'), folder), generated)
  console.log(`${name}: ${binary.length} bytes`)
}
