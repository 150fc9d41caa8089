import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NodeOptions, type RunOptions, runBlockwise } from 'bellis'
import programTask from './tasks/program.ts'

/** The folder of the client in Python, one file. */
export const pythonClient = fileURLToPath(new URL('../../clients/python/', import.meta.url))

/** Runs `body` as Python in a loop over eight blocks, started by the run. */
export async function runProgram(
  python: string,
  folder: string,
  body: string,
  options: RunOptions = {},
  node?: NodeOptions,
) {
  const program = join(folder, 'program.py')
  const header = `import os, signal, sys, time\nsys.path.insert(0, ${JSON.stringify(pythonClient)})\nimport bellis\n`
  writeFileSync(program, header + body)
  const runDir = join(folder, '.bellis')
  return await runBlockwise(programTask({ python, program, folder }, node), { workers: 1, runDir, ...options })
}
