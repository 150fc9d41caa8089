import { execFileSync } from 'node:child_process'
import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { tell } from '../disturbed.ts'
import type { Control } from '../preload/control.ts'
import type { Site } from '../site.ts'
import type { Ending } from '../start.ts'
import type { FaultDuring } from './fault.ts'

type Place = 'results' | 'runs'
const NAMES = { results: 'the outputs', runs: 'the run folder' } as const

const hasDisks = (site: Site) => site.hasDisks
const isDisturbed = (site: Site) => site.setting.isDisturbed

/** A run that can't write stops, and says why. */
const says =
  (reason: RegExp) =>
  ({ code, stderr, stdout }: Ending): boolean =>
    (code === 1 || code === 2) && reason.test(stderr + stdout)

function fill(disk: string): string {
  const file = join(disk, 'others.bin')
  // First in large pieces, then to the last byte.
  for (const size of [2 ** 20, 4096, 512]) {
    const piece = new Uint8Array(size)
    try {
      for (;;) appendFileSync(file, piece)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    }
  }
  return file
}

const full = (place: Place): FaultDuring => ({
  kind: `full disk of ${NAMES[place]}`,
  when: 'during',
  suits: hasDisks,
  async strike(site, start) {
    if (start.isOver) return false
    const file = fill(site[place])
    await Promise.race([start.ended, wait(site.setting.chance.between(200, 3000))])
    rmSync(file)
    return true
  },
  mayEnd: says(/disk is full|no space left/i),
})

function remount(disk: string, how: 'ro' | 'rw'): boolean {
  try {
    execFileSync('mount', ['-o', `remount,${how}`, disk], { stdio: 'ignore' })
    return true
  } catch {
    // A file is open for writing.
    return false
  }
}

const readOnly: FaultDuring = {
  kind: 'read-only disk of the outputs',
  when: 'during',
  suits: hasDisks,
  async strike(site, start) {
    let isReadOnly = false
    for (let tries = 0; tries < 40 && !isReadOnly && !start.isOver; tries++) {
      isReadOnly = remount(site.results, 'ro')
      if (!isReadOnly) await wait(20)
    }
    if (!isReadOnly) return false
    await Promise.race([start.ended, wait(site.setting.chance.between(200, 3000))])
    remount(site.results, 'rw')
    return true
  },
  mayEnd: says(/read-only/i),
}

const told = (kind: string, control: (site: Site) => Control, mayEnd?: RegExp): FaultDuring => ({
  kind,
  when: 'during',
  suits: isDisturbed,
  async strike(site, start) {
    if (start.isOver) return false
    tell(site.control, control(site))
    await Promise.race([start.ended, wait(site.setting.chance.between(300, 3000))])
    tell(site.control, undefined)
    return true
  },
  ...(mayEnd === undefined ? {} : { mayEnd: says(mayEnd) }),
})

const disk = (site: Site, kind: NonNullable<Control['disk']>['kind'], rate: number): Control => ({
  disk: { kind, rate, folder: site.results },
})

export const DISKS: readonly FaultDuring[] = [
  full('results'),
  full('runs'),
  readOnly,
  told('slow disk', (site) => disk(site, 'slow', 0.3)),
  told('short reads and writes', (site) => disk(site, 'short', 0.5)),
  told('disk that fails now and then', (site) => disk(site, 'EIO', 0.05), /I\/O|i\/o|EIO/),
  told('disk that fails', (site) => disk(site, 'EIO', 1), /I\/O|i\/o|EIO/),
  told('disk that says it is full', (site) => disk(site, 'ENOSPC', 0.2), /disk is full|no space left/),
  told('record that cannot be written', () => ({ isRecordBroken: true }), /I\/O error/),
  told('clock that jumps ahead', () => ({ clockMs: 7_200_000 })),
  told('clock that jumps back', () => ({ clockMs: -7_200_000 })),
]
