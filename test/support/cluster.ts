import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** A running batch system. */
export interface Cluster {
  /** The environment variables with which a program uses it. */
  readonly env: Readonly<Record<string, string>>
  /** Runs one of its programs. @returns its output @throws if it exits with anything but 0 */
  run(program: string, ...args: string[]): Promise<string>
}

/** The part of a test's (or suite's) context that skipping needs. */
export interface Skippable {
  skip(message?: string): void
}

type Answer = (Omit<Cluster, 'run'> & Readonly<Record<string, unknown>>) | { readonly missing: string }

const starting = new Map<string, Promise<Answer>>()

/**
 * A real batch system, shared by all tests of a file, started by a script in `scripts/`. It ends with this process, however that
 * ends, and takes its jobs and files along. If the system can't be installed here, the script prints the reason and exits with 0,
 * and the test is skipped with that message. If the script fails, the test fails.
 * @param site further lines of its configuration
 */
export async function clusterOrSkip<Described extends Cluster>(
  t: Skippable,
  script: string,
  site: readonly string[] = [],
): Promise<Described | undefined> {
  const answer = await (starting.get([script, ...site].join('\n')) ?? start(script, site))
  if ('missing' in answer) {
    t.skip(answer.missing as string)
    return undefined
  }
  const env = { ...process.env, ...answer.env }
  return {
    ...answer,
    run: async (program: string, ...args: string[]) =>
      (await promisify(execFile)(program, args, { env, encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' }))
        .stdout,
  } as unknown as Described
}

function start(script: string, site: readonly string[]): Promise<Answer> {
  const answer = serve(script, site)
  starting.set([script, ...site].join('\n'), answer)
  return answer
}

async function serve(script: string, site: readonly string[]): Promise<Answer> {
  const path = fileURLToPath(new URL(`../../scripts/${script}`, import.meta.url))
  // In its own process group: Ctrl-C must not end the cluster before the tests that use it.
  const child = spawn(process.execPath, [path, 'serve', ...site], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const { output, errors, exitCode } = await firstLine(child)
  child.unref()
  // The pipes stay open as long as this process runs, but don't keep it running.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as unknown as { unref(): void }).unref()
  if (output !== '') return JSON.parse(output) as Answer
  // An installed system that does not start is a failure. In CI, a missing SLURM is one, too.
  if (exitCode !== 0) throw new Error(errors.trim())
  return { missing: errors.trim() || `nothing was started; try: node scripts/${script}` }
}

/** The first line of output of a process, or its errors if it ends without output. */
function firstLine(
  child: ChildProcess,
): Promise<{ readonly output: string; readonly errors: string; readonly exitCode: number | null }> {
  return new Promise((resolve, reject) => {
    let output = ''
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.includes('\n')) resolve({ output, errors, exitCode: null })
    })
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ output, errors, exitCode }))
  })
}
