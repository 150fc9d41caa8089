// A real Kubernetes for the tests: etcd, the API server, the controllers of jobs and the scheduler, on loopback, with two nodes whose
// kubelets are those of test/support/kubelet.mjs: pods run as processes of this machine.
//
//   node scripts/kubernetes-env.mjs         builds them as one program with Go, in .cache/kubernetes-<hash>/: half an hour on two processors
//   node scripts/kubernetes-env.mjs path    prints its path, or nothing if it is not built
//   node scripts/kubernetes-env.mjs serve   starts a cluster in a temporary folder, prints it as JSON, stops it when standard input ends
//
// Runs on Node 18 or newer. Building takes too long for CI: `serve` never builds, and where nothing is built prints why and exits with 0.
// `serve` prints { folder, env, nodes }.
import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:https'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts, path, serve } from './batch-env.mjs'
import { buildWithGo } from './go-env.mjs'

const VERSION = 'v1.36.3'
const UP_WITHIN_MS = 60_000
const NODES = ['node-1', 'node-2']
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const PARTS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']
const version = 'k8s.io/component-base/version'

const isServing = process.argv[2] === 'serve'
const program = buildWithGo({
  script: 'kubernetes-env',
  name: 'kubernetes',
  files: ['go.mod', 'go.sum', 'main.go'],
  main: '.',
  env: { CGO_ENABLED: '0' },
  flags: `-X ${version}.gitVersion=${VERSION} -X ${version}.gitMajor=1 -X ${version}.gitMinor=36`,
  title: `Kubernetes ${VERSION}`,
  duration: 'half an hour or so',
  server: 'a Kubernetes',
  missing: 'found no Go (1.26 or newer) to build Kubernetes',
  isNeeded: !isServing,
})

const children = []

async function start(folder) {
  const [etcd, peers, api] = await freePorts(3)
  const token = randomBytes(16).toString('hex')
  const server = `https://127.0.0.1:${api}`
  const file = (name, text, mode = 0o600) => {
    writeFileSync(join(folder, name), text, { mode })
    return join(folder, name)
  }
  for (const name of ['bin', 'image', 'logs', 'certificates']) mkdirSync(join(folder, name))
  for (const part of PARTS) symlinkSync(program, join(folder, 'bin', part))
  const kubeconfig = file('kubeconfig', JSON.stringify(configOf(server, token)))
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signing = file('signing.key', privateKey.export({ type: 'pkcs1', format: 'pem' }))

  run(folder, 'etcd', [
    `--data-dir=${join(folder, 'etcd')}`,
    ...['listen-client-urls', 'advertise-client-urls'].map((name) => `--${name}=http://127.0.0.1:${etcd}`),
    ...['listen-peer-urls', 'initial-advertise-peer-urls'].map((name) => `--${name}=http://127.0.0.1:${peers}`),
    `--initial-cluster=default=http://127.0.0.1:${peers}`,
    // What is lost with the machine is not needed any more.
    '--unsafe-no-fsync',
  ])
  run(folder, 'kube-apiserver', [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    `--secure-port=${api}`,
    ...['bind-address', 'advertise-address'].map((name) => `--${name}=127.0.0.1`),
    `--cert-dir=${join(folder, 'certificates')}`,
    `--token-auth-file=${file('tokens', `${token},admin,admin,system:masters\n`)}`,
    '--authorization-mode=RBAC',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--service-account-issuer=https://kubernetes.default.svc',
    ...['key', 'signing-key'].map((name) => `--service-account-${name}-file=${signing}`),
    '--kubelet-preferred-address-types=InternalIP',
    '--disable-admission-plugins=ServiceAccount,TaintNodesByCondition',
  ])
  await until(() => isReady(server, token), 'the API server to be ready', folder)
  const common = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0']
  run(folder, 'kube-controller-manager', [
    ...common,
    '--controllers=job-controller,garbage-collector-controller,ttl-after-finished-controller,namespace-controller',
  ])
  run(folder, 'kube-scheduler', common)
  // What the image of workers has.
  file('image/bellis', `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin', 'bellis.js')}' "$@"\n`, 0o755)
  const kubelet = fileURLToPath(new URL('../test/support/kubelet.mjs', import.meta.url))
  const [certificate, key] = ['crt', 'key'].map((name) => join(folder, 'certificates', `apiserver.${name}`))
  const nodes = run(folder, process.execPath, [
    kubelet,
    server,
    token,
    certificate,
    key,
    join(folder, 'logs'),
    ...NODES,
  ])
  await new Promise((done, failed) => {
    nodes.stdout.once('data', done)
    nodes.once('exit', () => failed(new Error(`kubernetes-env: the kubelets ended:\n${tailOf(folder, 'kubelet')}`)))
  })
  const env = { KUBECONFIG: kubeconfig, PATH: `${join(folder, 'bin')}${delimiter}${path}` }
  return { folder, env, nodes: NODES }
}

const configOf = (server, token) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
  users: [{ name: 'admin', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin', namespace: 'default' } }],
  'current-context': 'test',
})

function run(folder, part, args) {
  const isNode = part === process.execPath
  const log = openSync(join(folder, 'logs', `${isNode ? 'kubelet' : part}.out`), 'a')
  const child = spawn(isNode ? part : join(folder, 'bin', part), args, {
    cwd: folder,
    stdio: isNode ? ['pipe', 'pipe', log] : ['ignore', log, log],
    env: { ...process.env, PATH: isNode ? `${join(folder, 'image')}${delimiter}${path}` : path },
  })
  child.once('error', (error) => console.error(`kubernetes-env: ${part}: ${error.message}`))
  children.push(child)
  return child
}

const isReady = (server, token) =>
  new Promise((resolve) => {
    const options = { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } }
    const asked = get(`${server}/readyz`, options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.once('error', () => resolve(false))
  })

async function until(condition, what, folder) {
  for (const end = Date.now() + UP_WITHIN_MS; Date.now() < end; await wait(100)) if (await condition()) return
  const tails = PARTS.map((part) => tailOf(folder, part)).join('\n')
  throw new Error(`kubernetes-env: waited ${UP_WITHIN_MS / 1000} s for ${what}:\n${tails}`)
}

function tailOf(folder, part) {
  const log = join(folder, 'logs', `${part}.out`)
  return existsSync(log) ? `${part}: ${readFileSync(log, 'utf8').trim().split('\n').slice(-4).join('\n')}` : ''
}

async function stop(folder) {
  // The kubelets end their pods when their input ends.
  for (const child of [...children].reverse()) {
    child.stdin?.end()
    if (child.stdin === null) child.kill('SIGTERM')
  }
  const ended = Promise.all(
    children.map((child) => child.exitCode !== null || new Promise((done) => child.once('exit', done))),
  )
  await Promise.race([ended, wait(3000)])
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

if (isServing) {
  if (existsSync(program)) {
    try {
      await serve('bellis-kubernetes-', start, stop)
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
      process.exit(1)
    }
  } else {
    console.error(
      'kubernetes-env: no Kubernetes is built; tests that need one are skipped. Build it: npm run test:kubernetes',
    )
  }
}
