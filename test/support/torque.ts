import { type Cluster, clusterOrSkip, type Skippable } from './cluster.ts'

/** Torque's programs, as Debian has them, over a real SLURM. The test is skipped if they can't be downloaded. */
export const torqueOrSkip = (t: Skippable): Promise<Cluster | undefined> => clusterOrSkip(t, 'torque-env.mjs')
