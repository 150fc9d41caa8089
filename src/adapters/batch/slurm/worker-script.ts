import { workerLines } from '../batch-folder.ts'

/** What the script of a worker's job is made of. */
export interface WorkerScript {
  readonly jobName: string
  /** Options of sbatch that the user gave. */
  readonly options: readonly string[]
  /** Where the run was started. */
  readonly workFolder: string
  /** The folder of the workers' logs. */
  readonly logFolder: string
  /** What starts a worker that finds the run by its folder: program and arguments. */
  readonly command: readonly string[]
  /** Seconds before a job's time limit at which its worker is told to leave. */
  readonly noticeSeconds: number
}

/**
 * The script of a worker's job. Its one argument, if there is one, is a file with a line per worker of the job array: what
 * that worker calls itself. The token is not in it: the worker reads it from the run's folder.
 */
export function workerScript(script: WorkerScript): string {
  const { jobName, options, workFolder, logFolder, command, noticeSeconds } = script
  const directives = [
    `--job-name=${jobName}`,
    `--chdir=${workFolder}`,
    // The job's id is put in by SLURM, and a % of the folder's own name is written twice.
    `--output=${logFolder.replaceAll('%', '%%')}/slurm-%A_%a.log`,
    '--open-mode=append',
    // Bellis replaces a worker itself: one that came back under its old id would be one too many.
    '--no-requeue',
    `--signal=B:TERM@${noticeSeconds}`,
    ...options,
  ]
  return [
    '#!/bin/sh',
    ...directives.map((option) => `#SBATCH ${quoteDirective(option)}`),
    '# Written by Bellis. While the run is on, this adds four workers to it: sbatch --array=1-4 and this file.',
    "# What lets them in is read from the run's folder by the worker itself, and stands in no script.",
    ...workerLines('$((SLURM_ARRAY_TASK_ID + 1))', command),
  ].join('\n')
}

/** A word as sbatch reads it from a line of the script. */
function quoteDirective(word: string): string {
  return /^[\w@%+=:,./[\]{}&|!*^~-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`
}
