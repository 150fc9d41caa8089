// For programs that do the blocks of a run, `import … from 'bellis/worker'`.
export type { JoinedBlock, JoinOptions } from './join-run.ts'
export { joinRun } from './join-run.ts'
