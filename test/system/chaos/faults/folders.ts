import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { bellis } from '../../../support/command-line.ts'
import { RECORD_FILES } from '../preload/control.ts'
import type { Site } from '../site.ts'
import { Start } from '../start.ts'
import { chunksOf } from '../verdict.ts'
import type { Fault } from './fault.ts'

const anyOutput = (site: Site) => join(site.results, site.setting.chance.pick(site.setting.workload.outputs))

/** What a folder of an array has while the array is there; a precomputed scale is named by its volume alone. */
const isArray = (folder: string) => ['zarr.json', 'attributes.json'].some((name) => existsSync(join(folder, name)))

/** Renames it and removes it afterwards: files may still be added to it. */
function vanish(site: Site, folder: string): void {
  const gone = join(folder, '..', `.gone-${site.starts.length}`)
  renameSync(folder, gone)
  rmSync(gone, { recursive: true, force: true, maxRetries: 5 })
}

/** `bellis reset` of all blocks; what it has put on the disk is noted, too. */
async function reset(site: Site, ...flags: string[]): Promise<void> {
  const folder = site.runFolder()
  if (folder === undefined) return
  const options = { cwd: site.path, env: site.environment }
  const { code, stderr } = await bellis(['reset', folder, '--yes', '--quiet', ...flags], options)
  if (code !== 0) site.complain(`bellis reset ${flags.join(' ')} ended with ${code}`, stderr)
}

export const FOLDERS: readonly Fault[] = [
  {
    kind: 'run folder removed',
    when: 'during',
    async strike(site, start) {
      const folder = site.runFolder()
      if (start.isOver || folder === undefined) return false
      vanish(site, folder)
      await start.ended
      return true
    },
    mayEnd: ({ code, stderr }) => (code === 1 || code === 2) && /folder|record|progress/.test(stderr),
  },
  {
    kind: 'output removed while it is written',
    when: 'during',
    async strike(site, start) {
      const output = anyOutput(site)
      if (start.isOver || !existsSync(output)) return false
      vanish(site, output)
      // Even if the run has just ended with success, its result is gone.
      site.isDamaged = true
      await start.ended
      // Programs that write by themselves, and writes that had begun, make some of its folders again.
      await site.endWorkers()
      if (!isArray(output)) rmSync(output, { recursive: true, force: true })
      return true
    },
    mayEnd: ({ code, stderr, stdout }) =>
      (code === 1 || code === 2) &&
      /removed|replaced|no longer|another run|There is no|No array found|does not exist/.test(stderr + stdout),
  },
  {
    kind: 'output removed',
    when: 'between',
    async strike(site) {
      const output = anyOutput(site)
      if (!existsSync(output)) return false
      vanish(site, output)
      return true
    },
  },
  {
    kind: 'chunk truncated, then reset',
    when: 'between',
    async strike(site) {
      const chunks = chunksOf(anyOutput(site))
      if (chunks.length === 0) return false
      truncateSync(site.setting.chance.pick(chunks), site.setting.chance.between(0, 20))
      await reset(site)
      return true
    },
  },
  {
    kind: 'chunk removed, then reset',
    when: 'between',
    async strike(site) {
      const chunks = chunksOf(anyOutput(site))
      if (chunks.length === 0) return false
      rmSync(site.setting.chance.pick(chunks))
      await reset(site)
      return true
    },
  },
  {
    kind: 'reset of a region',
    when: 'between',
    async strike(site) {
      if (site.runFolder() === undefined) return false
      await reset(site, '--roi', '160,48,48:320,100,100')
      return true
    },
  },
  {
    kind: 'reset that is killed',
    when: 'between',
    async strike(site) {
      const folder = site.runFolder()
      if (folder === undefined) return false
      const args = ['reset', folder, '--yes', '--quiet']
      const start = new Start(args, join(site.path, 'none'), {
        cwd: site.path,
        env: site.environment,
      })
      await Promise.race([start.ended, wait(site.setting.chance.between(200, 1200))])
      start.signal('SIGKILL')
      await start.ended
      return true
    },
  },
  {
    kind: '--overwrite',
    when: 'between',
    async strike(site) {
      site.nextFlags = ['--overwrite', '--yes']
      return true
    },
  },
  {
    kind: 'record put back to an older state',
    when: 'between',
    async strike(site) {
      const folder = site.runFolder()
      if (folder === undefined || site.records.length === 0) return false
      const kept = site.setting.chance.pick(site.records)
      for (const part of [...RECORD_FILES, 'progress.sqlite-shm']) rmSync(join(folder, part), { force: true })
      for (const part of readdirSync(kept)) copyFileSync(join(kept, part), join(folder, part))
      return true
    },
  },
  {
    kind: 'damaged files that nothing needs',
    when: 'between',
    async strike(site) {
      const folder = site.runFolder()
      if (folder === undefined) return false
      const { chance } = site.setting
      rmSync(join(folder, 'history'), { recursive: true, force: true })
      for (const name of ['live.json', 'sessions.json', 'dashboard.json', 'holder.json'])
        if (chance.happens(0.7))
          writeFileSync(join(folder, name), chance.pick(['', '{', 'null', '{"a":1}', '\0\0\0']), { mode: 0o600 })
      return true
    },
  },
  {
    kind: 'damaged run.json',
    when: 'between',
    async strike(site) {
      const folder = site.runFolder()
      if (folder === undefined) return false
      const file = join(folder, 'run.json')
      const text = readFileSync(file, 'utf8')
      truncateSync(file, site.setting.chance.between(0, text.length - 3))
      const start = site.start()
      const { code, stderr } = await start.ended
      if (code !== 2 || !stderr.includes('run.json'))
        site.complain(`with a damaged run.json, it ended with ${code}`, stderr)
      writeFileSync(file, text)
      return true
    },
  },
]
