// Packs the package as it would be published, installs it with each supported Node in an empty folder, and uses it there.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { browserOrSkip } from '../test/support/browser.ts'
import { slurmOrSkip } from '../test/support/slurm.ts'
import { supportedNodes } from './node-env.mjs'

const root = resolve(fileURLToPath(import.meta.url), '../..')
const folder = mkdtempSync(join(tmpdir(), 'bellis-smoke-'))
/** How long a command may take to print what is waited for. */
const PATIENCE_MS = 120_000
const BELLIS = join('node_modules', '.bin', 'bellis')
/** A test run inside a test run would report to the outer one. */
const { NODE_TEST_CONTEXT: _, ...environment } = process.env

/** Runs programs in a folder, with a Node of that version first on the PATH. */
class Place {
  constructor(cwd, { version, bin }, slurm) {
    this.cwd = cwd
    this.version = version
    this.slurm = slurm
    this.env = { ...environment, PATH: `${bin}${delimiter}${process.env.PATH}` }
  }

  /** Runs a program to its end. @returns its standard output @throws Error if it fails, or if Node warns */
  async run(program, parameters, { cwd = this.cwd, env = {} } = {}) {
    const { stdout, stderr } = await promisify(execFile)(program, parameters, { cwd, env: { ...this.env, ...env } })
    this.#refuseWarnings([program, ...parameters], stderr)
    return stdout
  }

  bellis = (...parameters) => this.run(join(this.cwd, BELLIS), parameters)
  json = async (...parameters) => JSON.parse(await this.bellis(...parameters, '--json'))

  /** Starts the command, uses what it prints while it runs, and stops it or waits for its end. */
  async during(parameters, { stream, pattern, ends = false }, use) {
    const child = spawn(join(this.cwd, BELLIS), parameters, {
      cwd: this.cwd,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    const ended = new Promise((settle) => child.on('close', settle))
    const found = new Promise((settle, fail) => {
      for (const name of ['stdout', 'stderr'])
        child[name].setEncoding('utf8').on('data', (part) => {
          output[name] += part
          const match = pattern.exec(output[stream])
          if (match !== null) settle(match)
        })
      child.on('error', fail)
      child.on('close', () => fail(new Error(`${parameters.join(' ')} ended: ${output.stdout}${output.stderr}`)))
      const inVain = () =>
        fail(new Error(`${parameters.join(' ')} printed no ${pattern}: ${output.stdout}${output.stderr}`))
      setTimeout(inVain, PATIENCE_MS).unref()
    })
    try {
      await use(await found)
      if (ends && (await ended) !== 0) throw new Error(`${parameters.join(' ')}: ${output.stdout}${output.stderr}`)
      this.#refuseWarnings(parameters, output.stderr)
    } finally {
      child.kill()
      await ended
    }
  }

  #refuseWarnings(command, stderr) {
    if (/\b\w*Warning: /.test(stderr)) throw new Error(`${command.join(' ')}: ${stderr}`)
  }
}

const check = (holds, found) => {
  if (!holds) throw new Error(typeof found === 'string' ? found : JSON.stringify(found))
}

try {
  const node = { version: process.versions.node, bin: resolve(process.execPath, '..') }
  const output = await new Place(root, node).run('npm', [
    ...['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder],
  ])
  const { filename, unpackedSize, entryCount } = Object.values(JSON.parse(output))[0]
  console.log(`package: ${entryCount} files, ${(unpackedSize / 1e6).toFixed(2)} MB unpacked`)
  const slurm = await slurmOrSkip({ skip: (why) => console.log(`SLURM is not tried: ${why}`) })
  const tried = await Promise.allSettled(
    supportedNodes().map(async (supported) => {
      const place = new Place(join(folder, supported.version), supported, slurm)
      const start = performance.now()
      try {
        await install(place, join(folder, filename))
        await tryAll(place)
      } catch (error) {
        error.message = `Node ${place.version}: ${error.message}`
        throw error
      }
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      console.log(
        `Node ${place.version}: the installed command, its pages, its workers and the library work (${seconds} s)`,
      )
    }),
  )
  for (const { reason } of tried) if (reason !== undefined) throw reason
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Installs the package. Fails if a dependency does not support this Node. */
async function install(place, tarball) {
  mkdirSync(place.cwd)
  writeFileSync(join(place.cwd, 'package.json'), '{ "private": true, "type": "module" }')
  const quietly = ['--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline']
  await place.run('npm', ['install', '--engine-strict', ...quietly, tarball])
  const size = readdirSync(join(place.cwd, 'node_modules'), { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0,
  )
  console.log(`Node ${place.version}: installed with its dependencies: ${(size / 1e6).toFixed(1)} MB`)
  check((await place.run('node', ['--version'])).trim() === `v${place.version}`, 'another Node is first on the PATH')
}

async function tryAll(place) {
  await place.bellis('sample', 'sample.hdf', '--size', '16,96,96', '--quiet')
  await place.bellis('convert', 'sample.hdf/volumes/raw', 'out.zarr/raw', '--workers', '2', '--quiet')
  for (const pool of ['process', 'thread']) {
    const output = `out.zarr/smoothed-${pool}`
    const blocks = ['--block-write', '8,48,48', '--workers', '2', '--pool', pool, '--quiet']
    const result = await place.json('smooth', 'out.zarr/raw', output, ...blocks)
    check(result.ok === true && result.tasks[0].completed === 8, result)
    const info = await place.json('info', output)
    check(info.shape.join() === '16,96,96' && info.voxelSize.join() === '40,4,4', info)
  }
  await place.bellis('doctor')
  await useLibrary(place)
  await runOwnTask(place)
  await joinRun(place)
  await followRun(place)
  if (place.slurm !== undefined) await submit(place)
  await show(place)
}

async function useLibrary(place) {
  writeFileSync(
    join(place.cwd, 'use.js'),
    `import { createBlockGrid, openArray, roi, runBlockwise } from 'bellis'
     import { gaussianFilter } from 'bellis/kernels'
     import { smooth } from 'bellis/tasks'
     const array = await openArray('out.zarr/raw')
     const voxels = gaussianFilter(await array.read(array.roi), { sigma: 1 })
     const done = []
     const result = await runBlockwise({ id: 'count', totalRoi: roi([0], [9]), readRoi: roi([0], [3]), writeRoi: roi([0], [3]), readWriteConflict: false, process: (block) => void done.push(block.index) })
     if (!result.ok || done.length !== 3 || voxels.data.length !== 16 * 96 * 96 || typeof smooth !== 'function') throw new Error('the library does not work')`,
  )
  await place.run('node', ['use.js'])
}

/** The project of `bellis new`, in TypeScript: its test, and its task. */
async function runOwnTask(place) {
  await place.bellis('new', 'edges')
  await place.run('node', ['--test'], { cwd: join(place.cwd, 'edges') })
  const fields = ['--input', 'out.zarr/raw', '--output', 'out.zarr/edges']
  const result = await place.json('run', 'edges/task.ts', ...fields, '--workers', '2', '--quiet')
  check(result.ok === true && result.tasks[0].completed === 4, result)
}

/** A run without workers, whose page is fetched, and a worker that joins it. */
async function joinRun(place) {
  const call = ['smooth', 'out.zarr/raw', 'out.zarr/joined', '--pool', 'none', '--dashboard', '--no-open']
  const pattern =
    /worker (\/\S+\/\.bellis\/smooth-[\w-]+)\n[\s\S]*page: its address|page: its address[\s\S]*worker (\/\S+\/\.bellis\/smooth-[\w-]+)\n/
  await place.during(call, { stream: 'stderr', pattern, ends: true }, async ([, first, run = first]) => {
    await fetchPage(JSON.parse(readFileSync(join(run, 'dashboard.json'), 'utf8')).address)
    await place.bellis('worker', run)
  })
}

/** A run that has ended, on the terminal and as a page. */
async function followRun(place) {
  const runs = await place.json('runs')
  check(runs.length === 5 && runs.every(({ condition }) => condition === 'done'), runs)
  const { run } = runs[0]
  const status = await place.json('status', run)
  check(status.run === run && status.condition === 'done', status)
  const call = ['status', run, '--dashboard', '--no-open', '--json']
  await place.during(call, { stream: 'stdout', pattern: /"address": "(http\S+)"/ }, ([, page]) => fetchPage(page))
}

/** A worker that SLURM starts. */
async function submit(place) {
  const call = [
    'smooth',
    'out.zarr/raw',
    'out.zarr/submitted',
    '--pool',
    'slurm',
    '--workers',
    '1',
    '--quiet',
    '--json',
  ]
  const env = { ...place.slurm.env, PATH: `${place.env.PATH}${delimiter}${place.slurm.env.PATH}` }
  const result = JSON.parse(await place.run(join(place.cwd, BELLIS), call, { env }))
  check(result.ok === true, result)
}

/** Fetches the page, the files it loads and its data; the pinned Node also draws it. */
async function show(place) {
  const call = ['show', 'out.zarr/raw', 'sample.hdf/volumes/labels/neuron_ids', '--no-open', '--json']
  await place.during(call, { stream: 'stdout', pattern: /^\{[\s\S]*\n\}\n/ }, async ([text]) => {
    const { address, layers } = JSON.parse(text)
    await fetchPage(address)
    for (const path of ['data/0/zarr.json', 'data/0/0/zarr.json', 'data/1/0/c/0/0/0']) {
      await fetchText(new URL(path, address))
    }
    check(layers.map(({ kind }) => kind).join() === 'image,segmentation', text)
    if (place.version === process.versions.node) await draw(address)
  })
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
    check(errors.length === 0, `the page: ${errors.join('; ')}`)
  } finally {
    await browser.close()
  }
}

/** Fetches a page and the files that it loads. */
async function fetchPage(address) {
  const page = await fetchText(address)
  const files = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path)
  check(files.length >= 2, `the page ${address} loads ${files.length} files`)
  for (const path of files) await fetchText(new URL(path, address))
}

async function fetchText(address) {
  const response = await fetch(address)
  check(response.ok, `${address}: ${response.status}`)
  return response.text()
}
