// Run as another user: tries to read credentials of a run, to lock it, to write to it and to end it, and prints what it could do.
//   node intruder.mjs <run folder> <folder of an output> <pid of the coordinator>
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [run, output, pid] = process.argv.slice(2)
const REFUSED = ['EACCES', 'EPERM', 'ENOENT', 'EROFS', 'ESRCH']

function attempt(what, act) {
  try {
    act()
    console.log(what)
  } catch (error) {
    if (!REFUSED.includes(error.code)) throw error
  }
}

for (const name of ['context', 'sessions.json', 'dashboard.json'])
  attempt(`read ${name}`, () => readFileSync(join(run, name)))
for (const name of ['lock', 'workers.lock', 'progress.sqlite', 'run.json'])
  attempt(`open ${name} for writing`, () => closeSync(openSync(join(run, name), 'r+')))
for (const name of ['lock', 'workers.lock', 'progress.sqlite-shm'])
  attempt(`open ${name}`, () => closeSync(openSync(join(run, name), 'r')))
for (const folder of [run, output]) attempt(`write to ${folder}`, () => writeFileSync(join(folder, 'planted'), ''))
attempt('replace the mark of an output', () => writeFileSync(join(output, '.bellis-run'), '{}'))
attempt('signal the coordinator', () => process.kill(Number(pid), 'SIGTERM'))
