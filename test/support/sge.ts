import { type Cluster, clusterOrSkip, type Skippable } from './cluster.ts'

/** A running Grid Engine: a master and one execution host, on loopback. */
export interface SgeCluster extends Cluster {
  readonly env: { readonly SGE_ROOT: string; readonly PATH: string }
  /** The number of jobs that can run at the same time. */
  readonly slots: number
}

/** A real Grid Engine, started by `scripts/sge-env.mjs`. The test is skipped if Debian has no package of it. */
export const sgeOrSkip = (t: Skippable): Promise<SgeCluster | undefined> => clusterOrSkip(t, 'sge-env.mjs')
