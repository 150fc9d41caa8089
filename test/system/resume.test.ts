import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createArray } from '../../src/entry/arrays.ts'
import { bellis, type CommandResult, dyingAt, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import type { Driven } from '../support/drive.ts'
import { smallDiskOrSkip } from '../support/folders.ts'
import { processesIn, until } from '../support/processes.ts'
import { drive, firstTask, ran, runsIn, upTo } from '../support/recorded-runs.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

const raw = sampleForAll()

/** 512 blocks, a millisecond or more each. */
const smoothArguments = (output: string, ...more: string[]) => [
  ...['smooth', raw, output, '--sigma', '2', '--block-write', '4,24,24', '--workers', '2', '--json'],
  ...more,
]

describe('a run that is started again', () => {
  it('the command printed on Ctrl-C does only what is left, again and again', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    let completed = 0
    let starts = 0
    for (;;) {
      const before = completed
      const env = starts < 3 ? dyingAt(0, 'SIGINT') : {}
      const { code, stdout, stderr } = await bellis(smoothArguments('out.zarr/once'), { cwd, env })
      const task = JSON.parse(stdout).tasks[0]
      assert.equal(task.skipped, before, 'what was done before is not done again')
      completed = task.completed
      starts++
      if (code === 0) break
      assert.equal(code, 130, stderr)
      assert.match(stderr, /To continue: bellis smooth .*out\.zarr\/once/)
    }
    assert.equal(starts, 4)
    assert.equal(completed, 512)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/once')), SMOOTHED)
    assert.equal(runsIn(cwd).length, 1)
  })

  for (const output of ['out.n5/once', 'out.precomputed']) {
    it(`an output in another format is continued, too, and found complete (${output})`, async () => {
      using folder = temporaryFolder()
      const { path: cwd } = folder
      const start = async (env = {}) => {
        const { code, stdout, stderr } = await bellis(smoothArguments(output), { cwd, env })
        return { code, stderr, task: stdout === '' ? undefined : JSON.parse(stdout).tasks[0] }
      }
      assert.equal((await start(dyingAt(0))).code, 'SIGKILL')
      const continued = await start()
      assert.equal(continued.code, 0, continued.stderr)
      assert.equal(continued.task.completed, 512)
      assert.ok(continued.task.skipped > 0)
      const again = await start()
      assert.equal(again.code, 0, again.stderr)
      assert.equal(again.task.skipped, 512)
      assert.equal(await hashVoxels(join(cwd, output)), SMOOTHED)
    })

    it(`R1: a record is not believed once the folder of its output is gone (${output})`, async () => {
      using folder = temporaryFolder()
      const { path: cwd } = folder
      const start = async (env = {}) => bellis(smoothArguments(output), { cwd, env })
      assert.equal((await start(dyingAt(0))).code, 'SIGKILL')
      await until('its workers have ended', () => processesIn(cwd).length === 0)
      // A precomputed volume goes on to name a scale whose folder is gone.
      rmSync(join(cwd, output === 'out.precomputed' ? 'out.precomputed/4_4_40' : output), { recursive: true })
      const { code, stdout, stderr } = await start()
      assert.equal(code, 0, stderr)
      assert.match(stderr, /its output was removed after its blocks were done; all of its blocks are done again/)
      assert.equal(JSON.parse(stdout).tasks[0].skipped, 0)
      assert.equal(await hashVoxels(join(cwd, output)), SMOOTHED)
    })
  }

  it('V7: no lock is written where a link in a precomputed volume leads out of it', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const [target, input] = [join(cwd, 'target'), join(cwd, 'in.zarr/raw')]
    await (await createArray(input, { shape: [4, 4, 4], dtype: 'uint8' }))[Symbol.asyncDispose]()
    await (await createArray(join(cwd, 'a.precomputed'), { shape: [4, 4, 4], dtype: 'uint8' }))[Symbol.asyncDispose]()
    rmSync(join(cwd, 'a.precomputed/1_1_1'), { recursive: true })
    mkdirSync(target)
    symlinkSync(target, join(cwd, 'a.precomputed/1_1_1'))
    const convert = (...flags: string[]) => bellis(['convert', input, 'a.precomputed', '--quiet', ...flags], { cwd })
    const { code, stderr } = await convert()
    assert.equal(code, 2)
    assert.match(stderr, /Can't .*a\.precomputed\/1_1_1: a symbolic link leads out of its container.*--allow-external/)
    // The link is removed, and what it leads to is not touched.
    assert.equal((await convert('--overwrite', '--yes')).code, 0)
    assert.deepEqual(readdirSync(target), [])
  })

  it('a finished run that is started again does nothing, and starts no worker', async () => {
    using folder = temporaryFolder()
    await drive({ folder: folder.path, blocks: 20 })
    const again = await drive({ folder: folder.path, blocks: 20 })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(firstTask(again).skipped, 20)
    assert.deepEqual(ran(folder.path).length, 20)
    assert.deepEqual(
      again.events.filter(({ type }) => type === 'worker-started'),
      [],
    )
  })

  it('R6: no recorded block is lost when the coordinator is killed', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    // One block keeps the run from ending until it is killed, however late that is.
    const config = { folder: path, blocks: 40, ms: 10, waits: 30 }
    const killed = await drive(
      config,
      {},
      {
        ownGroup: true,
        meanwhile: async ({ pid }) => {
          await until('some blocks are done', () => ran(path).length >= 10)
          process.kill(-pid, 'SIGKILL')
        },
      },
    )
    assert.equal(killed.code, 'SIGKILL')
    const before = ran(path)
    writeFileSync(join(path, 'go'), '')
    const again = await drive(config)
    assert.equal(again.code, 0, again.stderr)
    const { completed, skipped } = firstTask(again)
    assert.equal(completed, 40)
    // At most two leases of each of two workers were in flight.
    const repeated = ran(path).length - 40
    assert.equal(repeated, before.length - skipped)
    assert.ok(repeated <= 2 * 2 * 4, `${repeated} blocks were done again`)
    assert.deepEqual(
      [...new Set(ran(path))].sort((a, b) => a - b),
      upTo(40),
    )
  })

  it('a run that is started again retries the blocks that had failed, and no others', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 12 }
    writeFileSync(join(path, 'bug'), '3 8')
    const failing = await drive(config, { maxRetries: 0 }, { task: 'has-bug.ts' })
    assert.equal(failing.code, 1)
    assert.equal(firstTask(failing).failed, 2)
    const failedRun = await bellis(['status', runsIn(path)[0] as string], { cwd: path })
    assert.match(failedRun.stdout, /failed\n/)
    assert.match(
      failedRun.stdout,
      /has-bug\/[38] after 1 attempt, and 1 more block with a similar error: block [38] meets the bug .*\(by w\d+ on \S+\)/,
    )
    rmSync(join(path, 'bug'))
    const fixed = await drive(config, { maxRetries: 0 }, { task: 'has-bug.ts' })
    assert.equal(fixed.code, 0, fixed.stderr)
    assert.equal(firstTask(fixed).skipped, 10)
    assert.deepEqual(
      ran(path).sort((a, b) => a - b),
      upTo(12),
    )
    const status = await bellis(['status', runsIn(path)[0] as string, '--json'], { cwd: path })
    assert.deepEqual(JSON.parse(status.stdout).tasks[0], {
      id: 'has-bug',
      total: 12,
      completed: 12,
      failed: 0,
      left: 0,
    })
  })

  it('a run that is started again asks the task which blocks are done if it has a check', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 6 }
    const first = await drive(config, {}, { task: 'checks.ts' })
    assert.equal(first.code, 0, first.stderr)
    rmSync(join(path, 'out-4'))
    const again = await drive(config, {}, { task: 'checks.ts' })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(firstTask(again).skipped, 5)
    assert.deepEqual(ran(path).slice(6), [4])
  })

  it('a run starts from scratch with overwrite', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 5 }
    await drive(config)
    const again = await drive(config, { overwrite: true })
    assert.equal(firstTask(again).skipped, 0)
    assert.equal(ran(folder.path).length, 10)
  })

  it('a run keeps no record if that is turned off', async () => {
    using folder = temporaryFolder()
    const config = { folder: folder.path, blocks: 5 }
    for (let start = 0; start < 2; start++) assert.equal((await drive(config, { progress: 'none' })).code, 0)
    assert.equal(ran(folder.path).length, 10)
  })
})

describe('a record that does not match the outputs', () => {
  it('a record is not trusted if the output was removed: its blocks are done again', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    assert.equal((await bellis(smoothArguments('out.zarr/once'), { cwd })).code, 0)
    rmSync(join(cwd, 'out.zarr'), { recursive: true })
    const again = await bellis(smoothArguments('out.zarr/once'), { cwd })
    assert.equal(again.code, 0, again.stderr)
    assert.match(
      again.stderr,
      /smooth: its output was removed after its blocks were done; all of its blocks are done again/,
    )
    assert.equal(JSON.parse(again.stdout).tasks[0].skipped, 0)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/once')), SMOOTHED)
  })

  it('R1, R2: another run may write the output with --overwrite only, and then the record is not trusted', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const other = smoothArguments('out.zarr/once').map((word) => (word === '2' ? '1' : word))
    assert.notDeepEqual(other, smoothArguments('out.zarr/once'))
    assert.equal((await bellis(smoothArguments('out.zarr/once'), { cwd })).code, 0)
    const refused = await bellis(other, { cwd })
    assert.equal(refused.code, 2)
    assert.match(
      refused.stderr,
      /written by "bellis smooth .*--sigma 2.*" \(the run smooth-[\w-]+, started \d{4}-\d\d-\d\d \d\d:\d\d in /,
    )
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/once')), SMOOTHED)
    assert.equal((await bellis([...other, '--overwrite', '--yes'], { cwd })).code, 0)
    assert.notEqual(await hashVoxels(join(cwd, 'out.zarr/once')), SMOOTHED)
    assert.match(
      (await bellis(smoothArguments('out.zarr/once'), { cwd })).stderr,
      /written by "bellis smooth .*--sigma 1/,
    )
    const again = await bellis(smoothArguments('out.zarr/once', '--overwrite', '--yes'), { cwd })
    assert.equal(again.code, 0, again.stderr)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/once')), SMOOTHED)
  })

  it('a record is refused and left unchanged if the grid has changed under the same configuration', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 6 }
    writeFileSync(join(path, 'width'), '1')
    assert.equal((await drive(config, {}, { task: 'width.ts' })).code, 0)
    writeFileSync(join(path, 'width'), '2')
    const changed = await drive(config, {}, { task: 'width.ts' })
    assert.equal(changed.hasResult, false)
    assert.match(changed.stderr, /task "width" was recorded with .*writeRoi.*--overwrite to start again/)
    writeFileSync(join(path, 'width'), '1')
    assert.equal(firstTask(await drive(config, {}, { task: 'width.ts' })).skipped, 6)
    writeFileSync(join(path, 'width'), '2')
    const again = await drive(config, { overwrite: true }, { task: 'width.ts' })
    assert.deepEqual([firstTask(again).total, firstTask(again).completed, firstTask(again).skipped], [3, 3, 0])
    assert.equal(firstTask(await drive(config, {}, { task: 'width.ts' })).skipped, 3)
  })

  it('another configuration makes another run, with another record', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    assert.equal((await drive({ folder: path, blocks: 6 })).code, 0)
    const other = await drive({ folder: path, blocks: 8 })
    assert.equal(firstTask(other).skipped, 0)
    assert.equal(runsIn(path).length, 2)
    assert.equal(firstTask(await drive({ folder: path, blocks: 6 })).skipped, 6)
  })
})

describe('a record that cannot be written', () => {
  it('a record that cannot be written stops the run with the reason and loses nothing: the same command continues when there is space', async (t) => {
    using folder = temporaryFolder()
    // SQLite's log grows to up to 4 MB before it is written back.
    using disk = smallDiskOrSkip(t, folder.path, '8m')
    if (disk === undefined) return
    const config = { folder: folder.path, blocks: 300, ms: 2, waits: 20 }
    const options = { runDir: join(disk.path, 'runs'), workers: 1, maxRetries: 0 }
    const filler = join(disk.path, 'filler')
    const full = await drive(config, options, {
      meanwhile: async () => {
        await until('a block waits', () => existsSync(join(folder.path, 'begun')))
        assert.throws(() => writeFileSync(filler, new Uint8Array(8_388_608)), /ENOSPC/)
        writeFileSync(join(folder.path, 'go'), '')
      },
    })
    assert.equal(full.code, 1, full.stderr)
    assert.equal(full.result.error?.code, 'DISK_FULL')
    assert.match(
      full.result.error?.message ?? '',
      /progress\.sqlite can't be written: the disk is full; free some space/,
    )
    assert.equal(full.result.tasks[0]?.failed, 0)
    const before = ran(folder.path).length
    assert.ok(before < 300, `${before} blocks were done`)
    rmSync(filler)
    const again = await drive(config, options)
    assert.equal(again.code, 0, `${again.stderr}${JSON.stringify(again.result)}`)
    const { completed, skipped } = firstTask(again)
    assert.equal(completed, 300)
    assert.ok(skipped > 0, 'what was recorded before the disk was full is lost')
    assert.equal(ran(folder.path).length, before + 300 - skipped)
    assert.deepEqual(
      [...new Set(ran(folder.path))].sort((a, b) => a - b),
      upTo(300),
    )
  })
})

describe('two coordinators of one run', () => {
  it('a second coordinator of a run is refused with the holder, and the first continues', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 8, waits: 0 }
    let refused: Driven | undefined
    let holder = 0
    const first = await drive(
      config,
      {},
      {
        meanwhile: async ({ pid }) => {
          holder = pid
          await until('a block waits', () => existsSync(join(path, 'begun')))
          refused = await drive(config)
          writeFileSync(join(path, 'go'), '')
        },
      },
    )
    assert.equal(first.code, 0, first.stderr)
    assert.equal(firstTask(first).completed, 8)
    assert.equal(refused?.hasResult, false)
    assert.match(
      refused?.stderr ?? '',
      new RegExp(`This run is already running, in process ${holder} of \\S+ on \\S+, since`),
    )
    assert.equal(ran(path).length, 8)
  })

  it('of coordinators that start at the same moment exactly one gets the run, every time', async () => {
    for (let round = 0; round < 4; round++) {
      using folder = temporaryFolder()
      const { path } = folder
      const config = { folder: path, blocks: 8, waits: 0 }
      const starts = [0, 1, 2].map(() => drive(config))
      // The running one waits until the others have ended, however slowly they start.
      let refused = 0
      for (const start of starts) void start.then(({ code }) => code !== 0 && refused++)
      await until('two are refused', () => refused === 2, 60_000)
      writeFileSync(join(path, 'go'), '')
      const all = await Promise.all(starts)
      assert.deepEqual(all.map(({ code }) => code === 0).sort(), [false, false, true])
      for (const { code, stderr } of all) if (code !== 0) assert.match(stderr, /This run is already running/)
      assert.deepEqual(ran(path).sort(), upTo(8))
    }
  })

  it('a coordinator can follow another at once, however that one ended', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 4, waits: 0 }
    await drive(
      config,
      {},
      {
        ownGroup: true,
        meanwhile: async ({ pid }) => {
          await until('a block waits', () => existsSync(join(path, 'begun')))
          process.kill(-pid, 'SIGKILL')
        },
      },
    )
    writeFileSync(join(path, 'go'), '')
    assert.equal((await drive(config)).code, 0)
  })
})

describe('workers that have joined a run', () => {
  it('joined workers outlive their coordinator, and report the block that they finished meanwhile to the next one', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 6, waits: 0 }
    const options = { pool: 'none', workers: 1 }
    let worker: Promise<CommandResult> | undefined

    const killed = await drive(config, options, {
      meanwhile: async ({ pid }) => {
        const name = await until('the run has started', () => runsIn(path)[0])
        await until('it can be joined', () => existsSync(join(path, '.bellis', name, 'context')))
        worker = bellis(['worker', name], {
          cwd: path,
          meanwhile: async () => {
            await until('a block waits', () => existsSync(join(path, 'begun')))
            const saved = join(path, '.bellis', name, 'sessions.json')
            await until('its place is saved', () => existsSync(saved) && readFileSync(saved, 'utf8').includes('leases'))
            process.kill(pid, 'SIGKILL')
          },
        })
      },
    })
    assert.equal(killed.code, 'SIGKILL')
    writeFileSync(join(path, 'go'), '')
    await until('the block is done, and no coordinator is there to receive it', () => ran(path).includes(0))
    const again = await drive(config, options)
    assert.equal(again.code, 0, again.stderr)
    const { code, stderr } = await (worker as Promise<CommandResult>)
    assert.equal(code, 0, stderr)
    assert.match(stderr, /Reconnected as w\d+/)
    assert.deepEqual(ran(path).sort(), upTo(6), 'every block was done once')
    assert.equal(firstTask(again).completed, 6)
  })

  it('joined workers that do not reconnect are lost, and their blocks are done by others', async () => {
    using folder = temporaryFolder()
    const { path } = folder
    const config = { folder: path, blocks: 6, waits: 0 }
    let worker = 0
    await drive(
      config,
      { pool: 'none', workers: 1 },
      {
        meanwhile: async ({ pid }) => {
          const name = await until('the run has started', () => runsIn(path)[0])
          await until('it can be joined', () => existsSync(join(path, '.bellis', name, 'context')))
          void bellis(['worker', name], {
            cwd: path,
            meanwhile: async (child) => {
              worker = child.pid
              await until('a block waits', () => existsSync(join(path, 'begun')))
              const saved = join(path, '.bellis', name, 'sessions.json')
              await until(
                'its place is saved',
                () => existsSync(saved) && readFileSync(saved, 'utf8').includes('leases'),
              )
              process.kill(worker, 'SIGKILL')
              process.kill(pid, 'SIGKILL')
            },
          })
        },
      },
    )
    writeFileSync(join(path, 'go'), '')
    const again = await drive(config, { reconnectMs: 200 })
    assert.equal(again.code, 0, again.stderr)
    assert.deepEqual(ran(path).sort(), upTo(6))
    assert.deepEqual(
      again.events.filter(({ type }) => type === 'block-retried' || type === 'worker-died'),
      [],
      'nobody is blamed for it',
    )
  })
})

describe('what is kept of a run', () => {
  it('runs, status and reset list, show and forget what is recorded of a run', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await bellis([...args, '--json'], { cwd })
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout)
    }
    assert.deepEqual(await json('runs'), [])
    const chain = ['--block-write', '16,96,96', '--workers', '1']
    await json('convert', raw, 'out.zarr/raw', '--chunk', '16,48,48', '--workers', '1')
    await json('smooth', 'out.zarr/raw', 'out.zarr/soft', ...chain)
    // The remains of a command that was killed right at its start are not a run.
    cpSync(join(cwd, '.bellis', runsIn(cwd)[0] as string), join(cwd, '.bellis/.tmp-1-0'), { recursive: true })
    const runs = await json('runs')
    assert.deepEqual(
      runs.map((run: { condition: string }) => run.condition),
      ['done', 'done'],
    )
    const name = runs.find((run: { run: string }) => run.run.startsWith('smooth')).run
    const status = await json('status', name)
    assert.deepEqual(status.tasks, [{ id: 'smooth', total: 8, completed: 8, failed: 0, left: 0 }])
    const plan = await json('plan', 'smooth', 'out.zarr/raw', 'out.zarr/soft', '--block-write', '16,96,96')
    assert.equal(plan.tasks[0].done, 8)

    const withoutYes = await bellis(['reset', name], { cwd })
    assert.equal(withoutYes.code, 2)
    assert.match(withoutYes.stderr, /add --yes/)
    // The sample's voxels are 40 × 4 × 4 nm, so this meets only the first block.
    assert.deepEqual(await json('reset', name, '--roi', '0,0,0:40,4,4', '--yes'), [
      { id: 'smooth', blocks: 1, failedAttempts: 0 },
    ])
    assert.equal((await json('status', name)).tasks[0].left, 1)
    for (const roi of ['9000,0,0:40,4,4', '200:210,0:10,0:10']) {
      const outside = await bellis(['reset', name, '--roi', roi, '--yes'], { cwd })
      assert.equal(outside.code, 2)
      assert.match(
        outside.stderr,
        /^bellis: No block writes in the region \S+; the blocks of the run write in 0,0,0:\S+ nm\.$/m,
      )
    }
    assert.equal((await json('smooth', 'out.zarr/raw', 'out.zarr/soft', ...chain)).tasks[0].skipped, 7)
    assert.deepEqual(await json('reset', name, '--yes'), [{ id: 'smooth', blocks: 8, failedAttempts: 0 }])
    assert.equal((await json('smooth', 'out.zarr/raw', 'out.zarr/soft', ...chain)).tasks[0].skipped, 0)
  })

  it('status works while the run is running', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    let printed = ''
    let reset = ''
    await drive(
      { folder: cwd, blocks: 8, waits: 7 },
      {},
      {
        meanwhile: async () => {
          await until('a block waits', () => existsSync(join(cwd, 'begun')))
          const [name] = runsIn(cwd) as [string]
          for (;;) {
            const { stdout } = await bellis(['status', name], { cwd })
            printed = stdout
            // The counts of what is running come a second later than the record.
            if (/7 of 8 blocks .*, 1 running/.test(stdout)) break
          }
          reset = (await bellis(['reset', name, '--failed'], { cwd })).stderr
          writeFileSync(join(cwd, 'go'), '')
        },
      },
    )
    assert.match(
      printed,
      /: running, in process \d+ of \S+ on \S+, since .*\n(?: {2}\S.*\n)* {2}count: 7 of 8 blocks \(87.5 %\), 1 running/,
    )
    assert.match(reset, /The run is running; to have its failed blocks tried again: .*retry/)
  })

  it('status --watch prints what has changed until the run is over', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    let watching: Promise<CommandResult> | undefined
    const run = await drive(
      { folder: cwd, blocks: 8, waits: 7 },
      {},
      {
        meanwhile: async () => {
          await until('a block waits', () => existsSync(join(cwd, 'begun')))
          watching = bellis(['status', runsIn(cwd)[0] as string, '--watch'], {
            cwd,
            meanwhile: async ({ output }) => {
              await until('it is shown', () => output.stdout.includes(': running, in process'))
              writeFileSync(join(cwd, 'go'), '')
            },
          })
        },
      },
    )
    assert.equal(run.code, 0, run.stderr)
    const { code, stdout } = (await watching) as CommandResult
    assert.equal(code, 0)
    assert.match(
      stdout,
      /^count-\w+: running, in .*\n(?: {2}\S.*\n)* {2}count: 7 of 8 .*\ncount-\w+: done\n(?: {2}started .*\n)? {2}count: 8 of 8 blocks \(100 %\)\n$/,
    )
  })

  it('reset of a region also forgets what depends on it in a chain', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const first = await drive({ folder: cwd, blocks: 10 }, {}, { task: 'two-lines.ts' })
    assert.equal(first.code, 0, first.stderr)
    const [name] = runsIn(cwd) as [string]
    const { stdout, stderr } = await bellis(['reset', name, '--roi', '4:1', '--yes', '--json'], { cwd })
    assert.deepEqual(
      JSON.parse(stdout || '[]'),
      [
        { id: 'first', blocks: 1, failedAttempts: 0 },
        { id: 'second', blocks: 3, failedAttempts: 0 },
      ],
      stderr,
    )
  })

  it('status lists the existing runs if it does not know the one asked for', async () => {
    using folder = temporaryFolder()
    const { code, stderr } = await bellis(['status', 'nothing-12345678'], { cwd: folder.path })
    assert.equal(code, 2)
    assert.match(stderr, /There is no run "nothing-12345678"/)
  })
})
