import { type Cluster, clusterOrSkip, type Skippable } from './cluster.ts'

/** A running SLURM: a controller and two nodes of four processors each, on loopback. */
export interface SlurmCluster extends Cluster {
  readonly env: { readonly SLURM_CONF: string; readonly PATH: string }
  readonly nodes: readonly string[]
  /** `short` is the default. Jobs in `urgent` pre-empt those in `short`, which get SIGTERM and then have 10 s. */
  readonly partitions: readonly string[]
  /** The folder with the logs of the daemons. */
  readonly logs: string
}

/**
 * A real SLURM, started by `scripts/slurm-env.mjs`. If it can't be installed here, the test is skipped, or fails in CI:
 *
 *     it('runs on SLURM', async (t) => {
 *       const slurm = await slurmOrSkip(t)
 *       if (slurm === undefined) return
 *       await slurm.run('sbatch', '--wrap', 'true')
 *     })
 *
 * @param site lines of slurm.conf that replace those of the same option or partition: `MaxArraySize=3`
 */
export const slurmOrSkip = (t: Skippable, site: readonly string[] = []): Promise<SlurmCluster | undefined> =>
  clusterOrSkip(t, 'slurm-env.mjs', site)
