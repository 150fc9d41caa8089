// $ node examples/python-smooth/run.ts raw.zarr/volumes/raw out.zarr/volumes/smoothed .cache/python/bin/python
import { runBlockwise } from 'bellis'
import pythonSmooth from './task.ts'

const [input = 'raw.zarr/raw', output = 'out.zarr/smoothed', python = 'python3'] = process.argv.slice(2)
const result = await runBlockwise(pythonSmooth({ input, output, python }), { workers: 2 })
for (const task of result.tasks) {
  console.log(`${task.id}: ${task.completed} of ${task.total} blocks`)
  for (const { block, error } of task.failures) console.error(`${block}: ${error.message}`)
}
process.exitCode = result.ok ? 0 : 1
