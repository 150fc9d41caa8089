import { quoteShell } from '../../../core/shell-words.ts'
import type { Command } from '../batch-calls.ts'
import { START } from './job-manifest.ts'
import type { Fields } from './pod-options.ts'

export interface WorkerScript {
  /** kubectl with the options of every call. */
  readonly kubectl: Command
  readonly start: string
  /** The run's folder, which has its context. */
  readonly folder: string
  /** The folder of this script and of the files of names, from there. */
  readonly own: string
  /** A job of one worker, named {@link nameByHand}. */
  readonly manifest: Fields
}

/** The name of a job in the script, which the script replaces. */
export const nameByHand = '@bellis-name@'
const WORKERS = '@bellis-workers@'

/**
 * A script that submits workers: their number, and for those that the run submits itself the name of the job and the file of the
 * workers' names, beside whose `.json` the job is. Prints the names of what it made. The Secret comes first, since no pod starts without it.
 */
export function workerScript({ kubectl, start, folder, own, manifest }: WorkerScript): string {
  const byHand = JSON.stringify(manifest).replace(/"(completions|parallelism)":1\b/g, `"$1":${WORKERS}`)
  const program = kubectl.map(quoteShell).join(' ')
  return [
    '#!/bin/sh',
    '# Written by Bellis. While the run is running, this adds four workers to it: sh worker.sh 4',
    "# It reads the token of the run from the run's folder, and gives it to the pods as a Secret.",
    `start=${start}`,
    `name=\${2:-$start-hand-$$}`,
    '# No file: the job was given up. Other jobs do its work.',
    '[ -z "$3" ] || [ -r "$3" ] || exit 0',
    // It takes commas and quotes of a path for its own, so that paths are relative; and needs no cluster for this.
    `(cd ${quoteShell(folder)} && exec kubectl create secret generic "$name" --from-file=context=context \${3:+"--from-file=workers=${own}/\${3##*/}"} \\`,
    `  --dry-run=client -o json) | ${program} label --local -f - "${START}=$start" -o json | ${program} create -f - -o name || exit 1`,
    `if [ -n "$3" ]; then exec ${program} create -o name -f - < "$3.json"; fi`,
    `sed "s/${nameByHand}/$name/g; s/${WORKERS}/\${1:-1}/g" <<'END' | ${program} create -o name -f -`,
    byHand,
    'END',
    '',
  ].join('\n')
}

/** The start whose jobs a script has submitted. */
export const startIn = (script: string): string | undefined => /^start=([a-z0-9-]+)$/m.exec(script)?.[1]
