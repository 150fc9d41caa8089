// Torque's qsub, qstat and qdel for the tests, as Debian has them: over the SLURM of slurm-env.mjs, without installing them, since
// Grid Engine has programs of the same names.
//
//   node scripts/torque-env.mjs         downloads what is missing, as root on Debian: 1 MB into .cache/torque
//   node scripts/torque-env.mjs serve   starts a cluster in a temporary folder, prints it as JSON, stops it when standard input ends
//
// Runs on Node 18 or newer. If they are not available, prints why and exits with 0, or with 1 if the variable CI is set.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProgram, isRoot, serve, unpackPackages } from './batch-env.mjs'

const PACKAGES = ['slurm-wlm-torque', 'libslurm-perl', 'libslurmdb-perl', 'libswitch-perl', 'libslurm38']

const here = dirname(fileURLToPath(import.meta.url))
const home = join(here, '..', '.cache', 'torque')
const programs = join(home, 'usr', 'bin')

/** Ends the script: a developer's tests are skipped without PBS, but CI must not pass without it. */
function giveUp(reason) {
  console.error(`torque-env: ${reason}; tests that need Torque's programs are skipped.`)
  process.exit(process.env.CI ? 1 : 0)
}

function install() {
  if (!isRoot()) giveUp('only root can start the SLURM below them')
  if (process.platform !== 'linux' || findProgram('apt-get') === undefined) giveUp('this is not Debian')
  if (process.arch !== 'x64') giveUp('it is tested only on amd64')
  if (!existsSync(home)) fetch()
}

function fetch() {
  console.error(`torque-env: downloading ${PACKAGES.join(' ')}`)
  const trouble = unpackPackages(PACKAGES, home, (unpacked) => {
    // qsub looks for sbatch beside itself.
    for (const name of ['sbatch', 'salloc', 'srun']) {
      const found = findProgram(name)
      if (found !== undefined) symlinkSync(found, join(unpacked, 'usr', 'bin', name))
    }
  })
  if (trouble !== undefined) giveUp(trouble)
}

function slurm(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(here, 'slurm-env.mjs'), ...args], {
    encoding: 'utf8',
  })
  if (status !== 0 || (args[0] === 'start' && stdout === '')) throw new Error(`torque-env: ${stderr}`)
  return stdout
}

function start(folder) {
  const described = JSON.parse(slurm('start', folder))
  const library = join(home, 'usr', 'lib', 'x86_64-linux-gnu')
  const perl = readdirSync(join(library, 'perl5')).map((version) => join(library, 'perl5', version))
  const env = {
    ...described.env,
    PATH: `${programs}${delimiter}${described.env.PATH}`,
    PERL5LIB: [...perl, join(home, 'usr', 'share', 'perl5')].join(delimiter),
    LD_LIBRARY_PATH: [library, join(library, 'slurm-wlm')].join(delimiter),
  }
  return { ...described, env }
}

const [action = 'install'] = process.argv.slice(2)
try {
  install()
  if (action === 'serve') await serve('bellis-torque-', start, (folder) => slurm('stop', folder))
  else if (action !== 'install') throw new Error('usage: torque-env.mjs [install | serve]')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
