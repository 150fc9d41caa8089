// Does blocks until the run is over, and lists them in the file `ran`. A test starts it, or a worker starts it for `joined.ts`.
import { appendFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { joinRun } from 'bellis/worker'

const [reconnectMs] = process.argv.slice(2).map(Number)
let done = 0
try {
  for await (const block of joinRun(undefined, reconnectMs === undefined ? {} : { reconnectMs })) {
    const { folder, how } = block.config
    const isFirstTime = block.index === 3 && !existsSync(join(folder, 'met'))
    if (isFirstTime) writeFileSync(join(folder, 'met'), '')
    console.log('what it says is no message')
    await delay(2)
    if (isFirstTime) {
      if (how === 'fail') {
        block.fail('no such neuron')
        continue
      }
      if (how === 'throw') throw new Error('out of neurons')
      if (how === 'break') break
      if (how === 'die') process.kill(process.pid, 'SIGKILL')
      if (how === 'stop') process.kill(process.pid, 'SIGSTOP')
      if (how === 'wait') {
        process.once('SIGINT', () => writeFileSync(join(folder, 'heard'), ''))
        writeFileSync(join(folder, 'begun'), '')
        while (!existsSync(join(folder, 'go'))) await delay(5)
      }
      if (how === 'hang' || how === 'suspend') {
        writeFileSync(join(folder, 'begun'), String(process.pid))
        if (how === 'suspend') process.kill(process.pid, 'SIGSTOP')
        await new Promise(() => setInterval(() => {}, 1000))
      }
    }
    const { index, taskId, readRoi, writeRoi, unit } = block
    appendFileSync(
      join(folder, 'ran'),
      `${JSON.stringify({ index, taskId, readRoi, writeRoi, unit, pid: process.pid })}\n`,
    )
    done++
  }
  console.error(`did ${done}`)
} catch (error) {
  console.error(`${error.code ?? error.name}: ${error.message}`)
  process.exitCode = 3
}
