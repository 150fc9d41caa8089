import { DISKS } from './disks.ts'
import type { Fault } from './fault.ts'
import { FOLDERS } from './folders.ts'
import { LINKS } from './links.ts'
import { OTHER_USER } from './other-user.ts'
import { POWER_CUTS } from './power.ts'
import { RIVALS } from './rivals.ts'
import { SERVERS } from './servers.ts'
import { SIGNALS } from './signals.ts'
import { STRANGERS } from './strangers.ts'

export const FAULTS: readonly Fault[] = [
  ...SIGNALS,
  ...DISKS,
  ...POWER_CUTS,
  ...LINKS,
  ...STRANGERS,
  ...RIVALS,
  OTHER_USER,
  ...FOLDERS,
  ...SERVERS,
]
