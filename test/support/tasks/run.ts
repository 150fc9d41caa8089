// Runs a task as a user's program would: node run.ts '{ "task": "misbehave.ts", "config": {…}, "options": {…} }'.
// Prints every event as a line of JSON with the time, and the result as the last: { "type": "result", … }.
import { type RunOptions, runBlockwise, type TaskDefinition } from 'bellis'

interface Call {
  readonly task: string
  readonly config: Record<string, unknown>
  readonly options: RunOptions
}

const { task, config, options } = JSON.parse(process.argv[2] ?? '') as Call
const { default: define } = (await import(new URL(task, import.meta.url).href)) as { default: TaskDefinition }
const print = (document: object) => process.stdout.write(`${JSON.stringify({ ...document, at: Date.now() })}\n`)
const result = await runBlockwise(define(config), { ...options, onEvent: print })
print({ type: 'result', ...result })
process.exitCode = result.ok ? 0 : 1
