// A stand-in for kubectl and its cluster, for machines without Kubernetes. It follows them in what a run uses: Secrets, Indexed Jobs whose
// pods are never started again, selectors, deleting with a grace period, logs, messages and exit codes. Pods are processes of this machine.
//
//   KUBECTL_STANDIN=FOLDER node kubectl.mjs ARGS…
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const home = process.env.KUBECTL_STANDIN
const LABEL = 'batch.kubernetes.io'
const NODE = 'node-1'

// --- objects

const fileOf = (kind, name) => join(home, kind, `${name}.json`)
const read = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** Complete or absent, for others that look at the same time. */
function write(kind, object) {
  const file = fileOf(kind, object.metadata.name)
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(object))
  renameSync(`${file}.${process.pid}`, file)
}

const list = (kind) =>
  readdirSync(join(home, kind))
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => read(join(home, kind, name)) ?? [])

/** `a=b,c in (d,e)`, or the name of a label. */
function selected(kind, selector) {
  const terms = [...selector.matchAll(/([\w./-]+)(?:=([\w.-]*)| in \(([^)]*)\))?/g)]
  return list(kind).filter(({ metadata: { labels = {} } }) =>
    terms.every(([, name, value, values]) => {
      if (value !== undefined) return labels[name] === value
      return values === undefined ? name in labels : values.split(',').includes(labels[name])
    }),
  )
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

const print = (text) => process.stdout.write(text)
const input = (file) => JSON.parse(readFileSync(file === '-' ? 0 : file, 'utf8'))

// --- commands

function create({ values, words }) {
  if (words[1] === 'secret') {
    const files = values['from-file'].map((text) => text.split(/=(.*)/s))
    const data = Object.fromEntries(files.map(([key, file]) => [key, readFileSync(file).toString('base64')]))
    print(JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: words[3] }, data }))
    return
  }
  const [namespace] = values.namespace ?? []
  if (namespace === 'nope') fail('Error from server (NotFound): error when creating: namespaces "nope" not found')
  const object = input(values.f[0])
  const { name } = object.metadata
  const kind = object.kind === 'Job' ? 'jobs' : 'secrets'
  if (existsSync(fileOf(kind, name))) fail(`Error from server (AlreadyExists): ${kind} "${name}" already exists`)
  if (values['dry-run'] === undefined) {
    write(kind, object)
    if (object.kind === 'Job') for (let index = 0; index < object.spec.completions; index++) addPod(object, index)
  }
  print(`${object.kind === 'Job' ? 'job.batch' : 'secret'}/${name}\n`)
}

function addPod({ metadata: { name, labels }, spec: { template } }, index) {
  const pod = {
    kind: 'Pod',
    metadata: {
      name: `${name}-${index}-abcde`,
      labels: { ...labels, [`${LABEL}/job-name`]: name, [`${LABEL}/job-completion-index`]: String(index) },
      creationTimestamp: new Date().toISOString(),
    },
    spec: { ...template.spec, nodeName: NODE },
    status: { phase: 'Pending' },
  }
  if (Object.keys(template.spec.nodeSelector ?? {}).length > 0) {
    const message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
    write('pods', { ...pod, status: { phase: 'Pending', conditions: [condition] } })
    return
  }
  write('pods', pod)
  const words = [fileURLToPath(import.meta.url), 'run-pod', pod.metadata.name]
  const child = spawn(process.execPath, words, { detached: true, stdio: 'ignore' })
  child.unref()
}

/** A pod that is gone has failed, as far as its job is concerned. */
function withStatus(object) {
  if (object.kind !== 'Job') return object
  const pods = selected('pods', `${LABEL}/job-name=${object.metadata.name}`)
  const left = new Set(pods.map(({ metadata }) => Number(metadata.labels[`${LABEL}/job-completion-index`])))
  const indices = Array.from({ length: object.spec.completions }, (_, index) => index)
  return { ...object, status: { failedIndexes: indices.filter((index) => !left.has(index)).join(',') } }
}

function get({ values, words: [, kinds, name] }) {
  if (name !== undefined) {
    const object = read(fileOf('jobs', name))
    if (object !== undefined) print(JSON.stringify(withStatus(object)))
    return
  }
  const items = kinds
    .split(',')
    .flatMap((kind) => selected(kind, values.selector[0]))
    .map(withStatus)
  if (values.o[0] === 'json') print(JSON.stringify({ kind: 'List', items }))
  else for (const { kind, metadata } of items) print(`${kind.toLowerCase()}/${metadata.name}\n`)
}

function remove({ values, words: [, kinds] }) {
  const grace = Number(values['grace-period']?.[0] ?? 2)
  for (const kind of kinds.split(',')) {
    for (const object of selected(kind, values.selector[0])) {
      if (kind === 'pods') removePod(object, grace)
      else rmSync(fileOf(kind, object.metadata.name), { force: true })
      if (kind !== 'jobs') continue
      for (const pod of selected('pods', `${LABEL}/job-name=${object.metadata.name}`)) removePod(pod, grace)
    }
  }
}

/** Who runs the pod sees the mark. */
function removePod({ metadata: { name }, status }, grace) {
  if (status.phase === 'Running' || status.conditions === undefined)
    writeFileSync(join(home, 'pods', `${name}.deleted`), String(grace))
  if (status.phase !== 'Running') rmSync(fileOf('pods', name), { force: true })
}

function logs({ values }) {
  for (const { metadata } of selected('pods', values.selector[0])) {
    const file = join(home, 'pods', `${metadata.name}.log`)
    if (existsSync(file)) print(readFileSync(file, 'utf8'))
  }
}

// --- a pod

function runPod(name) {
  const mark = join(home, 'pods', `${name}.deleted`)
  const pod = read(fileOf('pods', name))
  if (pod === undefined) return
  const [container] = pod.spec.containers
  const env = { PATH: process.env.PATH, KUBECTL_STANDIN: home }
  env.JOB_COMPLETION_INDEX = pod.metadata.labels[`${LABEL}/job-completion-index`]
  for (const { name: variable, value, valueFrom } of container.env) {
    const { name: secret, key } = valueFrom?.secretKeyRef ?? {}
    const data = secret === undefined ? undefined : read(fileOf('secrets', secret))?.data[key]
    if (value !== undefined) env[variable] = value
    else if (data !== undefined) env[variable] = Buffer.from(data, 'base64').toString('utf8')
    else if (valueFrom?.fieldRef !== undefined) env[variable] = NODE
  }
  mkdirSync(container.workingDir, { recursive: true })
  const log = openSync(join(home, 'pods', `${name}.log`), 'a')
  const [program, ...args] = container.command
  const child = spawn(program, args, { cwd: container.workingDir, env, detached: true, stdio: ['ignore', log, log] })
  const setStatus = (phase, state) =>
    write('pods', { ...pod, status: { phase, containerStatuses: [{ name: container.name, state }] } })
  setStatus('Running', { running: {} })
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal)
    } catch {
      // It has ended.
    }
  }
  let isDeleted = false
  const look = setInterval(() => {
    if (!existsSync(home)) end('SIGKILL')
    if (isDeleted || !existsSync(mark)) return
    isDeleted = true
    end('SIGTERM')
    setTimeout(() => end('SIGKILL'), Number(readFileSync(mark, 'utf8')) * 1000).unref()
  }, 30)
  child.once('error', () => process.exit(1))
  child.once('exit', (code) => {
    clearInterval(look)
    if (!existsSync(home)) return
    const exitCode = code ?? 137
    if (isDeleted) rmSync(fileOf('pods', name), { force: true })
    else
      setStatus(exitCode === 0 ? 'Succeeded' : 'Failed', {
        terminated: { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' },
      })
  })
}

/** Options by name, and what is none. */
function parse(args) {
  const values = {}
  const words = []
  for (let at = 0; at < args.length; at++) {
    const [, name, value] = /^--?([a-z-]+)(?:=(.*))?$/s.exec(args[at]) ?? []
    if (name === undefined) words.push(args[at])
    else (values[name] ??= []).push(value ?? (['f', 'o'].includes(name) ? args[++at] : 'true'))
  }
  return { values, words }
}

const call = parse(process.argv.slice(2))
const COMMANDS = {
  create: () => create(call),
  label: () => {
    const object = input('-')
    const [name, value] = call.words.find((word) => word.includes('=')).split('=')
    object.metadata.labels = { ...object.metadata.labels, [name]: value }
    print(JSON.stringify(object))
  },
  get: () => get(call),
  delete: () => remove(call),
  logs: () => logs(call),
  'run-pod': () => runPod(call.words[1]),
}
const command = COMMANDS[call.words[0]]
if (command === undefined) fail(`error: unknown command ${JSON.stringify(call.words[0])}`)
command()
