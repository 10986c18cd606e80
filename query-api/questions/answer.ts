import type { AnswerColumn, Plan } from './plan-question.ts'
import type { TableAnswer } from './question-client.ts'

/** A 64-bit integer beyond what a JSON number keeps exactly is its decimal text. */
export type Cell = string | number | boolean | null

export interface AnswerMeta {
  source: Plan['source']
  reason: string
  /** RFC 3339: every event accepted before this instant is in the answer; null where that is not known. */
  complete_up_to: string | null
  elapsed_ms: number
  /** Absent from Arrow answers: the engine writes them, and says only there what it read. */
  rows_read?: number
  bytes_read?: number
  truncated?: boolean
}

export interface Answer extends AnswerMeta {
  stream: string
  columns: readonly AnswerColumn[]
  rows: Cell[][]
}

/** The answer's rows in JSON's types, without the one that only shows that there are more. */
export function toCells (
  { columns, limit }: Plan, { rows }: TableAnswer
): { rows: Cell[][], truncated: boolean } {
  const kept = rows.slice(0, limit).map((row) => columns.map(({ type }, index) => toCell(type, row[index])))
  return { rows: kept, truncated: rows.length > limit }
}

function toCell (type: AnswerColumn['type'], value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (type === 'integer') return toInteger(String(value))
  if (type === 'number') return Number(value)
  return value as Cell
}

function toInteger (text: string): number | string {
  const number = Number(text)
  return Number.isSafeInteger(number) ? number : text
}

/** RFC 4180, with the columns' names in the first line; null is an empty field, "" an empty text. */
export function toCsv ({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): string {
  const lines = [columns.map(({ name }) => name), ...rows.map((row) => row.map(toCsvField))]
  return lines.map((fields) => `${fields.join(',')}\r\n`).join('')
}

function toCsvField (cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return String(cell)
  return cell === '' || /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}

/** One JSON object a line. */
export function toNdjson ({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): string {
  return rows.map((row) => {
    return `${JSON.stringify(Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])))}\n`
  }).join('')
}
