// A stand-in for the kubelets of a cluster: pods that the scheduler has put on a node run as processes of this machine, without
// containers. Follows what a kubelet does with the pods of an Indexed Job: their environment, working directory, signals, memory limits,
// states and logs. Images are not looked at, but for one whose name ends in `missing`, which can't be pulled.
//
//   node test/support/kubelet.mjs SERVER TOKEN CERTIFICATE KEY FOLDER NODE…
//
// Prints a line once its nodes are ready. Ends when standard input ends, and its pods with it. Runs on Node 18 or newer.
import { spawn } from 'node:child_process'
import { closeSync, createReadStream, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [server, token, certificate, key, folder, ...nodes] = process.argv.slice(2)
const authorization = `Bearer ${token}`
const LOOK_AT_MEMORY_MS = 100
/** By uid: the processes of pods. */
const running = new Map()
const hasStarted = new Set()

// --- the API

function open(method, path, type = 'application/json') {
  const url = new URL(path, server)
  return request(url, { method, rejectUnauthorized: false, headers: { authorization, 'content-type': type } })
}

/** @returns the status and the object */
function call(method, path, body, type) {
  return new Promise((resolve, reject) => {
    const asked = open(method, path, type)
    asked.once('error', reject)
    asked.once('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(parts).toString('utf8')
        resolve({ status: response.statusCode, object: text.startsWith('{') ? JSON.parse(text) : {} })
      })
    })
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const pathOf = ({ metadata }) => `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`

/** States change in order. One of a pod that is gone is dropped. */
let last = Promise.resolve()
function setStatus(pod, status) {
  last = last
    .then(() => call('PATCH', `${pathOf(pod)}/status`, { status }, 'application/strategic-merge-patch+json'))
    .catch(report)
  return last
}

const report = (error) => process.stderr.write(`kubelet: ${error instanceof Error ? error.message : error}\n`)

// --- pods

function podChanged(type, pod) {
  const { uid, deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata
  if (!nodes.includes(pod.spec?.nodeName)) return
  const child = running.get(uid)
  if (type === 'DELETED') {
    end(child, 'SIGKILL')
    hasStarted.delete(uid)
  } else if (deletionTimestamp !== undefined) {
    if (child === undefined) void call('DELETE', `${pathOf(pod)}?gracePeriodSeconds=0`).catch(report)
    else endWithin(child, deletionGracePeriodSeconds)
  } else if (!hasStarted.has(uid)) {
    hasStarted.add(uid)
    void start(pod).catch(report)
  }
}

function end(child, signal) {
  try {
    if (child !== undefined) process.kill(-child.pid, signal)
  } catch {
    // It has ended.
  }
}

function endWithin(child, seconds) {
  end(child, 'SIGTERM')
  child.isDeleted = true
  clearTimeout(child.killTimer)
  child.killTimer = setTimeout(() => end(child, 'SIGKILL'), seconds * 1000)
}

const statusWith = (phase, container, state, more = {}) => ({
  phase,
  hostIP: '127.0.0.1',
  podIP: '127.0.0.1',
  startTime: new Date().toISOString(),
  containerStatuses: [
    { name: container.name, image: container.image, imageID: '', ready: phase === 'Running', restartCount: 0, state },
  ],
  ...more,
})

async function start(pod) {
  const [container] = pod.spec.containers
  if (container.image.endsWith('missing')) {
    const waiting = { reason: 'ErrImagePull', message: `failed to pull image "${container.image}": not found` }
    await setStatus(pod, statusWith('Pending', container, { waiting }))
    return
  }
  const env = await environmentOf(pod, container)
  const cwd = container.workingDir ?? '/'
  mkdirSync(cwd, { recursive: true })
  const log = openSync(logOf(pod.metadata.namespace, pod.metadata.name), 'a')
  const [program, ...args] = [...container.command, ...(container.args ?? [])]
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  running.set(pod.metadata.uid, child)
  child.limit = bytesOf(container.resources?.limits?.memory)
  child.once('error', (error) =>
    ended(pod, container, child, { reason: 'StartError', message: error.message, exitCode: 128 }),
  )
  child.once('exit', (code, signal) => {
    const reason = child.isOverLimit ? 'OOMKilled' : code === 0 ? 'Completed' : 'Error'
    ended(pod, container, child, { reason, exitCode: signal === null ? code : 137 })
  })
  await setStatus(pod, statusWith('Running', container, { running: { startedAt: new Date().toISOString() } }))
}

function ended(pod, container, child, terminated) {
  if (!running.delete(pod.metadata.uid)) return
  clearTimeout(child.killTimer)
  end(child, 'SIGKILL')
  const phase = terminated.exitCode === 0 ? 'Succeeded' : 'Failed'
  void setStatus(pod, statusWith(phase, container, { terminated })).then(() =>
    child.isDeleted ? call('DELETE', `${pathOf(pod)}?gracePeriodSeconds=0`).catch(report) : undefined,
  )
}

async function environmentOf(pod, container) {
  // As in a container, nothing of this process is passed on, but for what runs the programs of the tests.
  const env = { PATH: process.env.PATH, HOME: '/root', HOSTNAME: pod.metadata.name }
  for (const { name, value, valueFrom } of container.env ?? []) {
    if (value !== undefined) env[name] = value
    if (valueFrom?.secretKeyRef !== undefined) {
      const { name: secret, key, optional = false } = valueFrom.secretKeyRef
      const { object } = await call('GET', `/api/v1/namespaces/${pod.metadata.namespace}/secrets/${secret}`)
      const data = object.data?.[key]
      if (data !== undefined) env[name] = Buffer.from(data, 'base64').toString('utf8')
      else if (!optional) throw new Error(`${pod.metadata.name}: the Secret ${secret} has no ${key}`)
    }
    const path = valueFrom?.fieldRef?.fieldPath
    if (path === undefined) continue
    const [, annotation] = /^metadata\.(?:annotations|labels)\['(.*)'\]$/.exec(path) ?? []
    if (annotation !== undefined) env[name] = { ...pod.metadata.labels, ...pod.metadata.annotations }[annotation] ?? ''
    else env[name] = path.split('.').reduce((object, field) => object?.[field], pod) ?? ''
  }
  return env
}

const logOf = (namespace, name) => join(folder, `${namespace}_${name}.log`)

// --- memory

const UNITS = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, k: 1e3, M: 1e6, G: 1e9, T: 1e12 }
function bytesOf(amount) {
  const [, number, unit] = /^([\d.]+)([A-Za-z]*)$/.exec(amount ?? '') ?? []
  return number === undefined ? Number.POSITIVE_INFINITY : Number(number) * (UNITS[unit] ?? 1)
}

/** The resident memory of the processes of each process group, in bytes. */
function memoryByGroup() {
  const groups = new Map()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      const group = Number(fields[2])
      groups.set(group, (groups.get(group) ?? 0) + Number(fields[21]) * 4096)
    } catch {
      // It has ended.
    }
  }
  return groups
}

setInterval(() => {
  const limited = [...running.values()].filter(({ limit }) => Number.isFinite(limit))
  if (limited.length === 0) return
  const memory = memoryByGroup()
  for (const child of limited) {
    if ((memory.get(child.pid) ?? 0) <= child.limit) continue
    child.isOverLimit = true
    end(child, 'SIGKILL')
  }
}, LOOK_AT_MEMORY_MS).unref()

// --- logs, which the API server asks a kubelet for

const logs = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (asked, answer) => {
  const url = new URL(asked.url, 'https://kubelet')
  const [, kind, namespace, pod] = url.pathname.split('/')
  if (kind !== 'containerLogs') {
    answer.writeHead(404).end()
    return
  }
  const path = logOf(namespace, pod)
  const lines = url.searchParams.get('tailLines')
  const stream = createReadStream(path)
  stream.once('error', () => answer.writeHead(404).end('there is no log'))
  stream.once('open', () => {
    if (lines === null) {
      stream.pipe(answer)
      return
    }
    const text = readFileSync(path, 'utf8').split(/(?<=\n)/)
    answer.end(text.slice(-Number(lines)).join(''))
  })
})

// --- nodes

async function addNode(name, port) {
  const amounts = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' }
  const metadata = { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } }
  const status = {
    capacity: amounts,
    allocatable: amounts,
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }],
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  }
  const made = await call('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, status })
  if (made.status !== 201) throw new Error(`node ${name}: ${JSON.stringify(made.object)}`)
  await call('PATCH', `/api/v1/nodes/${name}/status`, { status }, 'application/strategic-merge-patch+json')
}

async function follow() {
  const { object } = await call('GET', '/api/v1/pods')
  for (const pod of object.items ?? []) podChanged('ADDED', pod)
  const path = `/api/v1/pods?watch=1&resourceVersion=${object.metadata?.resourceVersion ?? ''}`
  await new Promise((resolve) => {
    const asked = open('GET', path)
    asked.once('error', resolve)
    asked.once('response', (response) => {
      response.once('error', resolve)
      const lines = createInterface({ input: response })
      lines.on('line', (line) => {
        const { type, object: pod } = JSON.parse(line)
        if (type !== 'ERROR' && type !== 'BOOKMARK') podChanged(type, pod)
      })
      lines.once('close', resolve)
    })
    asked.end()
  })
}

process.stdin.resume().once('end', () => {
  for (const child of running.values()) end(child, 'SIGKILL')
  process.exit(0)
})
await new Promise((resolve) => logs.listen(0, '127.0.0.1', resolve))
for (const node of nodes) await addNode(node, logs.address().port)
process.stdout.write('ready\n')
// The server ends a watch from time to time.
for (;;) await follow().catch(report)
