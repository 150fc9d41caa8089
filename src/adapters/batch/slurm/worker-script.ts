import { ConfigError } from '../../../core/errors.ts'
import { workerLines } from '../batch-folder.ts'

/** The contents of a worker's job script. */
export interface WorkerScript {
  readonly jobName: string
  /** Options of sbatch that the user gave. */
  readonly options: readonly string[]
  /** The folder in which the run was started. */
  readonly workFolder: string
  /** The folder of the workers' logs. */
  readonly logFolder: string
  /** Program and arguments of a worker that finds the run by its folder. */
  readonly command: readonly string[]
  /** How long before its job's time limit a worker is asked to leave, in seconds. */
  readonly noticeSeconds: number
}

/**
 * The script of a worker's job. Its only argument is optional: a file with one name per line, for each worker of the job array.
 * The token is not in the script: the worker reads it from the run's folder.
 */
export function workerScript(script: WorkerScript): string {
  return [
    '#!/bin/sh',
    ...workerOptions(script).map((option) => `#SBATCH ${quoteDirective(option)}`),
    '# Written by Bellis. While the run is running, this adds four workers to it: sbatch --array=1-4 and this file.',
    "# Each worker reads the token of the run from the run's folder, so that it is in no script.",
    ...workerLines('$((SLURM_ARRAY_TASK_ID + 1))', script.command),
  ].join('\n')
}

/** The options of a worker's job: for the script, and for the command line, which takes precedence over `SBATCH_*` variables. */
export function workerOptions({
  jobName,
  options,
  workFolder,
  logFolder,
  noticeSeconds,
}: Omit<WorkerScript, 'command'>): string[] {
  return [
    `--job-name=${jobName}`,
    `--chdir=${workFolder}`,
    // SLURM inserts the job's id. A % in the folder's own name is doubled.
    `--output=${logFolder.replaceAll('%', '%%')}/slurm-%A_%a.log`,
    '--open-mode=append',
    // Bellis replaces workers itself, so a job that SLURM restarts under its old id would be one too many.
    '--no-requeue',
    `--signal=B:TERM@${noticeSeconds}`,
    // Some sites set SBATCH_EXPORT=NONE. Users can still choose it.
    '--export=ALL',
    ...options,
  ]
}

/** A word as sbatch reads it from a line of the script. */
function quoteDirective(word: string): string {
  // What follows a line break would be a command of the script.
  if (/[\r\n]/.test(word)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${JSON.stringify(word)}: sbatch options and folders can't have line breaks; rename the folder.`,
    )
  }
  return /^[\w@%+=:,./[\]{}&|!*^~-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`
}
