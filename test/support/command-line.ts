import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bytesOf } from '../../src/core/array/dtype.ts'
import { openArray } from '../../src/entry/arrays.ts'

const program = fileURLToPath(new URL('../../bin/bellis.js', import.meta.url))
const built = new URL('../../dist/entry/cli.js', import.meta.url)

export interface CommandResult {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** What to do with the process while it runs. */
  readonly meanwhile?: (child: ChildProcess) => void
}

/** Runs the built command line to its end, without a terminal. */
export function bellis(args: readonly string[], { cwd, env = {}, meanwhile }: CommandOptions): Promise<CommandResult> {
  if (!existsSync(built)) throw new Error('system tests run the built command: npm run build first')
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text))
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? signal, ...output }))
    meanwhile?.(child)
  })
}

/** An empty folder that is gone when disposed. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'bellis-test-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** SHA-256 of all voxels of a dataset, C order, little endian: as NumPy's `tobytes()` of the whole array gives. */
export async function hashVoxels(path: string): Promise<string> {
  await using array = await openArray(path)
  const { data } = await array.read(array.roi)
  return createHash('sha256').update(bytesOf(data)).digest('hex')
}
