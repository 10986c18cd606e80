/** The ledger at the end of a run, recounted with SQL of its own against the offsets of the log. */
import { check } from './count.ts'
import type { Check } from './count.ts'
import type { Rows } from '../clickhouse-sql.ts'

/** Of one partition: the first offset that there is, and the one that the next record will get. */
export interface PartitionEnds {
  partition: number
  begin: number
  end: number
}

export interface Books {
  /** Offsets in the log. */
  records: number
  /** Batches in the ledger. */
  batches: number
  stored: number
  deadLettered: number
  duplicates: number
  erased: number
  checks: Check[]
}

type BatchRow = [
  partition: number, first: number, last: number,
  stored: number, dead: number, duplicates: number, erased: number
]

/** Records of the log that the ledger does not account for yet. */
export async function unaccounted (
  sql: Rows, stream: string, ends: readonly PartitionEnds[]
): Promise<number> {
  const [row] = await sql.rows<[number]>(
    `SELECT sum(last_offset - first_offset + 1) FROM batches WHERE stream = '${stream}'`)
  return recordsIn(ends) - (row?.[0] ?? 0)
}

export async function readBooks (
  sql: Rows, stream: string, ends: readonly PartitionEnds[]
): Promise<Books> {
  const rows = await sql.rows<BatchRow>(
    `SELECT partition, first_offset, last_offset, stored, dead_lettered, duplicates, erased FROM batches
     WHERE stream = '${stream}' ORDER BY partition, first_offset`)
  const [raw] = await sql.rows<[number]>(`SELECT count() FROM ${stream}`)
  const [letters] = await sql.rows<[number]>(`SELECT count() FROM dead_letters WHERE stream = '${stream}'`)
  const total = (column: number): number => rows.reduce((sum, row) => sum + (row[column] as number), 0)
  const [stored, deadLettered, duplicates, erased] = [total(3), total(4), total(5), total(6)] as
    [number, number, number, number]
  const records = recordsIn(ends)
  return {
    records,
    batches: rows.length,
    stored,
    deadLettered,
    duplicates,
    erased,
    checks: [
      check(`${stream}: the ledger has every offset of the log once`, breaksOf(rows, ends)),
      check(`${stream}: what each batch became adds up to its records`, rows.filter(isUnbalanced).map(String)),
      balance(`${stream}: accepted - stored - dead-lettered - duplicates - erased`,
        records - stored - deadLettered - duplicates - erased),
      balance(`${stream}: rows in the table - stored`, (raw?.[0] ?? 0) - stored),
      balance(`${stream}: dead letters in the table - dead-lettered`, (letters?.[0] ?? 0) - deadLettered),
      balance(`${stream}: dead letters, of which there should be none`, deadLettered)
    ]
  }
}

function recordsIn (ends: readonly PartitionEnds[]): number {
  return ends.reduce((sum, { begin, end }) => sum + end - begin, 0)
}

/** Where the batches of a partition do not follow each other from its begin to its end. */
function breaksOf (rows: readonly BatchRow[], ends: readonly PartitionEnds[]): string[] {
  return ends.flatMap(({ partition, begin, end }) => {
    let next = begin
    const breaks: string[] = []
    for (const [, first, last] of rows.filter(([of]) => of === partition)) {
      if (first !== next) breaks.push(`${partition}: ${next} is followed by ${first}`)
      next = last + 1
    }
    if (next !== end) breaks.push(`${partition}: ends at ${next}, the log at ${end}`)
    return breaks
  })
}

function isUnbalanced ([, first, last, stored, dead, duplicates, erased]: BatchRow): boolean {
  return last - first + 1 !== stored + dead + duplicates + erased
}

/** A difference that must be 0. */
function balance (name: string, difference: number): Check {
  return { name: `${name} is 0`, mismatches: Math.abs(difference), examples: difference === 0 ? [] : [String(difference)] }
}
