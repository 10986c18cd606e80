/** What results are written with. No figure is rounded in our favour. */
import { isMet } from './targets.ts'
import type { Machine, Revision } from './machine.ts'
import type { Target } from './targets.ts'

/** What is left of what ran a minute ago. */
const LOAD_PER_CORE_QUIET = 0.5

/** Where and when something was measured. */
export interface Circumstances {
  /** RFC 3339, of the start. */
  startedAt: string
  machine: Machine
  revision: Revision
  /** Runnable processes per core before the start: above a few tenths, others used the machine too. */
  loadPerCoreBefore: number
}

export function circumstances ({ startedAt, machine, revision, loadPerCoreBefore }: Circumstances): string[] {
  return [
    `CPU ${machine.cpuModel}, ${machine.cores} cores; memory ${up(machine.memoryBytes / 1e9, 1)} GB; ${machine.kernel}; ` +
      `Node ${machine.node}; data on ${machine.fileSystem}.`,
    `Load average per core before the start: ${up(loadPerCoreBefore, 2)}.` + (loadPerCoreBefore > LOAD_PER_CORE_QUIET
      ? ' Others used the machine too: a quiet one gives better figures.'
      : ''),
    `Started ${startedAt}; commit ${revision.commit}${revision.changed ? ', with changes that were not committed' : ''}.`
  ]
}

/** How many targets were missed. */
export function verdict (targets: readonly Target[]): string {
  const missed = targets.filter((target) => !isMet(target)).length
  return missed === 0 ? 'All targets met' : `${missed} of ${targets.length} targets missed`
}

export function targetTable (targets: readonly Target[]): string {
  return table(['Figure', 'Measured', 'Target', ''], targets.map(targetRow))
}

export function settingTable (settings: object): string {
  return table(['Setting', 'Value'], Object.entries(settings).map(([name, value]) => [name, String(value)]))
}

function targetRow (target: Target): string[] {
  const { name, unit, value, comparison, bound } = target
  const digits = unit !== '' ? 1 : Number.isInteger(bound) ? 0 : 3
  const shown = comparison === '<' ? up(value, digits) : down(value, digits)
  const withUnit = (text: string) => unit === '' ? text : `${text} ${unit}`
  return [name, Number.isNaN(value) ? shown : withUnit(shown), withUnit(`${comparison} ${bound}`), isMet(target) ? 'met' : '**missed**']
}

export function megabytes (bytes: number): string {
  return `${up(bytes / 1e6, 0)} MB`
}

/** Rounded up: for figures that should be small. */
export function up (value: number, digits: number): string {
  return rounded(Math.ceil(value * 10 ** digits) / 10 ** digits, digits)
}

/** Rounded down: for figures that should be large. */
export function down (value: number, digits: number): string {
  return rounded(Math.floor(value * 10 ** digits) / 10 ** digits, digits)
}

function rounded (value: number, digits: number): string {
  return Number.isNaN(value) ? 'not measured' : value.toFixed(digits)
}

export function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

export function list (items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n')
}
