import { closeSync, openSync, readSync } from 'node:fs'
import { download } from '../../adapters/http/download.ts'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { showBytes, showDuration } from '../../core/text/numbers.ts'
import type { CommonOptions } from './options.ts'
import { printJson, say } from './output.ts'
import { control } from './terminal.ts'

export const SAMPLES = ['A', 'B', 'C'] as const
export type SampleName = (typeof SAMPLES)[number]

const CREMI = 'https://cremi.org/static/data/'

/**
 * Downloads a sample of CREMI, continuing an interrupted download.
 * @param from URL of the file, or of a folder (ending in a slash) that contains it under its original name @default CREMI's
 * site
 */
export async function downloadSample(
  path: string,
  sample: SampleName,
  from: string | undefined,
  flags: CommonOptions,
): Promise<void> {
  const address = addressOf(sample, from)
  const stopping = new AbortController()
  const stop = () => stopping.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const progress = new DownloadProgress(flags)
  try {
    const { signal } = stopping
    const bytes = await download(address, path, { signal, check: assertHdf5(address), onProgress: progress.receive })
    progress.end()
    if (flags.json) printJson({ path, sample, from: address, bytes })
    say(flags, `${path}: CREMI's sample ${sample}, ${showBytes(bytes)}`)
  } catch (error) {
    progress.end()
    if (!stopping.signal.aborted) throw error
    process.stderr.write('Stopped; run the same command to continue.\n')
    process.exitCode = 130
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

function addressOf(sample: SampleName, from = CREMI): string {
  const name = `sample_${sample}_20160501.hdf`
  const address = from.endsWith('/') ? from + name : from
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address
  throw new ConfigError('INVALID_CONFIG', `--from ${from}: expected an address that starts with https:// or http://.`)
}

const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')

/** Checks the file, since a server may send an error page instead. */
const assertHdf5 =
  (address: string) =>
  (file: string): void => {
    const start = Buffer.alloc(SIGNATURE.length)
    const descriptor = openSync(file, 'r')
    readSync(descriptor, start)
    closeSync(descriptor)
    if (start.equals(SIGNATURE)) return
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${address} is not an HDF5 file: it starts with ${JSON.stringify(start.toString('latin1'))}; give another address with --from.`,
    )
  }

const PLAIN_EVERY_MS = 10_000
const DRAWN_EVERY_MS = 100

/** One line that is redrawn on a terminal; otherwise a line at most every 10 s. */
class DownloadProgress {
  readonly #isShown: boolean
  readonly #isTerminal = Boolean(process.stderr.isTTY)
  readonly #start = performance.now()
  #first: number | undefined
  #last = this.#isTerminal ? Number.NEGATIVE_INFINITY : this.#start

  constructor({ quiet = false }: CommonOptions) {
    this.#isShown = !quiet
  }

  readonly receive = (done: number, total: number): void => {
    this.#first ??= done
    const now = performance.now()
    if (!this.#isShown || now - this.#last < (this.#isTerminal ? DRAWN_EVERY_MS : PLAIN_EVERY_MS)) return
    this.#last = now
    const rate = (done - this.#first) / Math.max(1e-3, (now - this.#start) / 1000)
    const left = rate > 0 ? `, ${showDuration((total - done) / rate)} left` : ''
    const line = `${showBytes(done)} of ${showBytes(total)}, ${showBytes(rate)}/s${left}`
    process.stderr.write(this.#isTerminal ? `${control('\r\u001b[K')}${line}` : `${line}\n`)
  }

  end(): void {
    if (this.#isShown && this.#isTerminal && this.#first !== undefined) process.stderr.write(control('\r\u001b[K'))
  }
}
