import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Side } from './rows.ts'

/** What one command took, with everything that it started. */
export interface Measured {
  /** Seconds. */
  readonly wall: number
  /** Processor seconds of the process tree. */
  readonly cpu: number
  /** Most memory of the process tree at one time, MB, if it was measured. */
  readonly peakMb?: number
  readonly out: string
}

const script = fileURLToPath(new URL('../peers/measure.py', import.meta.url))
/** NumPy's own `exp` on processors with AVX-512 is not the C library's: see docs/GAUSSIAN.md. */
const ENVIRONMENT = { NPY_DISABLE_CPU_FEATURES: 'X86_V4 AVX512_ICL', PYTHONWARNINGS: 'ignore' }

/**
 * Runs a side once, after removing what it has written.
 * @throws Error with the command's last words if it fails
 */
export function measureSide(python: string, folder: string, side: Side, memory = false): Measured {
  for (const path of side.writes) rmSync(join(folder, path), { recursive: true, force: true })
  return measureCommand(python, folder, side.command, memory)
}

export function measureCommand(python: string, cwd: string, command: readonly string[], memory = false): Measured {
  const input = JSON.stringify({ command, cwd, memory, env: ENVIRONMENT })
  const { stdout, stderr } = spawnSync(python, [script], { input, encoding: 'utf8', maxBuffer: 2 ** 26 })
  if (stdout === '') throw new Error(`${script} failed: ${stderr}`)
  const { exit, err, ...measured } = JSON.parse(stdout) as Measured & { exit: number; err: string }
  if (exit !== 0) throw new Error(`${command.join(' ')} exited with ${exit}:\n${err.trim()}\n${measured.out.trim()}`)
  return measured
}
