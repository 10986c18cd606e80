/**
 * What a processor commits as metadata before it inserts: the batch that starts at the committed offset and
 * has been begun. Whoever owns the partition next reads it and redoes exactly that batch.
 */
export interface PendingBatch {
  /** Offset after the last record of the batch. */
  end: number
  /**
   * Duplicates are looked for within so many milliseconds: a setting, which may be another one at the redo.
   * Absent, as before duplicates were looked for: 0, not at all.
   */
  windowMs: number
  /** Erasures that were effective at this instant apply. Absent, as before there were any: 0, none. */
  erasedAsOfMs: number
  /**
   * Why ClickHouse refuses the one record of this batch; it goes to the dead letters. Kept here so that a
   * redo decides the same, even if ClickHouse would take the record by then.
   */
  refusal?: string
  /** Schemas that are not known, whoever redoes the batch: their records go to the dead letters. */
  unknownSchemas: readonly string[]
}

/** Part of a refusal that is kept: Kafka limits metadata to 4,096 bytes. */
const REFUSAL_LENGTH_MAX = 200

/** The metadata of a partition whose last batch is complete. */
export const NOTHING_PENDING = ''

export function formatPending (pending: PendingBatch): string {
  const { end, windowMs, erasedAsOfMs, refusal, unknownSchemas } = pending
  return JSON.stringify({
    end,
    windowMs,
    erasedAsOfMs,
    refusal: refusal?.slice(0, REFUSAL_LENGTH_MAX),
    unknownSchemas: unknownSchemas.length === 0 ? undefined : unknownSchemas
  })
}

/**
 * The batch that committed metadata speaks of, or undefined where none is pending. Throws where the metadata
 * is not ours: guessing could store a batch twice.
 */
export function parsePending (metadata: string): PendingBatch | undefined {
  if (metadata === NOTHING_PENDING) return undefined
  const { end, windowMs = 0, erasedAsOfMs = 0, refusal, unknownSchemas = [] } =
    JSON.parse(metadata) as Partial<PendingBatch>
  if (!isInteger(end) || !isInteger(windowMs) || !isInteger(erasedAsOfMs)) {
    throw new Error(`Committed metadata is not ours: ${metadata}`)
  }
  return { end, windowMs, erasedAsOfMs, unknownSchemas, ...(refusal === undefined ? {} : { refusal }) }
}

function isInteger (value: unknown): value is number {
  return Number.isSafeInteger(value)
}
