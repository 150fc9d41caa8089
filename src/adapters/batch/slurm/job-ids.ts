/**
 * The number that sbatch printed, with `;` and the cluster if it names one. A site's own programs may print greetings and charges
 * around it.
 * @returns undefined if there is no such line, or if lines name different numbers
 */
export function numberIn(printed: string): string | undefined {
  const numbers = printed.split('\n').flatMap((line) => {
    const [, number, cluster] =
      /^\s*(\d+)(?:;([\w.-]+))?\s*$/.exec(line) ??
      /Submitted batch job (\d+)(?: on cluster ([\w.-]+))?/.exec(line) ??
      []
    return number === undefined ? [] : [cluster === undefined ? number : `${number};${cluster}`]
  })
  return new Set(numbers).size === 1 ? numbers[0] : undefined
}

/** `12;east` and task 3 as `12_3;east`; `12` and task 3 as `12_3`. */
export function taskId(number: string, task: number): string {
  const [array, cluster] = number.split(';')
  return onCluster(`${array}_${task}`, cluster)
}

/** A job's id, as Bellis keeps it. @param cluster undefined for the default one */
export const onCluster = (id: string, cluster: string | undefined): string =>
  cluster === undefined ? id : `${id};${cluster}`

/** The cluster of a job; undefined for the default one. */
export const clusterOf = (jobId: string): string | undefined => jobId.split(';')[1]

/** A job's id, as SLURM's programs take it. */
export const plainId = (jobId: string): string => jobId.replace(/;.*$/, '')

export const arrayOf = (jobId: string): string => jobId.replace(/[_;].*$/, '')

/** The place of a job in its array. */
export const taskOf = (jobId: string): number => Number(/_(\d+)/.exec(jobId)?.[1] ?? 0)

/** Jobs by their cluster: one call reaches one. */
export function byCluster(jobIds: readonly string[]): ReadonlyMap<string | undefined, readonly string[]> {
  const clusters = new Set(jobIds.map(clusterOf))
  return new Map([...clusters].map((cluster) => [cluster, jobIds.filter((id) => clusterOf(id) === cluster)]))
}
