// Loaded into a command before itself (see `dyingAt`): sends it a signal when it records blocks of a task for the n-th time, that write
// not done yet. From outside one learns how far a run is some time later, and a fast machine is done by then.
import { StatementSync } from 'node:sqlite'

const [task, count, signal] = (process.env.BELLIS_TEST_DIE_AT ?? '').split(' ')
const { run } = StatementSync.prototype
let writes = 0
StatementSync.prototype.run = function (this: StatementSync, ...values: unknown[]) {
  const isOfTask = this.sourceSQL.includes('INTO finished_page') && values[0] === Number(task)
  if (isOfTask && ++writes === Number(count)) process.kill(process.pid, signal)
  return Reflect.apply(run, this, values) as ReturnType<typeof run>
}
