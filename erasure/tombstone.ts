import type { SubjectHasher } from './subject-hash.ts'

/** How far an erasure has come: the column `version` of its row, which replaces the ones below it. */
export const STATES = ['waiting', 'collecting', 'masked', 'removed'] as const
export type ErasureState = typeof STATES[number]

/** What is to be erased: what this subject's streams accepted up to the cut-off. */
export interface Tombstone {
  id: string
  tenant: string
  subjectHash: string
  keyId: string
  streams: readonly string[]
  /** Epoch milliseconds: an event is erased if it arrived at or before. */
  cutoffMs: number
  /** Epoch milliseconds of ClickHouse's clock. */
  insertedAtMs: number
  state: ErasureState
  /** Erasures of one batch share their mutations; 0 where it has none yet. */
  batch: number
}

/**
 * For so long a reader may use what it knows of the tombstones; a request to erase is answered when it is
 * over, so that whoever reads after the answer knows of it.
 */
export const LEASE_MS = 1_000

/**
 * A tombstone counts for processors so long after it was inserted, by ClickHouse's clock: whoever has read
 * the table at that time has seen it, though an insert becomes visible a little later than its own time says.
 * So a batch that is redone decides as it did before, by the same instant.
 */
export const EFFECTIVE_AFTER_MS = 3_000

/** Whether a tombstone can still be of use where nothing is kept that arrived before `keptFromMs`. */
function isKept ({ state, cutoffMs }: Tombstone, keptFromMs: number): boolean {
  return state !== 'removed' || cutoffMs >= keptFromMs
}

/** What is known of the tombstones besides themselves. */
export interface TombstonesKept {
  /** Complete erasures with older cut-offs are forgotten. Default: none is. */
  keptFromMs?: number
  /** Newest cut-off among those that were not even read. */
  forgottenUntilMs?: number | undefined
}

/** All tombstones at one moment, but for those that are forgotten. Immutable. */
export class Tombstones {
  /** ClickHouse's clock when they were read. */
  readonly readAtMs: number
  /** Nothing is known of records that arrived until then; -Infinity where no tombstone is forgotten. */
  readonly forgottenUntilMs: number
  readonly #index: TombstoneIndex

  constructor (
    readAtMs: number, index: TombstoneIndex = indexOf(new Map()), forgottenUntilMs: number = -Infinity
  ) {
    this.readAtMs = readAtMs
    this.forgottenUntilMs = forgottenUntilMs
    this.#index = index
  }

  get size (): number {
    return this.#index.byId.size
  }

  /** The same with what was read later; each later one replaces the one of its id. */
  with (
    readAtMs: number,
    changed: readonly Tombstone[],
    { keptFromMs = -Infinity, forgottenUntilMs: unread = -Infinity }: TombstonesKept = {}
  ): Tombstones {
    const news = changed.filter((tombstone) => {
      const known = this.#index.byId.get(tombstone.id)
      if (known !== undefined) return STATES.indexOf(tombstone.state) > STATES.indexOf(known.state)
      return isKept(tombstone, keptFromMs) || tombstone.cutoffMs > this.forgottenUntilMs
    })
    const forgottenUntilMs = Math.max(this.forgottenUntilMs, unread)
    if (news.length === 0) return new Tombstones(readAtMs, this.#index, forgottenUntilMs)
    const byId = new Map(this.#index.byId)
    for (const tombstone of news) byId.set(tombstone.id, tombstone)
    const forgotten = [...byId.values()].filter((tombstone) => !isKept(tombstone, keptFromMs))
    for (const { id } of forgotten) byId.delete(id)
    const untilMs = forgotten.reduce((newest, { cutoffMs }) => Math.max(newest, cutoffMs), forgottenUntilMs)
    return new Tombstones(readAtMs, indexOf(byId), untilMs)
  }

  /** Those whose rows may still be in the tables, where reads must hide them. */
  hiding (tenant: string): Tombstone[] {
    const own = this.#index.byTenant.get(tenant) ?? []
    return own.filter(({ state }) => state === 'waiting' || state === 'collecting')
  }

  /** Changes with every erasure of a tenant, and is never again what it was before. */
  versionOf (tenant: string): string {
    return `${this.#index.byTenant.get(tenant)?.length ?? 0}-${this.forgottenUntilMs}`
  }

  /**
   * Is a record of the log erased, by the tombstones that were effective at `asOfMs` (ClickHouse's clock)?
   * The answer is the same whoever gives it, however much later: but nobody may ask beyond `readAtMs`, nor of
   * what arrived up to `forgottenUntilMs`.
   */
  erases (record: ErasableRecord, hasher: SubjectHasher, asOfMs: number): boolean {
    const { stream, key, timestampMs } = record
    if (timestampMs > this.#index.newestCutoffMs) return false
    const named = this.#index.byHash.get(hasher.hash(key())) ?? []
    return named.some(({ streams, cutoffMs, insertedAtMs }) => {
      const effective = insertedAtMs + EFFECTIVE_AFTER_MS <= asOfMs
      return effective && timestampMs <= cutoffMs && streams.includes(stream)
    })
  }
}

interface TombstoneIndex {
  byId: ReadonlyMap<string, Tombstone>
  byHash: ReadonlyMap<string, readonly Tombstone[]>
  byTenant: ReadonlyMap<string, readonly Tombstone[]>
  /** Nothing that arrived later is erased; -Infinity where there is no tombstone. */
  newestCutoffMs: number
}

function indexOf (byId: ReadonlyMap<string, Tombstone>): TombstoneIndex {
  const all = [...byId.values()]
  return {
    byId,
    byHash: Map.groupBy(all, ({ subjectHash }) => subjectHash),
    byTenant: Map.groupBy(all, ({ tenant }) => tenant),
    newestCutoffMs: all.reduce((newest, { cutoffMs }) => Math.max(newest, cutoffMs), -Infinity)
  }
}

export interface ErasableRecord {
  stream: string
  key: () => Buffer
  /** Epoch milliseconds of arrival. */
  timestampMs: number
}
