import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** The part of a test's (or suite's) context that skipping needs. */
interface Skippable {
  skip(message?: string): void
}

// Without a graphics card, and without Chromium's own network traffic.
const FLAGS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu-sandbox', '--use-angle=swiftshader'],
  ...['--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
]

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/**
 * The machine's own Chromium, headless: see `scripts/chromium-env.mjs`. If there is none, the test is skipped with a message,
 * or fails if the variable `CI` is set.
 */
export async function browserOrSkip(t: Skippable): Promise<Browser | undefined> {
  const executablePath = process.env.BELLIS_CHROMIUM ?? findChromium()
  if (executablePath !== undefined) return chromium.launch({ executablePath, args: FLAGS })
  const message = 'no chromium on the PATH; install it with: node scripts/chromium-env.mjs'
  if (process.env.CI) throw new Error(message)
  t.skip(message)
  return undefined
}

function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
