import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import { serveFolder } from '../folder-server.ts'

const PAGE = `<!doctype html><meta charset="utf-8"><title>Neuroglancer</title>
<style>html, body, #neuroglancer-container { margin: 0; height: 100% }</style>
<link rel="stylesheet" href="js/main.css"><div id="neuroglancer-container"></div><script type="module" src="js/main.js"></script>`

/** A layer of Neuroglancer's state: its source is an address such as `n5://{base}/data/a.n5/raw`. */
export interface NeuroglancerLayer {
  readonly name: string
  readonly type: 'image' | 'segmentation'
  readonly source: string
}

/** Neuroglancer itself, bundled once, for pages that show what lies in a folder. */
export async function bundleNeuroglancer(): Promise<{ readonly folder: string } & Disposable> {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-neuroglancer-'))
  const library = fileURLToPath(new URL('../../../node_modules/neuroglancer/lib/', import.meta.url))
  const enabled = ['datasource/zarr', 'datasource/n5', 'datasource/precomputed', 'kvstore/http']
  await esbuild.build({
    // Neuroglancer starts the one worker beside its own file and the other a folder above.
    entryPoints: {
      'js/main': fileURLToPath(new URL('neuroglancer-page.ts', import.meta.url)),
      'js/chunk_worker.bundle': join(library, 'chunk_worker.bundle.js'),
      'async_computation.bundle': join(library, 'async_computation.bundle.js'),
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    conditions: [
      'neuroglancer/datasource:none_by_default',
      'neuroglancer/kvstore:none_by_default',
      ...enabled.map((part) => `neuroglancer/${part}:enabled`),
    ],
    loader: { '.svg': 'text', '.wasm': 'file', '.html': 'file' },
    legalComments: 'none',
    logLevel: 'warning',
  })
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
}

const TYPES: Readonly<Record<string, string>> = { js: 'text/javascript', css: 'text/css', wasm: 'application/wasm' }

/**
 * Serves a page of Neuroglancer and, as any web server does, the files of the bundle's folder.
 * @param layersAt the layers by the address of that folder
 * @param dimensions the axes of the view, with the length of a voxel and its unit
 */
export async function serveNeuroglancer(
  t: Parameters<typeof serveFolder>[0],
  folder: string,
  layersAt: (address: string) => readonly NeuroglancerLayer[],
  dimensions: Readonly<Record<string, readonly [number, string]>>,
): Promise<string> {
  const { address } = await serveFolder(t, folder, ({ url = '' }, response) => {
    const answer = (type: string, body: string): true => {
      response.writeHead(200, { 'content-type': type }).end(body)
      return true
    }
    if (url === '/') return answer('text/html', PAGE)
    if (url === '/view.json') {
      const state = { dimensions, layers: layersAt(address), layout: 'xy' }
      return answer('application/json', JSON.stringify({ state }))
    }
    const type = TYPES[url.split('.').at(-1) ?? '']
    if (type !== undefined) response.setHeader('content-type', type)
    return false
  })
  return address
}
