// $ node examples/chain.ts sample.hdf/volumes/raw out.zarr/volumes
import { definePipeline, runBlockwise, z } from 'bellis'
import { smooth } from 'bellis/tasks'
import invert from './invert.ts'

// A block of `smooth` starts as soon as the inverted blocks that it reads are done; nothing waits for the whole.
const invertAndSmooth = definePipeline({
  config: z.object({ input: z.string(), output: z.string(), sigma: z.number().positive().default(1) }),
  tasks({ input, output, sigma }) {
    const inverted = invert({ input, output: `${output}/inverted` })
    const smoothed = smooth({ input: `${output}/inverted`, output: `${output}/soft`, sigma }, { after: [inverted] })
    return [inverted, smoothed]
  },
})

const [input = 'sample.hdf/volumes/raw', output = 'out.zarr/volumes'] = process.argv.slice(2)
const result = await runBlockwise(invertAndSmooth({ input, output }), {
  workers: 2,
  onEvent(event) {
    if (event.type === 'block-retried') console.error(`${event.taskId}/${event.index}: ${event.error.message}`)
  },
})
for (const task of result.tasks) console.log(`${task.id}: ${task.completed} of ${task.total} blocks`)
process.exitCode = result.ok ? 0 : 1
