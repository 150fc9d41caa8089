// Makes the pictures of README.md and docs/DASHBOARD.md again, from runs of the built command in a real Chromium.
//
//   node scripts/pictures.mjs [preview] [dashboard] [show]      without names, all of them
//
// docs/show.png needs the file that docs/show.png.license names, as vnc_small.hdf in the folder BELLIS_TEST_DATA.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browserOrSkip } from '../test/support/browser.ts'
import { sharedDataOrSkip } from '../test/support/shared-data.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'bellis-pictures-'))
const skip = (message) => console.error(`pictures: skipped: ${message}`)

/** Starts the command in the folder of the pictures. */
const bellis = (args) =>
  spawn(process.execPath, [join(root, 'bin/bellis.js'), ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })

async function done(args) {
  const command = bellis(args)
  let said = ''
  for (const stream of [command.stdout, command.stderr]) stream.on('data', (text) => (said += text))
  const [code] = await once(command, 'close')
  if (code !== 0) throw new Error(`bellis ${args.join(' ')} ended with ${code}:\n${said}`)
}

/** Starts a command that serves a page, and takes a picture of it. */
async function takePicture(name, args, { width, height, isThere }) {
  const browser = await browserOrSkip({ skip })
  if (browser === undefined) return
  const command = bellis(args)
  try {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme: 'dark' })
    await page.goto(await addressOf(command))
    await page.waitForFunction(isThere, undefined, { timeout: 120_000, polling: 200 })
    await page.screenshot({ path: join(root, 'docs', name) })
    console.log(`docs/${name}`)
  } finally {
    await browser.close()
    command.kill('SIGKILL')
  }
}

/** The address that a command prints, or that of the file that it names. */
function addressOf(command) {
  return new Promise((resolve, reject) => {
    let output = ''
    const read = (text) => {
      output += text
      const [address] = /http:\/\/127\.0\.0\.1:\d+\/\S*\//.exec(output) ?? []
      const [, file] = /address is in (\S+), which/.exec(output) ?? []
      if (address !== undefined) resolve(address)
      else if (file !== undefined) resolve(JSON.parse(readFileSync(file, 'utf8')).address)
    }
    command.stdout.on('data', read)
    command.stderr.on('data', read)
    command.once('exit', () => reject(new Error(`no page is served: ${output}`)))
  })
}

const PICTURES = {
  async preview() {
    await done(['demo', 'tour', '--quiet'])
    copyFileSync(join(folder, 'tour/preview.png'), join(root, 'docs/preview.png'))
    console.log('docs/preview.png')
  },
  async dashboard() {
    await done(['sample', 'sample.hdf', '--quiet'])
    const run = [
      'run',
      join(root, 'scripts/pictures/chain.ts'),
      '--input',
      'sample.hdf/volumes/raw',
      '--output',
      'out.zarr',
    ]
    await takePicture('dashboard.png', [...run, '--workers', '2', '--dashboard', '--no-open'], {
      width: 1280,
      height: 800,
      // A third is done, and the volume has followed to the section that the maps show and has all that is in view.
      isThere: () => {
        const slice = document.querySelector('.slider input')?.value
        const section = globalThis.viewer?.position.value[2]
        return (
          Number.parseFloat(document.title) >= 33 &&
          document.querySelector('#volume[data-ready]') !== null &&
          // As deep as a block of the chain.
          Math.floor(section / 16) === Number(slice) &&
          globalThis.viewer.isReady()
        )
      },
    })
  },
  async show() {
    const file = sharedDataOrSkip({ skip }, 'vnc_small.hdf')
    if (file === undefined) return
    const datasets = ['raw', 'labels/neuron_ids'].map((name) => `${file}/volumes/${name}`)
    await takePicture('show.png', ['show', ...datasets, '--no-open', '--quiet'], {
      width: 1040,
      height: 640,
      isThere: () => document.documentElement.dataset.ready === 'true' && globalThis.viewer?.isReady?.(),
    })
  },
}

try {
  const names = process.argv.slice(2)
  for (const name of names.length > 0 ? names : Object.keys(PICTURES)) {
    if (PICTURES[name] === undefined) throw new Error(`${name}: expected one of ${Object.keys(PICTURES).join(', ')}`)
    await PICTURES[name]()
  }
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
