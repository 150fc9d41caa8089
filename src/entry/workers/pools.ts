/** The kinds of pools whose workers connect to the run; it starts them or, for `none`, the user does. */
export type PoolKind = 'process' | 'thread' | 'slurm' | 'sge' | 'none'

/** The names of all pools, as users write them. */
export const POOLS = ['process', 'thread', 'inline', 'slurm', 'sge', 'none'] as const satisfies readonly (
  | PoolKind
  | 'inline'
)[]
