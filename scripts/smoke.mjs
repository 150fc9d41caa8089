// Packs the package as it would be published, installs it in an empty folder, and uses it there.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browserOrSkip } from '../test/support/browser.ts'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const folder = mkdtempSync(join(tmpdir(), 'bellis-smoke-'))
const run = (command, parameters, cwd = folder) =>
  execFileSync(command, parameters, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

try {
  const packed = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder], root),
  )
  const { filename, unpackedSize, entryCount } = Array.isArray(packed) ? packed[0] : Object.values(packed)[0]
  console.log(`package: ${entryCount} files, ${(unpackedSize / 1e6).toFixed(2)} MB unpacked`)
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', join(folder, filename)])
  const installed = join(folder, 'node_modules')
  const size = (path) =>
    readdirSync(path, { recursive: true, withFileTypes: true }).reduce(
      (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
      0,
    )
  console.log(`installed with its dependencies: ${(size(installed) / 1e6).toFixed(1)} MB`)

  const bellis = (...parameters) => run(join(installed, '.bin', 'bellis'), parameters)
  bellis('sample', 'sample.hdf', '--size', '16,96,96', '--quiet')
  bellis('convert', 'sample.hdf/volumes/raw', 'out.zarr/raw', '--workers', '2', '--quiet')
  const result = JSON.parse(
    bellis('smooth', 'out.zarr/raw', 'out.zarr/smoothed', '--workers', '2', '--json', '--quiet'),
  )
  if (result.ok !== true) throw new Error(`smooth: ${JSON.stringify(result)}`)
  const info = JSON.parse(bellis('info', 'out.zarr/smoothed', '--json'))
  if (info.shape.join() !== '16,96,96' || info.voxelSize.join() !== '40,4,4')
    throw new Error(`info: ${JSON.stringify(info)}`)
  writeFileSync(
    join(folder, 'use.js'),
    `import { createBlockGrid, openArray, roi, runBlockwise } from 'bellis'
     import { gaussianFilter } from 'bellis/kernels'
     import { smooth } from 'bellis/tasks'
     const array = await openArray('out.zarr/raw')
     const voxels = gaussianFilter(await array.read(array.roi), { sigma: 1 })
     const done = []
     const result = await runBlockwise({ id: 'count', totalRoi: roi([0], [9]), readRoi: roi([0], [3]), writeRoi: roi([0], [3]), readWriteConflict: false, process: (block) => void done.push(block.index) })
     if (!result.ok || done.length !== 3 || voxels.data.length !== 16 * 96 * 96 || typeof smooth !== 'function') throw new Error('the library does not work')`,
  )
  run(process.execPath, ['use.js'])
  await show(join(installed, '.bin', 'bellis'))
  console.log('the installed command, its page and the library work')
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Fetches the page, the files it loads and its data. */
async function show(command) {
  const child = spawn(
    command,
    ['show', 'out.zarr/raw', 'sample.hdf/volumes/labels/neuron_ids', '--no-open', '--json'],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  try {
    let text = ''
    for await (const part of child.stdout) {
      text += part
      if (text.endsWith('}\n')) break
    }
    const { address, layers } = JSON.parse(text)
    const page = await fetchText(address)
    const files = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path)
    if (files.length < 2) throw new Error(`the page loads ${files.length} files`)
    for (const path of [...files, 'data/0/zarr.json', 'data/0/0/zarr.json', 'data/1/0/c/0/0/0']) {
      await fetchText(new URL(path, address))
    }
    if (layers.map(({ kind }) => kind).join() !== 'image,segmentation') throw new Error(text)
    await draw(address)
  } finally {
    child.kill()
  }
}

/** Opens the page in a browser, if there is one, until everything visible is drawn. */
async function draw(address) {
  const browser = await browserOrSkip({ skip: (why) => console.log(`not drawn: ${why}`) })
  if (browser === undefined) return
  try {
    const page = await browser.newPage()
    const errors = []
    page.on('pageerror', ({ message }) => errors.push(message))
    page.on('requestfailed', (request) => {
      // Requests that the page itself aborts are no failures.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') errors.push(request.url())
    })
    await page.goto(address)
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'true' && globalThis.viewer.isReady())
    if (errors.length > 0) throw new Error(`the page: ${errors.join('; ')}`)
  } finally {
    await browser.close()
  }
}

async function fetchText(address) {
  const response = await fetch(address)
  if (!response.ok) throw new Error(`${address}: ${response.status}`)
  return response.text()
}
