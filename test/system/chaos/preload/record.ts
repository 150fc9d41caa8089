import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { asked, JOURNAL, RECORD_FILES } from './control.ts'

// SQLite writes its files itself, so its disk is disturbed here, at its statements.

const journal = process.env[JOURNAL]
const { exec } = DatabaseSync.prototype
const { run } = StatementSync.prototype
const syncing = new WeakSet<DatabaseSync>()

const breakIfAsked = (sql: string): void => {
  if (!asked().isRecordBroken || !/^\s*(INSERT|UPDATE|DELETE|COMMIT)/i.test(sql)) return
  throw Object.assign(new Error('disk I/O error'), { code: 'ERR_SQLITE_ERROR', errcode: 10, errstr: 'disk I/O error' })
}

DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  breakIfAsked(sql)
  const mode = /PRAGMA synchronous = (\w+)/i.exec(sql)?.[1]
  if (mode !== undefined) syncing[/^(FULL|2)$/i.test(mode) ? 'add' : 'delete'](this)
  exec.call(this, sql)
  if (sql === 'COMMIT' && syncing.has(this)) keepSynced(this.location() ?? '')
}

StatementSync.prototype.run = function (this: StatementSync, ...values: unknown[]) {
  breakIfAsked(this.sourceSQL)
  return Reflect.apply(run, this, values) as ReturnType<typeof run>
}

/** Copies a record at a moment when all of it is on the disk itself. */
function keepSynced(file: string): void {
  if (journal === undefined || !file.endsWith(RECORD_FILES[0])) return
  const [next, kept] = [join(journal, `next-${process.pid}`), join(journal, 'record')]
  rmSync(next, { recursive: true, force: true })
  mkdirSync(next)
  for (const part of RECORD_FILES)
    if (existsSync(join(dirname(file), part))) copyFileSync(join(dirname(file), part), join(next, part))
  rmSync(kept, { recursive: true, force: true })
  renameSync(next, kept)
}
