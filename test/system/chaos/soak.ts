// Plays rounds with faults for hours: npm run soak -- [--hours H] [--seed S] [--table FILE] [--keep FOLDER]
// --keep copies the files of each round with a complaint to a folder.
// --workload, --workers and --faults leave less to the seed.
// --slurm plays them on a real SLURM of four nodes, which is disturbed itself.
// One round again, as the complaint names it: npm run soak -- --seed S --round N
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { Campaign } from './campaign.ts'
import { playLongRun } from './long-run.ts'
import { soakSite } from './slurm/soak.ts'
import { Tally } from './tally.ts'
import { ALL_WORKLOADS } from './workloads.ts'

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '2' },
    seed: { type: 'string' },
    round: { type: 'string' },
    table: { type: 'string' },
    workload: { type: 'string' },
    workers: { type: 'string' },
    keep: { type: 'string' },
    faults: { type: 'string' },
    slurm: { type: 'boolean', default: false },
  },
})
const hours = Number(values.hours)
if (!(hours > 0)) throw new Error(`--hours ${values.hours}: expected a number above 0.`)
const seed = values.seed ?? randomBytes(6).toString('hex')
const only = { workload: values.workload, pool: values.workers, keep: values.keep, kinds: values.faults }
const rounds = values.round === undefined ? undefined : Number(values.round)

const commit = commitHere()
console.log(`seed ${seed}, commit ${commit}`)
let isOver = false
// The round under way ends first, so that nothing of it stays behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log('Stopping after this round.')
    isOver = true
  })
}
using campaign = new Campaign(ALL_WORKLOADS)
const tally = new Tally()
const writeTable = () => {
  if (values.table !== undefined) writeFileSync(values.table, tally.table(about()))
}
if (values.slurm) {
  const isDone = () => isOver || tally.seconds > 3600 * hours
  await soakSite(tally, { seed, round: rounds, keep: values.keep, isOver: isDone, onRound: writeTable })
} else if (rounds === undefined) {
  const { stages, complaint } = await playLongRun(Math.min(1_000_000, Math.ceil(300_000 * hours)))
  tally.addStages(stages)
  if (complaint !== undefined) tally.complaints.push(complaint)
}
for (let number = rounds ?? 0; !values.slurm && !isOver && tally.seconds < 3600 * hours; number++) {
  const { work, report } = await campaign.play(seed, number, only)
  tally.add(`--seed ${seed} --round ${number}`, work, report)
  console.log(`${number}: ${work}: ${report.faults.join(', ') || 'no fault'}; ${report.starts} starts`)
  for (const complaint of report.complaints) console.error(`  COMPLAINT: ${complaint}`)
  writeTable()
  if (rounds !== undefined) break
}
tally.checkGrowth()
console.log(tally.summary())
process.exitCode = tally.complaints.length === 0 ? 0 : 1

function about(): [string, string][] {
  const machine = `${cpus().length} processors, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${process.platform}`
  return [
    ['date', new Date().toISOString().slice(0, 10)],
    ['commit', `\`${commit}\``],
    ['seed', `\`${seed}\``],
    ['machine', `${machine}, Node ${process.versions.node}`],
  ]
}

/** The commit of the sources, and whether they differ from it. */
function commitHere(): string {
  const git = (...args: string[]) =>
    spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).stdout?.trim()
  const name = git('rev-parse', '--short=12', 'HEAD')
  if (!name) return 'unknown'
  return git('status', '--porcelain', '--untracked-files=no') ? `${name}, changed` : name
}
