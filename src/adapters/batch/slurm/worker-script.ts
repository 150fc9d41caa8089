import { join } from 'node:path'
import { quoteShell } from '../../../core/shell-words.ts'
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
    ...(logsAreNamed(script.logFolder) ? [] : [logLine(script.logFolder)]),
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
    `--output=${logsAreNamed(logFolder) ? `${logFolder.replaceAll('%', '%%')}/slurm-%A_%a.log` : '/dev/null'}`,
    '--open-mode=append',
    // Bellis replaces workers itself, so a job that SLURM restarts under its old id would be one too many.
    '--no-requeue',
    `--signal=B:TERM@${noticeSeconds}`,
    // Some sites set SBATCH_EXPORT=NONE. Users can still choose it.
    '--export=ALL',
    ...options,
  ]
}

/** SLURM inserts the job's id; a % in the folder's own name is doubled. A backslash would turn all of that off, and can't be quoted. */
const logsAreNamed = (logFolder: string): boolean => !logFolder.includes('\\')

/** Has the shell write a log of the same name instead. */
const logLine = (logFolder: string): string =>
  `exec >> ${quoteShell(join(logFolder, 'slurm-'))}"\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID.log" 2>&1`

/** A word as sbatch reads it from a line of the script. */
const quoteDirective = (word: string): string =>
  /^[\w@%+=:,./[\]{}&|!*^~-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`
