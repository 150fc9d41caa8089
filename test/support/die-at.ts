// Preloaded into a command (see `dyingAt`): sends it a signal just before it records blocks of a task for the n-th time.
// From outside, progress is seen with a delay, so on a fast machine the run would be over by then.
import { StatementSync } from 'node:sqlite'

const [task, count, signal] = (process.env.BELLIS_TEST_DIE_AT ?? '').split(' ')
const { run } = StatementSync.prototype
let writes = 0
StatementSync.prototype.run = function (this: StatementSync, ...values: unknown[]) {
  const isOfTask = this.sourceSQL.includes('INTO finished_page') && values[0] === Number(task)
  if (isOfTask && ++writes === Number(count)) process.kill(process.pid, signal)
  return Reflect.apply(run, this, values) as ReturnType<typeof run>
}
