// A real SLURM for the tests: a controller and nodes on loopback, without systemd, and independent of a SLURM that is
// installed on this machine.
//
//   node scripts/slurm-env.mjs                 installs what is missing, as root on Debian
//   node scripts/slurm-env.mjs start FOLDER    starts a cluster in FOLDER, unless it is running, and prints it as JSON
//   node scripts/slurm-env.mjs revive FOLDER NAME   starts a daemon again that was killed: slurmctld, or slurmd by its node
//   node scripts/slurm-env.mjs stop FOLDER     stops it and its jobs, and removes FOLDER
//   node scripts/slurm-env.mjs serve           starts one in a temporary folder, prints it as JSON, and stops it when
//                                              standard input ends, so that it never outlives its parent
//
// `start FOLDER` and `serve` take further lines for slurm.conf, one per argument: `MaxArraySize=3`. A line replaces the one that
// sets the same option, or the same partition. `speed=10` lets the cluster's time pass ten times as fast, so that its limits, which
// are whole minutes, are short. `nodes=4` makes four nodes, n1 to n4, in place of two.
//
// Runs on Node 18 or newer. If SLURM can't be installed, prints why and exits with 0, or with 1 if the variable CI is set.
// Everything except the Debian packages is in the one folder: key, socket, configuration, state, logs.
// `start` prints { folder, env: { SLURM_CONF, PATH }, nodes, partitions, logs }.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { aptGet, findProgram, freePorts, isRoot, path, serve } from './batch-env.mjs'

const PACKAGES = ['slurmctld', 'slurmd', 'slurm-client', 'munge', 'libfaketime']
const PROGRAMS = ['slurmctld', 'slurmd', 'munged', 'sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo']
const NODES = 2
const CPUS_PER_NODE = 4
const START_ATTEMPTS = 3
const UP_WITHIN_MS = 20_000
const JOBS_END_WITHIN_MS = 8000

/** Lets a program see the time pass faster. */
const fakeTime = () =>
  readdirSync('/usr/lib')
    .map((name) => join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'))
    .find((file) => existsSync(file))

const missingPrograms = () => [
  ...PROGRAMS.filter((name) => findProgram(name) === undefined),
  ...(fakeTime() === undefined ? ['libfaketime'] : []),
]

/** Ends the script: a developer's tests are skipped without SLURM, but CI must not pass without it. */
function giveUp(reason) {
  console.error(`slurm-env: ${reason}; tests that need a real SLURM are skipped.`)
  process.exit(process.env.CI ? 1 : 0)
}

// --- installing

function install() {
  if (missingPrograms().length === 0) return
  if (process.platform !== 'linux' || findProgram('apt-get') === undefined || !existsSync('/etc/debian_version')) {
    giveUp(`${missingPrograms().join(', ')} not found, and this is not Debian`)
  }
  if (!isRoot()) giveUp(`${missingPrograms().join(', ')} not found, and only root can install ${PACKAGES.join(' ')}`)
  console.error(`slurm-env: installing ${PACKAGES.join(' ')}`)
  const keepDaemonsDown = forbidServices()
  let output = ''
  try {
    const wanted = ['install', '--yes', '--no-install-recommends', ...PACKAGES]
    if (aptGet(['--simulate', ...wanted]).status !== 0) output = aptGet(['update']).output
    output += aptGet(wanted).output
  } finally {
    keepDaemonsDown()
  }
  if (missingPrograms().length > 0) {
    giveUp(`apt-get could not install ${PACKAGES.join(' ')}: ${output.trim().split('\n').slice(-5).join(' | ')}`)
  }
}

/** Debian starts installed services, a system-wide munged too; this forbids it. @returns a function that allows it again */
function forbidServices() {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return () => {}
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return () => rmSync(policy, { force: true })
}

// --- a cluster in a folder

const confOf = (folder) => join(folder, 'slurm.conf')
const logsOf = (folder) => join(folder, 'logs')

const nodesOf = (folder) =>
  [...readFileSync(confOf(folder), 'utf8').matchAll(/^NodeName=(n\d+) /gm)].map(([, name]) => name)

const describe = (folder) => ({
  folder,
  env: { SLURM_CONF: confOf(folder), PATH: path },
  nodes: nodesOf(folder),
  partitions: ['short', 'urgent'],
  logs: logsOf(folder),
})

async function start(wanted, lines = []) {
  mkdirSync(wanted, { recursive: true })
  const folder = realpathSync(wanted)
  if (isUp(folder)) return describe(folder)
  let failure
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
    await stopDaemons(folder)
    try {
      await startDaemons(folder, lines)
      return describe(folder)
    } catch (error) {
      // Another program may have taken a port that was free; the next attempt uses other ports.
      failure = error
    }
  }
  await stopDaemons(folder)
  throw failure
}

async function startDaemons(folder, lines) {
  // Munge requires that others can read the socket's folder, and that only the owner can read the key.
  chmodSync(folder, 0o755)
  const count = Number(lines.find((line) => line.startsWith('nodes='))?.slice(6) ?? NODES)
  const nodes = Array.from({ length: count }, (_, index) => `n${index + 1}`)
  for (const name of ['logs', 'munge', 'state', ...nodes])
    mkdirSync(join(folder, name), { recursive: true, mode: 0o755 })
  const key = join(folder, 'munge.key')
  rmSync(key, { force: true })
  writeFileSync(key, randomBytes(128), { mode: 0o400 })
  writeFileSync(confOf(folder), siteOf(configuration(folder, nodes, await freePorts(1 + count)), lines), {
    mode: 0o644,
  })

  const socket = join(folder, 'munge', 'socket')
  const files = ['pid', 'log', 'seed'].map((name) => `--${name}-file=${join(folder, 'munge', name)}`)
  await daemon(folder, 'munged', ['--foreground', '--force', `--key-file=${key}`, `--socket=${socket}`, ...files])
  await until(() => existsSync(socket), 'munged to make its socket', folder)
  await daemon(folder, 'slurmctld', ['-D', '-c', '-f', confOf(folder)])
  for (const node of nodes) await daemon(folder, 'slurmd', ['-D', '-c', '-N', node, '-f', confOf(folder)], node)
  await until(() => isUp(folder), 'its nodes to be idle', folder)
}

/** Starts a daemon of a running cluster again, which goes on with the state that it left. */
async function revive(folder, name) {
  if (name === 'slurmctld') return await daemon(folder, 'slurmctld', ['-D', '-f', confOf(folder)])
  if (!nodesOf(folder).includes(name)) throw new Error(`${name}: expected slurmctld, ${nodesOf(folder).join(', ')}`)
  await daemon(folder, 'slurmd', ['-D', '-N', name, '-f', confOf(folder)], name)
}

function configuration(folder, nodes, [controller, ...nodePorts]) {
  const host = hostname().split('.')[0]
  const realMemory = 64_000
  return `${[
    'ClusterName=bellis-test',
    `SlurmctldHost=${host}(127.0.0.1)`,
    `SlurmctldPort=${controller}`,
    'SlurmUser=root',
    'SlurmdUser=root',
    'AuthType=auth/munge',
    'CryptoType=crypto/munge',
    `AuthInfo=socket=${join(folder, 'munge', 'socket')}`,
    `StateSaveLocation=${join(folder, 'state')}`,
    `SlurmdSpoolDir=${join(folder, '%n')}`,
    `SlurmctldPidFile=${join(folder, 'slurmctld.pid')}`,
    `SlurmdPidFile=${join(folder, '%n', 'slurmd.pid')}`,
    `SlurmctldLogFile=${join(logsOf(folder), 'slurmctld.log')}`,
    `SlurmdLogFile=${join(logsOf(folder), 'slurmd-%n.log')}`,
    'ProctrackType=proctrack/linuxproc',
    'TaskPlugin=task/none',
    'JobAcctGatherType=jobacct_gather/none',
    'AccountingStorageType=accounting_storage/none',
    'JobCompType=jobcomp/none',
    'MpiDefault=none',
    'MailProg=/bin/true',
    'SwitchType=switch/none',
    'SelectType=select/cons_tres',
    'SelectTypeParameters=CR_CPU',
    'SlurmdParameters=config_overrides',
    'SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1',
    'CommunicationParameters=NoInAddrAny,NoCtldInAddrAny',
    'ReturnToService=2',
    'KillWait=10',
    'MinJobAge=60',
    'InactiveLimit=0',
    // Jobs in "urgent" preempt those in "short": SIGTERM, then SIGKILL after KillWait. A GraceTime would only delay both.
    'PreemptType=preempt/partition_prio',
    'PreemptMode=CANCEL',
    ...nodes.map(
      (node, index) =>
        `NodeName=${node} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePorts[index]} ` +
        `CPUs=${CPUS_PER_NODE} RealMemory=${realMemory} State=UNKNOWN`,
    ),
    'PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=CANCEL',
    'PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF',
  ].join('\n')}\n`
}

/** The configuration with the lines of a site. */
function siteOf(text, lines) {
  const optionOf = (line) => /^((NodeName|PartitionName)=\S+|[^=]+)/.exec(line)[0]
  const own = text.split('\n').filter((line) => line === '' || !lines.some((each) => optionOf(each) === optionOf(line)))
  return [...own.filter(Boolean), ...lines.map((line) => line.replace(/^(speed|nodes)=/, '# $1=')), ''].join('\n')
}

const timeOf = (speed) => (speed === '1' ? {} : { LD_PRELOAD: fakeTime(), FAKETIME: `+0 x${speed}` })

/** The factor by which the cluster's time is faster. */
const speedOf = (folder) => /^# speed=(\d+)$/m.exec(readFileSync(confOf(folder), 'utf8'))?.[1] ?? '1'

async function daemon(folder, program, args, name = program) {
  const log = openSync(join(logsOf(folder), `${name}.out`), 'a')
  const child = spawn(findProgram(program), args, {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
    env: { PATH: path, LC_ALL: 'C', SLURM_CONF: confOf(folder), ...timeOf(speedOf(folder)) },
  })
  closeSync(log)
  await new Promise((done, failed) => child.once('spawn', done).once('error', failed))
  child.unref()
}

function isUp(folder) {
  if (!existsSync(confOf(folder))) return false
  const { stdout } = slurm(folder, 'sinfo', ['--noheader', '--Node', '--partition=short', '--format=%N %T'])
  const states = (stdout ?? '').trim().split('\n')
  return nodesOf(folder).every((node) =>
    states.some((line) => new RegExp(`^${node} (idle|mixed|allocated)$`).test(line)),
  )
}

const slurm = (folder, program, args) =>
  spawnSync(program, args, {
    env: { PATH: path, LC_ALL: 'C', SLURM_CONF: confOf(folder) },
    encoding: 'utf8',
    timeout: 5000,
    killSignal: 'SIGKILL',
  })

async function until(condition, what, folder) {
  for (const end = Date.now() + UP_WITHIN_MS; Date.now() < end; await wait(50)) if (condition()) return
  throw new Error(`slurm-env: waited ${UP_WITHIN_MS / 1000} s for ${what}:\n${lastLogLines(folder)}`)
}

function lastLogLines(folder) {
  const tail = (name) =>
    readFileSync(join(logsOf(folder), name), 'utf8')
      .trim()
      .split('\n')
      .slice(-4)
  return readdirSync(logsOf(folder))
    .flatMap((name) => tail(name).map((line) => `${name}: ${line}`))
    .join('\n')
}

async function stop(wanted) {
  if (!existsSync(wanted)) return
  const folder = realpathSync(wanted)
  if (!existsSync(confOf(folder))) throw new Error(`slurm-env: ${folder} has no cluster`)
  if (daemonsOf(folder).length > 0) await endJobs(folder)
  await stopDaemons(folder)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

async function endJobs(folder) {
  slurm(folder, 'scancel', ['--quiet', '--batch', '--signal=KILL', '--state=RUNNING'])
  if (slurm(folder, 'scancel', ['--quiet', '--partition=short,urgent', '--user=root']).status !== 0) return
  for (const end = Date.now() + JOBS_END_WITHIN_MS; Date.now() < end; await wait(100)) {
    const { status, stdout } = slurm(folder, 'squeue', ['--noheader', '--format=%i'])
    if (status !== 0 || stdout.trim() === '') return
  }
}

async function stopDaemons(folder) {
  for (const [signal, forMs] of [
    ['SIGTERM', 3000],
    ['SIGKILL', 3000],
  ]) {
    for (const pid of daemonsOf(folder)) {
      try {
        process.kill(pid, signal)
      } catch {
        // It has already ended.
      }
    }
    for (const end = Date.now() + forMs; Date.now() < end && daemonsOf(folder).length > 0; ) await wait(30)
  }
}

/** The processes of this folder's cluster and of its jobs, but not of other clusters, nor processes that only use it. */
function daemonsOf(folder) {
  const mark = `SLURM_CONF=${confOf(folder)}`
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return []
    try {
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0')
      if (!environment.includes(mark)) return []
      const status = readFileSync(`/proc/${name}/status`, 'utf8')
      if (/^State:\s+Z/m.test(status)) return []
      const isDaemon = /^Name:\s+(munged|slurmctld|slurmd|slurmstepd|sackd)$/m.test(status)
      const isJob = environment.some((entry) => entry.startsWith('SLURM_JOB_ID='))
      return isDaemon || isJob ? [Number(name)] : []
    } catch {
      return []
    }
  })
}

const [action = 'install', ...more] = process.argv.slice(2)
const [folder] = more
const usage = 'usage: slurm-env.mjs [install | start FOLDER [LINE…] | revive FOLDER NAME | stop FOLDER | serve [LINE…]]'
try {
  if (action !== 'stop') install()
  if (!isRoot() && action !== 'install') giveUp('only root can start munged and slurmctld as the tests need them')
  if (action === 'start' && folder) console.log(JSON.stringify(await start(resolve(folder), more.slice(1))))
  else if (action === 'revive' && folder && more[1]) await revive(realpathSync(folder), more[1])
  else if (action === 'stop' && folder) await stop(resolve(folder))
  else if (action === 'serve') await serve('bellis-slurm-', (path) => start(path, more), stop)
  else if (action !== 'install') throw new Error(usage)
  if (action === 'start' || action === 'revive') process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
