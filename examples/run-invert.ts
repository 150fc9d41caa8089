// $ node examples/run-invert.ts sample.hdf/volumes/raw out.zarr/volumes/inverted
import { runBlockwise } from 'bellis'
import invert from './invert.ts'

const [input = 'sample.hdf/volumes/raw', output = 'out.zarr/volumes/inverted'] = process.argv.slice(2)
const result = await runBlockwise(invert({ input, output }), { workers: 2 })
for (const task of result.tasks) {
  console.log(`${task.id}: ${task.completed} of ${task.total} blocks`)
  for (const { block, error } of task.failures) console.error(`${block}: ${error.message}`)
}
process.exitCode = result.ok ? 0 : 1
