import { MillraceError, formatTime } from '../../contract/index.ts'
import { SharedRead } from '../read-sharing.ts'
import { RowBound } from './row-bound.ts'
import { toCells } from './answer.ts'
import { planQuestion } from './plan-question.ts'
import type { AnswerMeta, Cell } from './answer.ts'
import type { AnswerFormat } from './media-type.ts'
import type { AnswerColumn, Plan } from './plan-question.ts'
import type { Question } from './question.ts'
import type { QuestionClient } from './question-client.ts'
import type { Watermark } from './watermark.ts'

export interface QuestionLimits {
  /** Rows that a question may read, by the engine's own estimate. */
  rowsReadMax: number
  /** Questions in flight, and those that may wait behind them. */
  inFlightMax: number
  queueMax: number
  /** Longest run of one query; a question waits and is estimated beside that. */
  secondsMax: number
}

/** One question of one tenant. Equal ones that wait share an answer. */
export interface Ask {
  tenant: string
  question: Question
  /** Canonical text of the question. */
  key: string
  format: AnswerFormat
}

export interface Asked {
  meta: AnswerMeta
  columns: readonly AnswerColumn[]
  /** Rows, or the bytes of an Arrow answer. */
  body: Cell[][] | Buffer
}

export interface AskOptions {
  client: QuestionClient
  watermark: Watermark
  limits: QuestionLimits
  onBatch: (size: number) => void
}

interface AnswerOptions extends AskOptions {
  rowBound: RowBound
}

/** Milliseconds for the queue and the estimate. */
const WAIT_MS = 5_000

/**
 * Answers questions, a few at a time. `read` rejects with MillraceError: `query_too_expensive`,
 * `query_too_large`, `query_timeout`, `overloaded`, `storage_unavailable`, `shutting_down`, `internal`.
 */
export function questionReader (options: AskOptions): SharedRead<Ask, Asked> {
  const { client, limits, onBatch } = options
  const rowBound = new RowBound({ client })
  return new SharedRead({
    limits: {
      batchSizeMax: 1,
      batchBytesMax: 1,
      queueMax: limits.queueMax,
      startIntervalMs: 0,
      inFlightMax: limits.inFlightMax,
      timeoutMs: limits.secondsMax * 1000 + WAIT_MS
    },
    onBatch,
    keyOf: ({ tenant, key, format }) => JSON.stringify([tenant, key, format]),
    groupOf: ({ tenant }) => tenant,
    subjectOf: () => '',
    bytesOf: () => 0,
    readMany: (asks, signal) => Promise.all(asks.map((ask) => answer(ask, { ...options, rowBound }, signal)))
  })
}

async function answer (
  { tenant, question, format }: Ask, options: AnswerOptions, signal: AbortSignal
): Promise<Asked> {
  const { client, watermark } = options
  const startedAt = performance.now()
  const plan = planQuestion(question, tenant)
  await refuseExpensive(plan, options, signal)
  // Asked before the rows are read, so that it never claims what they lack.
  const { completeUpToMs } = await watermark.stateOf(question.stream.name)
  const meta = (): AnswerMeta => ({
    source: plan.source,
    reason: plan.reason,
    complete_up_to: completeUpToMs === undefined ? null : formatTime(completeUpToMs),
    elapsed_ms: Math.round(performance.now() - startedAt)
  })
  if (format === 'arrow_file' || format === 'arrow_stream') {
    const query = { sql: plan.sql, params: { ...plan.params, row_limit: plan.limit } }
    const body = await client.arrow(query, format === 'arrow_file' ? 'Arrow' : 'ArrowStream', signal)
    return { meta: meta(), columns: plan.columns, body }
  }
  const table = await client.table(plan, signal)
  const { rows, truncated } = toCells(plan, table)
  const read = { rows_read: table.rowsRead, bytes_read: table.bytesRead, truncated }
  return { meta: { ...meta(), ...read }, columns: plan.columns, body: rows }
}

async function refuseExpensive (
  plan: Plan, { client, limits: { rowsReadMax }, rowBound }: AnswerOptions, signal: AbortSignal
): Promise<void> {
  if (await rowBound.holds(plan.table, rowsReadMax / plan.scans, signal)) return
  const rows = plan.scans * await client.estimateRows({ sql: plan.scanSql, params: plan.params }, signal)
  if (rows <= rowsReadMax) return
  throw new MillraceError('query_too_expensive',
    `About ${rows} rows would be read, at most ${rowsReadMax} may be. Ask for a shorter range` +
    (plan.source === 'rollup' ? '' : `, or for what the rollup can answer (now: ${plan.reason})`))
}
