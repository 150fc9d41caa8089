// Bundles src/viewer and Neuroglancer into dist/viewer: index.html, and a folder with the files it loads. The folder is named
// after a hash of its content, so that browsers may cache it forever. The page fetches nothing from other servers.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as esbuild from 'esbuild'
import { licenses } from './licenses.mjs'

// Neuroglancer's build options: the page reads only Zarr over HTTP.
const conditions = [
  'neuroglancer/datasource:none_by_default',
  'neuroglancer/datasource/zarr:enabled',
  'neuroglancer/kvstore:none_by_default',
  'neuroglancer/kvstore/http:enabled',
]

export async function buildViewer(root) {
  const out = join(root, 'dist', 'viewer')
  const staging = join(out, 'staging')
  const neuroglancer = join(root, 'node_modules', 'neuroglancer', 'lib')
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    // Neuroglancer starts the one worker beside its own file and the other a folder above.
    entryPoints: {
      'js/main': join(root, 'src', 'viewer', 'show', 'main.ts'),
      'js/runs': join(root, 'src', 'viewer', 'runs', 'runs.ts'),
      'js/dashboard': join(root, 'src', 'viewer', 'dashboard', 'dashboard.ts'),
      'js/chunk_worker.bundle': join(root, 'src', 'viewer', 'dashboard', 'volumes', 'chunk-worker.ts'),
      'async_computation.bundle': join(neuroglancer, 'async_computation.bundle.js'),
    },
    outdir: staging,
    chunkNames: 'js/[name]-[hash]',
    assetNames: 'js/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
    conditions,
    loader: { '.svg': 'text', '.wasm': 'file', '.html': 'file' },
    legalComments: 'none',
    logLevel: 'warning',
  })
  writeFileSync(join(staging, 'LICENSES.txt'), licenses(root, metafile))
  const name = contentHash(staging)
  mkdirSync(join(out, 'assets'), { recursive: true })
  renameSync(staging, join(out, 'assets', name))
  const source = (document) => readFileSync(join(root, 'src', 'viewer', document), 'utf8')
  for (const [document, folder, page] of [
    ['index.html', 'show', 'main'],
    ['dashboard.html', 'dashboard', 'dashboard'],
    ['runs.html', 'runs', 'runs'],
  ]) {
    const whole = source(join(folder, document)).replace('{{head}}', source('shared/head.html').trim())
    writeFileSync(join(out, document), whole.replaceAll('{{assets}}', `/assets/${name}`).replaceAll('{{page}}', page))
  }
}

function contentHash(folder) {
  const hash = createHash('sha256')
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const path of files.map((entry) => join(entry.parentPath, entry.name)).sort()) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 16)
}
