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
const OF_SLURM = /^(SLURM|SLURMD|SALLOC|SQUEUE|SINFO|SCANCEL|SACCT|SRUN)_/

/**
 * Whether a variable of the environment is passed on to SLURM's programs, and with them to the jobs. Defaults of the user for
 * options that a run leaves open, such as `SBATCH_ACCOUNT`, are. The others would change what is asked: those of a job in which
 * the run was started, filters and formats of squeue and sinfo, and limits of scancel.
 */
export const reachesSlurm = (variable: string): boolean =>
  OF_SLURM.test(variable) ? KEPT.has(variable) : !DECIDED.has(variable)

type Environment = Readonly<Record<string, string | undefined>>

/** The clusters that the user has chosen, as `--clusters` takes them; undefined for the default one. */
export const chosenClusters = (options: readonly string[], environment: Environment): string | undefined =>
  (lastChosen(options, /^(?:--clusters?=|-M)(.+)$/, /^(--clusters?|-M)$/) ??
    environment.SBATCH_CLUSTERS ??
    environment.SLURM_CLUSTERS) ||
  undefined

/** The partitions that the user has chosen; undefined for the default one. */
export const chosenPartitions = (options: readonly string[], environment: Environment): string[] | undefined =>
  (
    lastChosen(options, /^(?:--partition=|-p)(.+)$/, /^(--partition|-p)$/) ??
    (environment.SBATCH_PARTITION || undefined)
  )?.split(',')

/** The value of an option, which may be attached to its name or follow it. The last one counts. */
function lastChosen(options: readonly string[], attached: RegExp, name: RegExp): string | undefined {
  let chosen: string | undefined
  options.forEach((word, index) => {
    const value = attached.exec(word)?.[1]
    if (value !== undefined) chosen = value
    else if (name.test(word)) chosen = options[index + 1]
  })
  return chosen
}
