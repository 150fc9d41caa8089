import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { bellis, temporaryFolder } from '../support/command-line.ts'
import { slurmOrSkip } from '../support/slurm.ts'
import { type CodeBlock, commandsIn, type DocumentedCommand, patternOf, readDocument } from './markdown.ts'

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())
const { blocks } = readDocument('docs/TUTORIAL.md')

/** Runs a command of the tutorial where a reader would. @returns its output */
async function run({ words: [program, ...args], exitCode, text }: DocumentedCommand, env: NodeJS.ProcessEnv) {
  // The setup was done before this test.
  if (text === 'npm run setup -- --build') return ''
  assert.equal(program, 'bellis', text)
  const { code, stdout, stderr } = await bellis(args, { cwd: folder.path, env })
  assert.equal(code, exitCode, `${text}\n${stderr}`)
  return `${stdout}${stderr}`
}

/** Follows a block of the tutorial. */
async function follow({ language, mark, text }: CodeBlock, env: NodeJS.ProcessEnv = {}): Promise<string> {
  if (language === 'ts') writeFileSync(join(folder.path, mark.replace(/^write /, '')), text)
  if (language === 'diff') {
    const path = join(folder.path, mark)
    const [removed, added] = ['-', '+'].map((sign) =>
      text
        .split('\n')
        .filter((line) => line.startsWith(sign))
        .map((line) => line.slice(1))
        .join('\n'),
    ) as [string, string]
    const before = readFileSync(path, 'utf8')
    assert.ok(before.includes(removed), `${mark} has no such lines:\n${removed}`)
    writeFileSync(path, before.replace(removed, added))
  }
  let output = ''
  if (language === 'sh') for (const command of commandsIn(text)) output += await run(command, env)
  return output
}

it('the tutorial works as described, step by step', async () => {
  let output = ''
  const promised: string[] = []
  for (const block of blocks) {
    if (block.mark === 'slurm') continue
    // The output that it shows is checked against everything that was printed.
    if (block.language === 'text') promised.push(...block.text.split('\n'))
    output += await follow(block)
  }
  assert.ok(promised.length >= 5)
  for (const line of promised) assert.match(output, patternOf(line), line)
})

it('the last step of the tutorial runs on SLURM', async (t) => {
  const slurm = await slurmOrSkip(t)
  if (slurm === undefined) return
  const [last, ...others] = blocks.filter(({ mark }) => mark === 'slurm')
  assert.deepEqual(others, [])
  assert.match(await follow(last!, slurm.env), /bright: 16 of 16 blocks/)
})
