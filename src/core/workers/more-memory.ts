/** The batch systems whose options say how much memory a job gets. */
export type MemorySystem = 'slurm' | 'sge' | 'pbs' | 'lsf' | 'kubernetes'

/** What stands before an amount of memory in the options of each system: the amount and its unit follow. */
const AMOUNTS: Readonly<Record<MemorySystem, RegExp>> = {
  slurm: /((?:^|\s)--mem(?:-per-cpu|-per-gpu)?(?:=|\s+))(\d+)([KMGT]?)(?!\w)/gi,
  sge: /(\b(?:h_vmem|s_vmem|mem_free|virtual_free|h_rss|m_mem_free|ram_free)=)(\d+(?:\.\d+)?)([KMG]?)(?!\w)/gi,
  pbs: /(\bp?v?mem=)(\d+)((?:[kmgt]?[bw])?)(?!\w)/gi,
  lsf: /((?:^|\s)-M\s*|\bmem=)(\d+(?:\.\d+)?)([KMGT]?B?)(?!\w)/gi,
  kubernetes: /((?:^|\s)--memory(?:=|\s+))(\d+(?:\.\d+)?)((?:[KMGT]i?)?)(?!\w)/g,
}

/** The unit of an amount without one, by system. */
const DEFAULT_UNIT: Readonly<Record<MemorySystem, string>> = { slurm: 'M', sge: '', pbs: 'b', lsf: '', kubernetes: '' }

const SMALLER: Readonly<Record<string, string>> = { t: 'g', g: 'm', m: 'k' }

/**
 * Options of a batch system that ask for more memory.
 * @param options as users write them: `--partition=short --mem=4G`
 * @param factor above 1
 * @returns undefined if they ask for no memory, so that nothing can be multiplied
 */
export function withMoreMemory(system: MemorySystem, options: string, factor: number): string | undefined {
  let isFound = false
  const more = options.replace(AMOUNTS[system], (_, before: string, amount: string, unit: string) => {
    isFound = true
    return `${before}${multiplied(Number(amount), unit === '' ? DEFAULT_UNIT[system] : unit, factor)}`
  })
  return isFound ? more : undefined
}

/** A whole number: of a smaller unit if need be, rounded up. */
function multiplied(amount: number, unit: string, factor: number): string {
  const product = Number((amount * factor).toPrecision(12))
  if (Number.isInteger(product)) return `${product}${unit}`
  const letter = unit.charAt(0)
  const smaller = SMALLER[letter.toLowerCase()]
  if (smaller === undefined) return `${Math.ceil(product)}${unit}`
  const cased = letter === letter.toUpperCase() ? smaller.toUpperCase() : smaller
  return `${Math.ceil(product * 1024)}${cased}${unit.slice(1)}`
}

/** What options ask for, for users: `--mem=4G`; undefined if they ask for no memory. */
export function requestedMemory(system: MemorySystem, options: string): string | undefined {
  const [found] = options.match(AMOUNTS[system]) ?? []
  return found?.trim()
}
