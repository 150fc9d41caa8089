/** What SLURM's programs need to reach the cluster that the user has chosen. */
const KEPT: ReadonlySet<string> = new Set(['CONF', 'CONF_SERVER', 'JWT', 'CLUSTERS'].map((name) => `SLURM_${name}`))

/** What a run decides itself, and what would change the form of sbatch's answer. */
const DECIDED: ReadonlySet<string> = new Set(
  [
    ...['ARRAY_INX', 'JOB_NAME', 'CHDIR', 'EXPORT', 'EXPORT_FILE', 'INPUT', 'OUTPUT', 'ERROR', 'OPEN_MODE'],
    ...['REQUEUE', 'NO_REQUEUE', 'SIGNAL', 'WAIT', 'DEBUG', 'IGNORE_PBS', 'GET_USER_ENV', 'HOLD', 'TEST_ONLY'],
  ].map((name) => `SBATCH_${name}`),
)

/** Variables of SLURM's programs and of its jobs, apart from `SBATCH_*`. */
const OF_SLURM = /^(SLURM|SLURMD|SALLOC|SQUEUE|SCANCEL|SACCT|SRUN)_/

/**
 * Whether a variable of the environment is passed on to SLURM's programs, and with them to the jobs. Defaults of the user for
 * options that a run leaves open, such as `SBATCH_ACCOUNT`, are. The others would change what is asked: those of a job in which
 * the run was started, filters and formats of squeue, and limits of scancel.
 */
export const reachesSlurm = (variable: string): boolean =>
  OF_SLURM.test(variable) ? KEPT.has(variable) : !DECIDED.has(variable)

/** The clusters that the user has chosen, as `--clusters` takes them; undefined for the default one. */
export function chosenClusters(
  options: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  let chosen = environment.SBATCH_CLUSTERS ?? environment.SLURM_CLUSTERS
  options.forEach((word, index) => {
    const attached = /^(?:--clusters?=|-M)(.+)$/.exec(word)?.[1]
    if (attached !== undefined) chosen = attached
    else if (/^(--clusters?|-M)$/.test(word)) chosen = options[index + 1]
  })
  return chosen === '' ? undefined : chosen
}
