import assert from 'node:assert/strict'
import { cpSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import { sqliteProgress } from '../../../src/adapters/sqlite/sqlite-progress.ts'
import type { FailedAttempt, RunReader } from '../../../src/ports/progress-store.ts'
import { readCompleted } from '../../../src/runtime/coordinator/progress-recorder.ts'
import { failedAttempt, identityOf, recordedTask } from '../../contracts/progress-store.contract.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { earlierRuns } from '../../support/earlier-runs.ts'

async function attemptsOf(reader: RunReader, task = 0): Promise<FailedAttempt[]> {
  const found: FailedAttempt[] = []
  for await (const failed of reader.failedAttempts(task)) found.push(failed)
  return found
}

/** What a reader finds in a file. */
async function contentsOf(file: string) {
  await using store = sqliteProgress(file)
  const reader = (await store.read('')) as RunReader
  const tasks = [...reader.identity.tasks.keys()]
  return {
    identity: reader.identity,
    done: await Promise.all(tasks.map((task) => readCompleted(reader, task))),
    failed: await Promise.all(tasks.map((task) => attemptsOf(reader, task))),
  }
}

const versionOf = (file: string): unknown => {
  using database = new DatabaseSync(file, { readOnly: true })
  return database.prepare('PRAGMA user_version').get()?.user_version
}

/** Gives a record the tables of version 1, as version 0.1.0 made them. */
function makeVersion1(file: string, attempts: readonly FailedAttempt[]): void {
  using database = new DatabaseSync(file)
  database.exec(`
    DROP TABLE failed_attempt; DROP TABLE error_text;
    CREATE TABLE failed_try (
      number INTEGER PRIMARY KEY, task INTEGER NOT NULL, block INTEGER NOT NULL, attempt INTEGER NOT NULL,
      is_final INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, stack TEXT, worker TEXT NOT NULL,
      host TEXT NOT NULL, duration_ms REAL NOT NULL, time REAL NOT NULL
    ) STRICT;
    CREATE INDEX failed_try_of_task ON failed_try (task, number);
    PRAGMA user_version = 1; BEGIN`)
  const put = database.prepare(`INSERT INTO failed_try VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  for (const { task, block, attempt, isFinal, error, workerId, host, durationMs, time } of attempts) {
    const { code, message, stack = null } = error
    put.run(task, block, attempt, Number(isFinal), code, message, stack, workerId, host, durationMs, time)
  }
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
}

const stack = (block: number): FailedAttempt['error'] => {
  const message = `block ${block} has no model`
  return {
    code: 'BLOCK_FAILED',
    message,
    stack: `Error: ${message}\n${'    at frame (file:///a.ts:3:4)\n'.repeat(60)}`,
  }
}

describe('a record of version 1', () => {
  it('is read as it is, and has the same content in the current version once it is opened for writing', async () => {
    using runs = earlierRuns()
    const before = join(runs.folderOf('failed'), 'progress.sqlite')
    const file = join(runs.path, 'copy.sqlite')
    cpSync(before, file)
    const old = await contentsOf(file)
    assert.equal(versionOf(file), 1)
    assert.ok(old.failed.flat().length > 0)
    await using store = sqliteProgress(file)
    const record = await store.open(old.identity)
    assert.deepEqual(await attemptsOf(record), old.failed[0])
    await record[Symbol.asyncDispose]()
    assert.equal(versionOf(file), 2)
    assert.deepEqual(await contentsOf(file), old)
  })

  it('keeps the last attempt of each number, and shrinks', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'progress.sqlite')
    const identity = identityOf(recordedTask('one', 1000))
    {
      await using store = sqliteProgress(file)
      await store.open(identity)
    }
    // As three starts left them.
    const attempts = [1, 2, 3].flatMap((start) =>
      Array.from({ length: 1000 }, (_, block) => failedAttempt({ block, error: stack(block), time: start })),
    )
    makeVersion1(file, attempts)
    const bytes = statSync(file).size
    assert.ok(bytes > 5e6, `${bytes} bytes`)
    assert.equal((await contentsOf(file)).failed[0]?.length, 3000)
    {
      await using store = sqliteProgress(file)
      await store.open(identity)
    }
    assert.deepEqual((await contentsOf(file)).failed[0], attempts.slice(2000))
    assert.ok(statSync(file).size < bytes / 10, `${bytes} bytes became ${statSync(file).size}`)
  })

  it('stays as it is if it is the record of other tasks', async () => {
    using runs = earlierRuns()
    const file = join(runs.folderOf('failed'), 'progress.sqlite')
    await using store = sqliteProgress(file)
    await assert.rejects(store.open(identityOf(recordedTask('one', 1000))), { code: 'GRID_MISMATCH' })
    assert.equal(versionOf(file), 1)
  })
})

describe('the size of a record', () => {
  it('grows by some hundred bytes for a failed attempt, and not at all if the same attempt fails again', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'progress.sqlite')
    const sizes: number[] = []
    const identity = identityOf(recordedTask('one', 10_000))
    for (let start = 0; start < 3; start++) {
      await using store = sqliteProgress(file)
      const record = await store.open(identity)
      const attempts = Array.from({ length: 10_000 }, (_, block) => {
        // One part in thousand differs from start to start.
        return failedAttempt({ block, error: stack(block % 1000 === 0 ? block + start * 1e6 : block) })
      })
      await record.commit({ pages: [], failedAttempts: attempts })
      await record[Symbol.asyncDispose]()
      sizes.push(statSync(file).size)
    }
    const [first = 0, ...later] = sizes
    assert.ok(first / 10_000 < 350, `${first} bytes`)
    for (const size of later) assert.ok(size <= 1.1 * first, `${first} bytes became ${size}`)
  })
})
