// What launchers start in tests: prints its name, and runs until it is killed or asked to end (by a message to a thread,
// by the file `end-<name>` for a process).
import { existsSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

const name = process.env.BELLIS_WORKER?.split(':')[0]
console.log(parentPort === null ? `said by ${name}` : 'said by a thread')
if (parentPort !== null) parentPort.once('message', () => process.exit(3))
else setInterval(() => existsSync(`end-${name}`) && process.exit(3), 20)
