import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import { splitWords } from '../../../core/shell-words.ts'

/** A piece of an object of Kubernetes, as JSON has it. */
export type Fields = Readonly<Record<string, unknown>>

/** What the text of `--kubernetes` asks for. */
export interface PodOptions {
  /** Options for every call of kubectl: `--namespace=em`. */
  readonly kubectl: readonly string[]
  readonly image: string
  /** Amounts by resource: `memory`, `cpu`, `nvidia.com/gpu`. Each is both request and limit, but for `cpu`, which is only a request. */
  readonly resources: Readonly<Record<string, string>>
  readonly serviceAccount?: string
  readonly nodeSelector: Readonly<Record<string, string>>
  /** Metadata and spec of the pods, from a file; everything else is added to it. */
  readonly template: { readonly metadata: Fields; readonly spec: Fields; readonly container: Fields }
}

const FLAG = '--kubernetes'
const EXAMPLE = '--image=registry.example.org/bellis:1 --namespace=em --cpu=2 --memory=4Gi'
const OF_KUBECTL = ['namespace', 'context', 'kubeconfig'] as const
const KNOWN = [
  ...OF_KUBECTL,
  ...['image', 'cpu', 'memory', 'resource', 'service-account', 'node-selector', 'template'],
] as const
const REPEATED: readonly string[] = ['resource', 'node-selector']
/** An amount as Kubernetes writes it: `500m`, `4Gi`. */
const QUANTITY = /^\d+(\.\d+)?([mkMGTPE]|[KMGTPE]i)?$/

/**
 * Reads the text of `--kubernetes`.
 * @throws ConfigError `INVALID_CONFIG`, `NO_SUCH_FILE`
 */
export function parsePodOptions(text: string): PodOptions {
  const values = valuesIn(splitWords(text, FLAG))
  const one = (name: (typeof KNOWN)[number]) => values.get(name)?.[0]
  const template = readTemplate(one('template'))
  const image = one('image') ?? template.container.image
  if (typeof image !== 'string' || image === '') {
    throw wrong(`no image was given; add the container image that has Bellis, such as ${FLAG} "${EXAMPLE}"`)
  }
  const resources: Record<string, string> = { ...pairsOf(values.get('resource') ?? [], 'resource', 'nvidia.com/gpu=1') }
  for (const name of ['cpu', 'memory'] as const) {
    const amount = one(name)
    if (amount !== undefined) resources[name] = amount
  }
  for (const [name, amount] of Object.entries(resources)) {
    if (!QUANTITY.test(amount)) throw wrong(`${name} is "${amount}"; expected an amount, such as 2, 500m or 4Gi`)
  }
  const serviceAccount = one('service-account')
  return {
    kubectl: OF_KUBECTL.flatMap((name) => {
      const value = one(name)
      if (value === undefined) return []
      // Scripts are called in other folders, too.
      return [`--${name}=${name === 'kubeconfig' ? resolve(value) : value}`]
    }),
    image,
    resources,
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    nodeSelector: pairsOf(values.get('node-selector') ?? [], 'node-selector', 'disk=ssd'),
    template,
  }
}

/** `--name=value` and `--name value`. */
function valuesIn(words: readonly string[]): ReadonlyMap<string, string[]> {
  const values = new Map<string, string[]>()
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    const [, name = '', ofWord] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? []
    if (!KNOWN.some((known) => known === name)) {
      throw wrong(`"${word}" is not an option; expected ${KNOWN.map((known) => `--${known}`).join(', ')}`)
    }
    const value = ofWord ?? words[++at]
    if (value === undefined || value === '') throw wrong(`--${name} has no value; write --${name}=VALUE`)
    const earlier = values.get(name) ?? []
    if (earlier.length > 0 && !REPEATED.includes(name)) throw wrong(`--${name} is given twice; give it once`)
    values.set(name, [...earlier, value])
  }
  return values
}

function pairsOf(texts: readonly string[], name: string, example: string): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw wrong(`--${name}=${text}: expected NAME=VALUE, such as --${name}=${example}`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

/** @param path a Pod, a PodTemplate or its template, as JSON */
function readTemplate(path: string | undefined): PodOptions['template'] {
  if (path === undefined) return { metadata: {}, spec: {}, container: {} }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', `${FLAG}: the template ${path} can't be read: ${messageOf(error)}`, {
      cause: error,
    })
  }
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch (error) {
    throw wrong(
      `the template ${path} is not JSON (${messageOf(error)}); for YAML, run: kubectl create --dry-run=client -o json -f ${path} > pod.json`,
    )
  }
  const pod = objectIn(read, 'template') ?? objectIn(read)
  const spec = objectIn(pod, 'spec')
  const containers = spec?.containers ?? []
  const container = Array.isArray(containers) ? (containers[0] ?? {}) : undefined
  if (spec === undefined || objectIn(container) === undefined) {
    throw wrong(`the template ${path} is no pod; expected {"spec":{"containers":[{…}],…}}, as kubectl prints pods`)
  }
  return { metadata: objectIn(pod, 'metadata') ?? {}, spec, container }
}

function objectIn(value: unknown, field?: string): Fields | undefined {
  const found = field === undefined ? value : (value as Fields | undefined | null)?.[field]
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Fields) : undefined
}

const wrong = (message: string): ConfigError => new ConfigError('INVALID_CONFIG', `${FLAG}: ${message}.`)
