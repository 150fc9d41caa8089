/** The batch systems, whose options have the same names. */
export const BATCH_KINDS = ['slurm', 'sge', 'pbs', 'lsf', 'kubernetes'] as const

export type BatchKind = (typeof BATCH_KINDS)[number]

/** The program that submits jobs. */
export const SUBMITS_WITH: Readonly<Record<BatchKind, string>> = {
  slurm: 'sbatch',
  sge: 'qsub',
  pbs: 'qsub',
  lsf: 'bsub',
  kubernetes: 'kubectl',
}

/** The kinds of pools whose workers connect to the run; it starts them or, for `none`, the user does. */
export type PoolKind = 'process' | 'thread' | BatchKind | 'none'

/** The names of all pools, as users write them. */
export const POOLS = ['process', 'thread', 'inline', ...BATCH_KINDS, 'none'] as const satisfies readonly (
  | PoolKind
  | 'inline'
)[]

export const isBatch = (pool: unknown): pool is BatchKind => BATCH_KINDS.some((kind) => kind === pool)

/** The options of the program that submits a worker as a job, by the batch system. */
export interface BatchOptions {
  /** Options of sbatch for the pool `slurm`: `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly slurm?: string
  /** Options of qsub for the pool `sge`: `-q short.q -l h_rt=4:00:00,mem_free=4G`. @default '' */
  readonly sge?: string
  /** Options of qsub for the pool `pbs`: `-q short -l walltime=4:00:00,mem=4gb`. @default '' */
  readonly pbs?: string
  /** Options of bsub for the pool `lsf`: `-q short -W 4:00 -M 4G`. @default '' */
  readonly lsf?: string
  /** The pods of the pool `kubernetes`: `--image=registry.example.org/bellis:1 --namespace=em --memory=4Gi`. @default '' */
  readonly kubernetes?: string
}

/** Where the blocks of one task are processed, if it is not where those of the others are. */
export interface TaskPool extends BatchOptions {
  /** @default that of the run */
  readonly pool?: Exclude<PoolKind, 'none'>
}

/** The pool of a task: its options for a batch system imply that system. */
export const poolOfTask = <Pool>(own: TaskPool, runPool: Pool): Exclude<PoolKind, 'none'> | Pool =>
  own.pool ?? BATCH_KINDS.find((kind) => own[kind] !== undefined) ?? runPool

/** The names of the pools that a single task may have. */
export const TASK_POOLS = ['process', 'thread', ...BATCH_KINDS] as const satisfies readonly TaskPool['pool'][]
