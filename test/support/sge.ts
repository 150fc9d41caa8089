import { type Cluster, clusterOrSkip, type Skippable } from './cluster.ts'

/** A started Grid Engine: a master and one execution host, on loopback. */
export interface SgeCluster extends Cluster {
  readonly env: { readonly SGE_ROOT: string; readonly PATH: string }
  /** Jobs that run at the same time. */
  readonly slots: number
}

/** A real Grid Engine, made by `scripts/sge-env.mjs`; the test is skipped where Debian has none. */
export const sgeOrSkip = (t: Skippable): Promise<SgeCluster | undefined> => clusterOrSkip(t, 'sge-env.mjs')
