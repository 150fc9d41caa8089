// A real Grid Engine for the tests: a master and one execution host with eight slots on loopback, without systemd and without
// installing Debian's packages, which would start daemons and install a mail server.
//
//   node scripts/sge-env.mjs         downloads what is missing, as root on Debian: 9 MB into .cache/sge
//   node scripts/sge-env.mjs serve   starts a cluster in a temporary folder, prints it as JSON, stops it when standard input ends
//
// Runs on Node 18 or newer. If Grid Engine is not available, prints why and exits with 0: tests are skipped. All files are in
// .cache/sge and the one folder, except a library that the programs expect in /usr/lib/gridengine.
// `serve` prints { folder, env, slots }.
import { spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findProgram, freePorts, isRoot, path, serve, unpackPackages } from './batch-env.mjs'

const PACKAGES = ['gridengine-master', 'gridengine-exec', 'gridengine-client', 'gridengine-common', 'libjemalloc2']
const SLOTS = 8
const UP_WITHIN_MS = 20_000
const JOBS_END_WITHIN_MS = 8000
// The programs look for it only here.
const SPOOL_LIBRARY = '/usr/lib/gridengine/libspoolc.so'

const home = join(dirname(fileURLToPath(import.meta.url)), '..', '.cache', 'sge')
const programs = join(home, 'usr', 'lib', 'gridengine')
const shared = join(home, 'usr', 'share', 'gridengine')

/** Ends the script: tests that need SGE are skipped. */
function giveUp(reason) {
  console.error(`sge-env: ${reason}; tests that need a real SGE are skipped.`)
  process.exit(0)
}

// --- downloading

function install() {
  if (!isRoot()) giveUp('only root can start sge_qmaster as the tests need it')
  if (process.platform !== 'linux' || findProgram('apt-get') === undefined) giveUp('this is not Debian')
  if (process.arch !== 'x64') giveUp('it is tested only on amd64')
  if (!existsSync(programs)) fetch()
  if (existsSync(SPOOL_LIBRARY)) return
  mkdirSync(dirname(SPOOL_LIBRARY), { recursive: true })
  copyFileSync(join(programs, 'libspoolc.so'), SPOOL_LIBRARY)
}

function fetch() {
  console.error(`sge-env: downloading ${PACKAGES.join(' ')}`)
  const trouble = unpackPackages(PACKAGES, home)
  if (trouble !== undefined) giveUp(trouble)
}

function run(program, args, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8', timeout: 20_000 })
  if (status === 0) return stdout
  throw new Error(`sge-env: ${program} ${args.join(' ')}: ${error?.message ?? ''}${stderr ?? ''}${stdout ?? ''}`.trim())
}

// --- a cluster in a folder

const environmentOf = (folder, [master, execution]) => ({
  SGE_ROOT: folder,
  SGE_CELL: 'default',
  SGE_ARCH: 'lx-amd64',
  SGE_QMASTER_PORT: String(master),
  SGE_EXECD_PORT: String(execution),
  LD_LIBRARY_PATH: `${programs}${delimiter}${join(home, 'usr', 'lib', 'x86_64-linux-gnu')}`,
  PATH: `${programs}${delimiter}${path}`,
})

async function start(wanted) {
  const folder = realpathSync(wanted)
  const env = environmentOf(folder, await freePorts(2))
  const all = { ...process.env, ...env }
  const sge = (program, ...args) => run(join(programs, program), args, all)
  const common = join(folder, 'default', 'common')
  const spool = join(folder, 'spool', 'qmaster')
  for (const name of [common, join(spool, 'job_scripts'), join(folder, 'spool', 'execd')])
    mkdirSync(name, { recursive: true })
  for (const name of ['bin', 'lib', 'utilbin']) {
    mkdirSync(join(folder, name))
    symlinkSync(programs, join(folder, name, 'lx-amd64'))
  }
  symlinkSync(join(shared, 'util'), join(folder, 'util'))

  const host = hostname()
  const write = (name, lines) => writeFileSync(join(common, name), `${lines.join('\n')}\n`)
  write('bootstrap', [
    'admin_user none',
    'default_domain none',
    'ignore_fqdn false',
    'spooling_method classic',
    'spooling_lib libspoolc',
    `spooling_params ${common};${spool}`,
    `binary_path ${join(folder, 'bin')}`,
    `qmaster_spool_dir ${spool}`,
    'security_mode none',
    'listener_threads 1',
    'worker_threads 1',
    'scheduler_threads 1',
    'jvm_threads 0',
  ])
  write('act_qmaster', [host])
  write('cluster_name', ['bellis-test'])
  // The names of this host may resolve in any way; these all mean the same machine.
  write('host_aliases', [[...new Set([host, 'localhost', ...namesOfLoopback()])].join(' ')])

  const settings = {
    execd_spool_dir: join(folder, 'spool', 'execd'),
    mailer: '/bin/true',
    min_uid: '0',
    min_gid: '0',
    load_report_time: '00:00:02',
  }
  const defaults = readFileSync(join(shared, 'default-configuration'), 'utf8')
  const configuration = join(folder, 'configuration')
  writeFileSync(configuration, changed(defaults, settings))
  sge('spoolinit', 'classic', 'libspoolc', `${common};${spool}`, 'init')
  sge('spooldefaults.bin', 'configuration', configuration)
  sge('spooldefaults.bin', 'complexes', join(shared, 'util', 'resources', 'centry'))
  sge('spooldefaults.bin', 'usersets', join(shared, 'util', 'resources', 'usersets'))
  sge('spooldefaults.bin', 'managers', 'root')

  await daemon(folder, 'sge_qmaster', all)
  await until(() => answers(() => sge('qconf', '-sh')), 'sge_qmaster to answer', folder)
  sge('qconf', '-as', host)
  const quick = {
    schedule_interval: '0:0:1',
    flush_submit_sec: '1',
    flush_finish_sec: '1',
    job_load_adjustments: 'NONE',
  }
  const scheduling = join(folder, 'scheduling')
  writeFileSync(scheduling, changed(sge('qconf', '-ssconf'), quick))
  sge('qconf', '-Msconf', scheduling)
  await daemon(folder, 'sge_execd', all)
  await until(() => sge('qhost').includes('lx-amd64'), 'sge_execd to report', folder)
  const queue = join(folder, 'queue')
  writeFileSync(queue, queueOf(host))
  sge('qconf', '-Aq', queue)
  await until(() => / lx-amd64\s*$/m.test(sge('qstat', '-f')), 'the queue to be ready', folder)
  return { folder, env, slots: SLOTS }
}

/** Replaces some of the values in a text of `name value` lines. */
const changed = (text, values) =>
  text.trimStart().replace(/^(\w+)\s+.*$/gm, (line, name) => (name in values ? `${name} ${values[name]}` : line))

function namesOfLoopback() {
  const lines = readFileSync('/etc/hosts', 'utf8').split('\n')
  return lines.filter((line) => line.startsWith('127.')).flatMap((line) => line.split(/\s+/).slice(1).filter(Boolean))
}

function queueOf(host) {
  const limits = ['rt', 'cpu', 'fsize', 'data', 'stack', 'core', 'rss', 'vmem']
  const none = [
    ...['load_thresholds', 'suspend_thresholds', 'ckpt_list', 'pe_list', 'prolog', 'epilog', 'starter_method'],
    ...['suspend_method', 'resume_method', 'terminate_method', 'owner_list', 'user_lists', 'xuser_lists'],
    ...['subordinate_list', 'complex_values', 'projects', 'xprojects', 'calendar'],
  ]
  return `${[
    'qname all.q',
    `hostlist ${host}`,
    'seq_no 0',
    'nsuspend 1',
    'suspend_interval 00:05:00',
    'priority 0',
    'min_cpu_interval 00:05:00',
    'processors UNDEFINED',
    'qtype BATCH',
    'rerun FALSE',
    `slots ${SLOTS}`,
    'tmpdir /tmp',
    'shell /bin/sh',
    'shell_start_mode unix_behavior',
    'notify 00:00:60',
    'initial_state default',
    ...none.map((name) => `${name} NONE`),
    ...limits.flatMap((name) => [`s_${name} INFINITY`, `h_${name} INFINITY`]),
  ].join('\n')}\n`
}

async function daemon(folder, program, env) {
  const log = openSync(join(folder, `${program}.out`), 'a')
  const child = spawn(join(programs, program), [], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
    // SGE_ND keeps it in the foreground.
    env: { ...env, SGE_ND: '1' },
  })
  await new Promise((done, failed) => child.once('spawn', done).once('error', failed))
  child.unref()
}

function answers(action) {
  try {
    return action() !== ''
  } catch {
    return false
  }
}

async function until(condition, what, folder) {
  for (const end = Date.now() + UP_WITHIN_MS; Date.now() < end; await wait(50))
    if (answers(() => condition() || '')) return
  const logs = ['sge_qmaster.out', 'sge_execd.out'].map((name) => join(folder, name)).filter(existsSync)
  const tails = logs.map((log) => readFileSync(log, 'utf8').trim().split('\n').slice(-4).join('\n'))
  throw new Error(`sge-env: waited ${UP_WITHIN_MS / 1000} s for ${what}:\n${tails.join('\n')}`)
}

async function stop(wanted) {
  const folder = realpathSync(wanted)
  const processes = () => processesOf(folder)
  const end = async (signal, forMs, which) => {
    for (const { pid } of processes().filter(which)) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has already ended.
      }
    }
    for (const until = Date.now() + forMs; Date.now() < until && processes().some(which); ) await wait(30)
  }
  const isDaemon = ({ name }) => /^sge_(qmaster|execd)$/.test(name)
  await end('SIGKILL', JOBS_END_WITHIN_MS, (each) => !isDaemon(each))
  await end('SIGTERM', 3000, isDaemon)
  await end('SIGKILL', 3000, () => true)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** The daemons of this folder's cluster and the processes of its jobs, but not processes that only use the cluster. */
function processesOf(folder) {
  const mark = `SGE_ROOT=${folder}`
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return []
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      if (!environment.includes(mark)) return []
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      if (/^State:\s+Z/m.test(status)) return []
      const [, name = ''] = /^Name:\s+(\S+)$/m.exec(status) ?? []
      const isJob = environment.some((entry) => entry.startsWith('JOB_ID='))
      return isJob || /^sge_(qmaster|execd|shepherd)/.test(name) ? [{ pid: Number(pid), name }] : []
    } catch {
      return []
    }
  })
}

const [action = 'install'] = process.argv.slice(2)
try {
  if (action !== 'install' && action !== 'serve') throw new Error('usage: sge-env.mjs [install | serve]')
  install()
  if (action === 'serve') await serve('bellis-sge-', start, stop)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
