/**
 * Patience with records that a newer release wrote. While a release is rolled out, an old processor may own a
 * partition with records that only a new one can read. It waits for a while, so that a new one can take the
 * partition over; what is still unknown then was written by nobody of ours, and is dead-lettered.
 */
import type { Decoded, Row } from '../contract/index.ts'

/** Schemas that are remembered; a foreign writer may make up any number of them. */
const REMEMBERED_MAX = 1_000

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

  /**
   * The unknown schemas of a batch, in the order of their first records, when each has been waited for.
   * Throws UnknownSchemaError until then: decode again.
   */
  givenUp (decoded: ReadonlyArray<Decoded<Row>>, announced: readonly string[]): string[] {
    const met = new Set(decoded.flatMap((result) => {
      return result.ok || result.schemaId === undefined ? [] : [result.schemaId]
    }))
    const unknown = [...met].filter((id) => !announced.includes(id))
    const nowMs = this.#monotonicMs()
    for (const id of unknown) if (!this.#metAtMs.has(id)) this.#remember(id, nowMs)
    const waitedFor = unknown.find((id) => nowMs - (this.#metAtMs.get(id) ?? nowMs) < this.#waitMs)
    if (waitedFor !== undefined) throw new UnknownSchemaError(`This release has no schema with ${waitedFor}`)
    return unknown
  }

  #remember (id: string, nowMs: number): void {
    this.#metAtMs.set(id, nowMs)
    const [oldest] = this.#metAtMs.keys()
    if (this.#metAtMs.size > REMEMBERED_MAX && oldest !== undefined) this.#metAtMs.delete(oldest)
  }
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
