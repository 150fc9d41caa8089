// Two hosts that share a network file system, for the tests: network namespaces of this machine, with a name, a network card, process
// ids and mounts of their own. The file system is a real GlusterFS, whose server is a third host; each host mounts it at the same path.
//
//   node scripts/hosts-env.mjs         installs Debian's packages, if they are missing and this is root on Debian
//   node scripts/hosts-env.mjs serve   starts the hosts, prints them as JSON, ends them when standard input ends
//
// Runs on Node 18 or newer. If that can't be done here, prints why and exits with 0, or with 1 if the variable CI is set.
// `serve` prints { env, shared, stored, hosts: [{ name, address, enter, cable }] }: `stored` is the shared folder as
// the server keeps it, `enter` is what a command begins with to run on the host, and
// `cable` the same to pull the host's cable out of the network ("down") and to put it back ("up").
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { aptGet, findProgram, isRoot, serve } from './batch-env.mjs'

const PROGRAMS = { glusterfs: 'glusterfs-client', glusterfsd: 'glusterfs-common', ip: 'iproute2' }
/** The network of the hosts, which nothing outside of their namespaces sees. */
const ADDRESSES = { server: '10.99.0.1', anna: '10.99.0.2', bert: '10.99.0.3' }
const PORT = '24999'
const UP_WITHIN_MS = 20_000

/** Ends the script: tests that need the hosts are skipped. */
function giveUp(reason) {
  console.error(`hosts-env: ${reason}; tests with several hosts are skipped.`)
  process.exit(process.env.CI ? 1 : 0)
}

function install() {
  if (process.platform !== 'linux' || !isRoot()) giveUp('only root on Linux can make hosts')
  if (!existsSync('/dev/fuse')) giveUp('there is no /dev/fuse')
  const missing = () =>
    Object.entries(PROGRAMS).flatMap(([program, name]) => (findProgram(program) === undefined ? [name] : []))
  if (missing().length === 0) return
  if (findProgram('apt-get') === undefined) giveUp(`${missing().join(' and ')} are missing, and this is not Debian`)
  console.error(`hosts-env: installing ${missing().join(' ')}`)
  const wanted = ['install', '--yes', '--no-install-recommends', ...missing()]
  const updated = aptGet(['--simulate', ...wanted]).status === 0 ? '' : aptGet(['update']).output
  const output = updated + aptGet(wanted).output
  if (missing().length > 0) giveUp(`apt-get could not install them: ${output.trim().split('\n').slice(-5).join(' | ')}`)
}

function run(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(findProgram(program) ?? program, args, {
    encoding: 'utf8',
    timeout: 20_000,
  })
  if (status === 0) return stdout
  throw new Error(
    `hosts-env: ${program} ${args.join(' ')}: ${error?.message ?? ''}${stderr ?? ''}${stdout ?? ''}`.trim(),
  )
}

/** Starts the process in whose namespaces a host lives. It ends with this one, and everything on the host with it. */
async function newHost(folder, name) {
  const ready = join(folder, `${name}.pid`)
  // With a namespace for process ids, whose first process takes all others along.
  const init = `mount --make-rprivate / && mount -t proc proc /proc && hostname ${name} && ip link set lo up && touch ${ready} && exec cat`
  const apart = ['--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child']
  const child = spawn('unshare', [...apart, 'sh', '-c', init], { stdio: ['pipe', 'ignore', 'inherit'] })
  await until(() => existsSync(ready), `host ${name}`)
  const [pid] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ')
  const enter = ['nsenter', `--target=${pid}`, '--net', '--mount', '--uts', '--ipc', '--pid']
  // Only its network: the ids of processes are those of this machine.
  const network = ['nsenter', `--target=${pid}`, '--net', findProgram('ip')]
  return { name, pid, child, address: ADDRESSES[name], enter, network, ip: (...args) => run(...network, ...args) }
}

async function until(isDone, what) {
  for (const end = Date.now() + UP_WITHIN_MS; Date.now() < end; await wait(20)) if (isDone()) return
  throw new Error(`hosts-env: ${what} did not start within ${UP_WITHIN_MS / 1000} s`)
}

/** A cable from the server, which is the switch, to a host. */
function connect(server, { name, pid, ip, address }) {
  server.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid)
  server.ip('link', 'set', name, 'master', 'switch', 'up')
  ip('address', 'add', `${address}/24`, 'dev', 'eth0')
  ip('link', 'set', 'eth0', 'up')
}

const volume = (name, type, options, below) => [
  `volume ${name}`,
  `  type ${type}`,
  ...Object.entries(options).map(([option, value]) => `  option ${option} ${value}`),
  ...(below === undefined ? [] : [`  subvolumes ${below}`]),
  'end-volume',
]

function serverVolume(folder) {
  return [
    ...volume('files', 'storage/posix', { directory: join(folder, 'brick') }),
    ...volume('locks', 'features/locks', {}, 'files'),
    ...volume('shared', 'performance/io-threads', {}, 'locks'),
    ...volume(
      'server',
      'protocol/server',
      {
        'transport-type': 'tcp',
        'transport.socket.bind-address': ADDRESSES.server,
        'transport.socket.listen-port': PORT,
        // A host that is cut off keeps its locks no longer than this.
        'transport.tcp-user-timeout': 3,
        'auth.addr.shared.allow': '*',
      },
      'shared',
    ),
  ]
}

const clientVolume = () => [
  ...volume('client', 'protocol/client', {
    'transport-type': 'tcp',
    'remote-host': ADDRESSES.server,
    'remote-port': PORT,
    'remote-subvolume': 'shared',
    'ping-timeout': 3,
  }),
  // Attributes of files are believed for a second, as network file systems do.
  ...volume('attributes', 'performance/md-cache', { 'md-cache-timeout': 1 }, 'client'),
]

/** Starts a part of GlusterFS on a host; it stays in the foreground there. */
function gluster(folder, host, program, lines, ...args) {
  const file = join(folder, `${host.name}.vol`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  const log = openSync(join(folder, `${host.name}.out`), 'a')
  const [enter, ...options] = host.enter
  const parameters = ['--no-daemon', `--volfile=${file}`, `--log-file=${join(folder, `${host.name}.log`)}`, ...args]
  return spawn(enter, [...options, findProgram(program), ...parameters], { stdio: ['ignore', log, log] })
}

const FUSE = 0x65735546
const started = []

async function start(folder) {
  const shared = join(folder, 'shared')
  for (const name of ['brick', 'shared']) mkdirSync(join(folder, name))
  const server = await newHost(folder, 'server')
  started.push(server)
  server.ip('link', 'add', 'switch', 'type', 'bridge')
  server.ip('address', 'add', `${ADDRESSES.server}/24`, 'dev', 'switch')
  server.ip('link', 'set', 'switch', 'up')
  gluster(folder, server, 'glusterfsd', serverVolume(folder))
  const hosts = []
  for (const name of ['anna', 'bert']) {
    const host = await newHost(folder, name)
    started.push(host)
    connect(server, host)
    const seconds = ['--entry-timeout=1', '--attribute-timeout=1']
    gluster(folder, host, 'glusterfs', clientVolume(), ...seconds, shared)
    await until(() => statfsSync(`/proc/${host.pid}/root${shared}`).type === FUSE, `the file system on ${name}`)
    const cable = [...server.network, 'link', 'set', name]
    hosts.push({ name, address: host.address, enter: [...host.enter, `--wdns=${shared}`], cable })
  }
  return { env: {}, shared, stored: join(folder, 'brick'), hosts }
}

async function stop(folder) {
  const ended = started.map(({ child }) => new Promise((done) => child.once('exit', done)))
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(ended)
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

install()
if (process.argv[2] === 'serve') await serve('bellis-hosts-', start, stop)
