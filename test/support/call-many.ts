// Calls the built command line many times in one process: starting a process takes longer than refusing a command.
// Input: JSON [{ args, cwd }, …]; output: JSON [{ code, stdout, stderr }, …].
import { readFileSync } from 'node:fs'

const { main } = (await import(new URL('../../dist/entry/cli/main.js', import.meta.url).href)) as {
  main(args: readonly string[]): Promise<void>
}
const calls = JSON.parse(readFileSync(0, 'utf8')) as { args: string[]; cwd: string }[]
const results: unknown[] = []
const write = { stdout: process.stdout.write, stderr: process.stderr.write }
for (const { args, cwd } of calls) {
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (text: string | Uint8Array) => {
      output[name] += String(text)
      return true
    }
  }
  process.chdir(cwd)
  process.exitCode = 0
  await main(args)
  results.push({ code: process.exitCode, ...output })
}
Object.assign(process.stdout, { write: write.stdout })
Object.assign(process.stderr, { write: write.stderr })
process.exitCode = 0
process.stdout.write(JSON.stringify(results))
