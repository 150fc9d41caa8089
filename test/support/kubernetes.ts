import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Cluster, clusterOrSkip, type Skippable } from './cluster.ts'

/** A running Kubernetes of two nodes, on loopback, whose pods are processes of this machine. */
export interface KubernetesCluster extends Cluster {
  readonly env: { readonly KUBECONFIG: string; readonly PATH: string }
  readonly folder: string
  readonly nodes: readonly string[]
}

/** A real Kubernetes, started by `scripts/kubernetes-env.mjs`. The test is skipped if none is built: `npm run test:kubernetes`. */
export const kubernetesOrSkip = (t: Skippable): Promise<KubernetesCluster | undefined> =>
  clusterOrSkip(t, 'kubernetes-env.mjs')

let standIn: Cluster | undefined

/** A stand-in for kubectl and its cluster, where no Kubernetes is built: see `kubectl.mjs`. It ends with this process. */
export const kubernetesStandIn = async (): Promise<Cluster> => {
  standIn ??= startStandIn()
  return standIn
}

function startStandIn(): Cluster {
  const folder = mkdtempSync(join(tmpdir(), 'bellis-kubectl-'))
  const [bin, home] = [join(folder, 'bin'), join(folder, 'cluster')]
  for (const each of [bin, ...['jobs', 'secrets', 'pods'].map((kind) => join(home, kind))])
    mkdirSync(each, { recursive: true })
  const program = fileURLToPath(new URL('kubectl.mjs', import.meta.url))
  const image = fileURLToPath(new URL('../../bin/bellis.js', import.meta.url))
  for (const [name, script] of [
    ['kubectl', program],
    // What the image of workers has.
    ['bellis', image],
  ] as const) {
    writeFileSync(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`, { mode: 0o755 })
  }
  const env = { KUBECTL_STANDIN: home, PATH: `${bin}:${process.env.PATH}` }
  const all = { ...process.env, ...env }
  // Pods end when their cluster is gone.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return {
    env,
    run: async (name, ...args) => (await promisify(execFile)(name, args, { env: all, encoding: 'utf8' })).stdout,
  }
}
