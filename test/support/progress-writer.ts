// Records random blocks until it is killed, and reports each one when it is durable: progress-writer.ts sqlite FILE, or mongodb URL
import { mongodbProgress } from '../../src/adapters/mongodb/mongodb-progress.ts'
import { sqliteProgress } from '../../src/adapters/sqlite/sqlite-progress.ts'
import { systemClock } from '../../src/entry/clock.ts'
import { ProgressRecorder } from '../../src/runtime/coordinator/progress-recorder.ts'
import { failedAttempt, identityOf, recordedTask } from '../contracts/progress-store.contract.ts'

const [kind, place = ''] = process.argv.slice(2)
await using store = kind === 'mongodb' ? mongodbProgress(place) : sqliteProgress(place)
const record = await store.open(identityOf(recordedTask('killed', 1e6)))
const onError = (error: Error) => {
  throw error
}
const recorder = await ProgressRecorder.load(record, { clock: systemClock, onError })
for (;;) {
  const block = Math.floor(Math.random() * 1e6)
  recorder.recordCompleted(0, [block])
  recorder.recordFailure(failedAttempt({ block }))
  await recorder.flush()
  console.log(block)
}
