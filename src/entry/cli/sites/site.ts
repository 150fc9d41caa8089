import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ConfigError } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import { SIZES_MB } from '../../../runtime/tasks/option-checks.ts'
import { BATCH_KINDS, POOLS, TASK_POOLS } from '../../workers/pools.ts'
import { readConfigFile } from '../tasks/config/config-file.ts'

const BATCH = Object.fromEntries(BATCH_KINDS.map((kind) => [kind, z.string().optional()])) as Record<
  (typeof BATCH_KINDS)[number],
  z.ZodOptional<z.ZodString>
>

const SIZE_MB = z.number().min(SIZES_MB.least).max(SIZES_MB.most)

const SITE = z.strictObject({
  description: z.string().optional(),
  pool: z.enum(POOLS).optional(),
  ...BATCH,
  workers: z.int().min(1).optional(),
  resources: z.record(z.string(), z.number().min(0)).optional(),
  host: z.string().optional(),
  port: z.int().min(0).max(65_535).optional(),
  plain: z.boolean().optional(),
  runDir: z.string().optional(),
  maxHistory: SIZE_MB.optional(),
  maxLog: SIZE_MB.optional(),
  tasks: z.record(z.string(), z.strictObject({ pool: z.enum(TASK_POOLS).optional(), ...BATCH })).optional(),
})

/** What a profile says of a site: defaults of the flags with these names, and of single tasks. */
export type Site = Readonly<z.output<typeof SITE>>

/** The folder of a user's profiles of sites. */
export const sitesFolder = (): string =>
  join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'bellis', 'sites')

/**
 * Reads a profile: `NAME.json` in the user's folder, or the file itself if the name is a path.
 * @throws ConfigError `NO_SUCH_FILE` naming the profiles that there are; `INVALID_CONFIG` naming the field
 */
export function readSite(name: string): Site {
  const isPath = /[/\\]|\.json$/.test(name)
  const path = isPath ? name : join(sitesFolder(), `${name}.json`)
  if (!isPath && !existsSync(path)) {
    const known = existsSync(sitesFolder()) ? readdirSync(sitesFolder()).filter((file) => file.endsWith('.json')) : []
    const others =
      known.length === 0
        ? 'there are none yet'
        : `there are: ${known
            .map((file) => file.slice(0, -5))
            .sort()
            .join(', ')}`
    throw new ConfigError('NO_SUCH_FILE', `--site ${name}: expected a profile in ${path}; ${others}.`)
  }
  const { data, error } = SITE.safeParse(readConfigFile(path))
  if (data !== undefined) return given(data)
  const [issue] = error.issues
  const where = issue?.path.length ? `"${issue.path.join('.')}": ` : ''
  throw new ConfigError('INVALID_CONFIG', `${path}: ${where}${issue?.message ?? 'invalid'}.`)
}
