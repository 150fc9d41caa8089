// Preloaded into a command (see `dyingAt`): sends it a signal as soon as it has recorded blocks of a task for the first time.
// From outside, progress is seen with a delay, so on a fast machine the run would be over by then. Later records are no measure: on a
// slow machine, the second may be the last.
import { DatabaseSync, StatementSync } from 'node:sqlite'

const [task, signal] = (process.env.BELLIS_TEST_DIE_AT ?? '').split(' ')
const { run } = StatementSync.prototype
const { exec } = DatabaseSync.prototype
let state: 'waiting' | 'written' | 'over' = 'waiting'
StatementSync.prototype.run = function (this: StatementSync, ...values: unknown[]) {
  const isOfTask = this.sourceSQL.includes('INTO finished_page') && values[0] === Number(task)
  if (isOfTask && state === 'waiting') state = 'written'
  return Reflect.apply(run, this, values) as ReturnType<typeof run>
}
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  Reflect.apply(exec, this, [sql])
  if (sql !== 'COMMIT' || state !== 'written') return
  state = 'over'
  process.kill(process.pid, signal)
}
