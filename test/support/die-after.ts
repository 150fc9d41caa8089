// Preloaded into a command (see `dyingAfter`): kills it just before it replaces a file or commits to its record for the n-th time.
import fs from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const limit = Number(process.env.BELLIS_TEST_DIE_AFTER)
let steps = 0
const step = () => {
  if (++steps >= limit) process.kill(process.pid, 'SIGKILL')
}

const { rename, renameSync } = fs
fs.rename = ((...values: Parameters<typeof rename>) => {
  step()
  return rename(...values)
}) as typeof rename
fs.renameSync = (...values) => {
  step()
  renameSync(...values)
}
const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
  if (sql === 'COMMIT') step()
  return Reflect.apply(exec, this, [sql])
}
