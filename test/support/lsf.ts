import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Cluster } from './cluster.ts'

let standIn: Cluster | undefined

/** A stand-in for LSF, which can't be installed here: see `lsf-programs.mjs`. It ends with this process. */
export const lsf = async (): Promise<Cluster> => {
  standIn ??= start()
  return standIn
}

function start(): Cluster {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-lsf-'))
  const [bin, home] = [join(folder, 'bin'), join(folder, 'jobs')]
  const program = fileURLToPath(new URL('lsf-programs.mjs', import.meta.url))
  for (const each of [bin, home]) mkdirSync(each)
  for (const name of ['bsub', 'bjobs', 'bkill']) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${program}' ${name} "$@"\n`, { mode: 0o755 })
  }
  const env = { LSF_STANDIN: home, PATH: `${bin}:${process.env.PATH}` }
  const all = { ...process.env, ...env }
  process.once('exit', () => {
    spawnSync(join(bin, 'bkill'), ['-s', 'KILL', '0'], { env: all })
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    env,
    run: async (name, ...args) => (await promisify(execFile)(name, args, { env: all, encoding: 'utf8' })).stdout,
  }
}
