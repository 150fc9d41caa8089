// Preloaded into commands and workers of rounds with `node --import`: disks that are slow or fail, clocks that jump, and a journal of
// what is not on the disk itself. The product does not know of it.
import './clock.ts'
import './disk.ts'
import './journal.ts'
import './record.ts'
import { syncBuiltinESMExports } from 'node:module'

syncBuiltinESMExports()
