import { spawnSync } from 'node:child_process'
import { clusterOrSkip, type Skippable } from './cluster.ts'
import { type CommandOptions, type CommandResult, pathWithCommand, runProgram } from './command-line.ts'

/** Two hosts that share a network file system. */
export interface Hosts {
  /** The folder that both see at this path. */
  readonly shared: string
  /** The same folder as the server keeps it: what is there has arrived. */
  readonly stored: string
  readonly hosts: readonly [Host, Host]
}

export interface Host {
  readonly name: string
  /** At which the other one reaches it. */
  readonly address: string
  /** Runs a line of shell in the shared folder, as if `bellis` were installed. */
  run(line: string, options?: Partial<CommandOptions>): Promise<CommandResult>
  /** Pulls its cable out of the network, or puts it back. */
  cable(state: 'up' | 'down'): void
}

interface Described {
  readonly env: Readonly<Record<string, string>>
  readonly shared: string
  readonly stored: string
  readonly hosts: readonly {
    readonly name: string
    readonly address: string
    readonly enter: readonly [string, ...string[]]
    readonly cable: readonly [string, ...string[]]
  }[]
}

/** Real ones, started by `scripts/hosts-env.mjs`. The test is skipped if they can't be made here. */
export async function hostsOrSkip(t: Skippable): Promise<Hosts | undefined> {
  const described = await clusterOrSkip<Described & { run: never }>(t, 'hosts-env.mjs')
  if (described === undefined) return undefined
  const { shared, stored } = described
  const hosts = described.hosts.map(
    ({ name, address, enter: [program, ...enter], cable: [ip, ...cable] }): Host => ({
      name,
      address,
      run: (line, options = {}) =>
        runProgram(program, [...enter, 'env', `PATH=${pathWithCommand()}`, 'bash', '-c', line], {
          cwd: stored,
          ...options,
        }),
      cable: (state) => check(ip, [...cable, state]),
    }),
  )
  return { shared, stored, hosts: hosts as unknown as Hosts['hosts'] }
}

function check(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
