import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)
const program = process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python'

/** The part of a test's (or suite's) context that skipping needs. */
interface Skippable {
  skip(message?: string): void
}

/**
 * The path of a Python that has the pinned libraries (`requirements.txt`), made by
 * `scripts/python-env.mjs`. If there is none, the test is skipped with a message, or fails if the variable `CI` is set:
 *
 *     it('agrees with SciPy', async (t) => {
 *       const python = pythonOrSkip(t)
 *       if (python === undefined) return
 *       const answer = await runPython(python, script, [folder])
 *     })
 */
export const pythonOrSkip = (t: Skippable): string | undefined =>
  environmentOrSkip(t, 'python', 'test/support/requirements.txt', '')

/** As {@link pythonOrSkip}, with the packages that run on the Python package (`python/requirements-guests.txt`). */
export const guestsOrSkip = (t: Skippable): string | undefined =>
  environmentOrSkip(t, 'guests', 'python/requirements-guests.txt', ' --guests')

function environmentOrSkip(t: Skippable, name: string, requirements: string, flag: string): string | undefined {
  const home = new URL(`.cache/${name}/`, root)
  const python = fileURLToPath(new URL(program, home))
  const stamp = new URL('.stamp', home)
  const wanted = createHash('sha256')
    .update(readFileSync(new URL(requirements, root)))
    .digest('hex')
  const current = existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(python)
  if (current) return python
  const message = `no Python environment with these requirements in .cache/${name}; make it with: node scripts/python-env.mjs${flag}`
  if (process.env.CI) throw new Error(message)
  t.skip(message)
  return undefined
}

/**
 * Runs a Python script to its end.
 * @param script path of a .py file, or a file: URL
 * @param input passed on standard input
 * @returns what it printed
 * @throws Error with the script's error output if it exits with anything but 0
 */
export function runPython(
  pythonPath: string,
  script: string | URL,
  args: readonly string[] = [],
  input = '',
): Promise<string> {
  const path = script instanceof URL ? fileURLToPath(script) : script
  return new Promise((resolve, reject) => {
    const child = spawn(pythonPath, [path, ...args], { stdio: 'pipe' })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${path} ${args.join(' ')} exited with ${code}:\n${errors.trim()}`))
    })
    // A script that never reads its input may end before all of it is written.
    child.stdin.on('error', () => {}).end(input)
  })
}
