/**
 * Patience with records that a newer release wrote. While a release is rolled out, an old processor may own a
 * partition with records that only a new one can read. It waits for a while, so that a new one can take the
 * partition over; what is still unknown then was written by nobody of ours, and is dead-lettered.
 */
import type { Decoded, Row } from '../contract/index.ts'

/** Schemas that are remembered: more than a batch has records, which may each make one up. */
const REMEMBERED_MAX = 100_000

/** Unknown schemas of one batch: they are announced, and Kafka limits what can be. */
const ANNOUNCED_MAX = 64

/** A record's schema is not known yet. */
export class UnknownSchemaError extends Error {
  readonly code = 'unknown_schema'
  readonly retryable = true
  override readonly name = 'UnknownSchemaError'
}

export class UnknownSchemas {
  readonly #waitMs: number
  readonly #monotonicMs: () => number
  readonly #metAtMs = new Map<string, number>()

  constructor ({ waitMs, monotonicMs }: { waitMs: number, monotonicMs: () => number }) {
    this.#waitMs = waitMs
    this.#monotonicMs = monotonicMs
  }

  /** Throws UnknownSchemaError until each unknown schema of a batch has been waited for: decode again. */
  waitFor (decoded: ReadonlyArray<Decoded<Row>>): void {
    const nowMs = this.#monotonicMs()
    const unknown = unknownIds(decoded)
    for (const id of unknown) if (!this.#metAtMs.has(id)) this.#remember(id, nowMs)
    const waitedFor = unknown.find((id) => nowMs - (this.#metAtMs.get(id) ?? nowMs) < this.#waitMs)
    if (waitedFor !== undefined) throw new UnknownSchemaError(`This release has no schema with ${waitedFor}`)
  }

  #remember (id: string, nowMs: number): void {
    this.#metAtMs.set(id, nowMs)
    const [oldest] = this.#metAtMs.keys()
    if (this.#metAtMs.size > REMEMBERED_MAX && oldest !== undefined) this.#metAtMs.delete(oldest)
  }
}

/**
 * Throws UnknownSchemaError where a schema is unknown that was not announced so: a release that knew it began
 * the batch and may have stored its record, so that only one that knows it can go on.
 */
export function assertKnown (decoded: ReadonlyArray<Decoded<Row>>, announced: readonly string[]): void {
  const unknown = unknownIds(decoded).find((id) => !announced.includes(id))
  if (unknown === undefined) return
  throw new UnknownSchemaError(`A newer release began this batch, and this one has no schema with ${unknown}`)
}

/** How many records from the first on can be announced together, and the unknown schemas among them. */
export function takeUnknown (decoded: ReadonlyArray<Decoded<Row>>): { records: number, schemaIds: string[] } {
  const schemaIds = new Set<string>()
  for (const [index, result] of decoded.entries()) {
    if (result.ok || result.schemaId === undefined || schemaIds.has(result.schemaId)) continue
    if (schemaIds.size === ANNOUNCED_MAX) return { records: index, schemaIds: [...schemaIds] }
    schemaIds.add(result.schemaId)
  }
  return { records: decoded.length, schemaIds: [...schemaIds] }
}

function unknownIds (decoded: ReadonlyArray<Decoded<Row>>): string[] {
  return [...new Set(decoded.flatMap((result) => {
    return result.ok || result.schemaId === undefined ? [] : [result.schemaId]
  }))]
}
