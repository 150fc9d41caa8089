/**
 * The result of one check. `problem`: Bellis, or a feature that a flag asked for, does not work here. `warning`: it
 * works, but poorly. `absent`: it is missing, and needed only if a flag asks for it.
 */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'problem' | 'absent'
  /** What was found, or what is wrong. */
  readonly found: string
  /** What to do, unless `found` already contains it. */
  readonly advice?: string
}

export interface MachineOptions {
  /** The address where workers on other machines, or browsers, would connect. @default '127.0.0.1' */
  readonly host?: string
  /** @default a free one */
  readonly port?: number
  /** A MongoDB that would record progress. */
  readonly db?: string
  /** Options for sbatch; if given, SLURM has to work. */
  readonly slurm?: string
  /** Options for qsub; if given, Grid Engine has to work. */
  readonly sge?: string
  /** Options for PBS's qsub; if given, PBS has to work. */
  readonly pbs?: string
  /** Options for bsub; if given, LSF has to work. */
  readonly lsf?: string
  /** Options of the pods; if given, Kubernetes has to work. */
  readonly kubernetes?: string
  /** Parent folder of run folders. @default '.bellis', or BELLIS_HOME */
  readonly runDir?: string
}

export const ok = (name: string, found: string): Finding => ({ name, status: 'ok', found })
export const warning = (name: string, found: string, advice: string): Finding => ({
  ...{ name, status: 'warning', found, advice },
})
export const problem = (name: string, found: string, advice: string): Finding => ({
  ...{ name, status: 'problem', found, advice },
})
export const absent = (name: string, found: string): Finding => ({ name, status: 'absent', found })

const GB = 1e9
export const gigabytes = (bytes: number): string => `${(bytes / GB).toFixed(bytes < 10 * GB ? 1 : 0)} GB`

export const REINSTALL = 'reinstall Bellis with all of its dependencies (in a checkout: npm ci)'
