import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const script = fileURLToPath(new URL('../../scripts/slurm-env.mjs', import.meta.url))

/** A started SLURM: a controller and two nodes of four processors each, on loopback. */
export interface SlurmCluster {
  /** What a program needs in its environment to use it. */
  readonly env: { readonly SLURM_CONF: string; readonly PATH: string }
  readonly nodes: readonly string[]
  /** `short` is the default; jobs in `urgent` pre-empt those in `short`, which get SIGTERM and 10 s then. */
  readonly partitions: readonly string[]
  /** The folder of the daemons' logs. */
  readonly logs: string
  /** Runs one of SLURM's programs. @returns what it printed @throws when it exits with anything but 0 */
  run(program: string, ...args: string[]): Promise<string>
}

/** The part of a test's (or suite's) context that skipping needs. */
interface Skippable {
  skip(message?: string): void
}

type Answer = Omit<SlurmCluster, 'run'> | { readonly missing: string }

let starting: Promise<Answer> | undefined

/**
 * A real SLURM, the same for all tests of a file, made by `scripts/slurm-env.mjs`. It ends, with its jobs and files,
 * when this process does, however that comes. Where there can't be one the test is skipped with a message, or fails where
 * the variable `CI` is set:
 *
 *     it('runs on SLURM', async (t) => {
 *       const slurm = await slurmOrSkip(t)
 *       if (slurm === undefined) return
 *       await slurm.run('sbatch', '--wrap', 'true')
 *     })
 */
export async function slurmOrSkip(t: Skippable): Promise<SlurmCluster | undefined> {
  starting ??= start()
  const answer = await starting
  if ('missing' in answer) {
    if (process.env.CI) throw new Error(answer.missing)
    t.skip(answer.missing)
    return undefined
  }
  const env = { ...process.env, ...answer.env }
  return {
    ...answer,
    run: async (program, ...args) =>
      (await promisify(execFile)(program, args, { env, encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' }))
        .stdout,
  }
}

async function start(): Promise<Answer> {
  // In a group of its own: a Ctrl-C must not end the cluster before the tests that use it.
  const child = spawn(process.execPath, [script, 'serve'], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const { output, errors } = await firstLine(child)
  child.unref()
  // The pipes stay open as long as this process lives, and don't keep it alive.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) (pipe as unknown as { unref(): void }).unref()
  if (output !== '') return JSON.parse(output) as Answer
  return { missing: errors.trim() || 'no SLURM can be started here; try: node scripts/slurm-env.mjs' }
}

/** What a process says first, or, when it ends without a word, its errors. */
function firstLine(child: ChildProcess): Promise<{ readonly output: string; readonly errors: string }> {
  return new Promise((resolve, reject) => {
    let output = ''
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.includes('\n')) resolve({ output, errors })
    })
    child.on('error', reject)
    child.on('close', () => resolve({ output, errors }))
  })
}
