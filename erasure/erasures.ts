import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError, recordKey } from '../contract/index.ts'
import { STREAM_NAMES, checkErasureRequest } from './erasure-request.ts'
import { LEASE_MS } from './tombstone.ts'
import { toReceipt } from './receipt.ts'
import type { ErasedTable, ErasureStore } from './erasure-store.ts'
import type { Receipt } from './receipt.ts'
import type { SubjectHasher } from './subject-hash.ts'
import type { Tombstone } from './tombstone.ts'

/** Erasures of one tenant that reads may have to hide at once: each makes their queries longer. */
export const HIDING_MAX = 500
/** The clocks of two processes need not run equally fast. */
const LEASE_MARGIN_MS = 50

export interface ErasuresOptions {
  store: ErasureStore
  /** Undefined where the system has no key: nothing can be erased. */
  hasher: SubjectHasher | undefined
  /** How long the log keeps a record. */
  logRetentionMs: number
  /** Epoch milliseconds. */
  now: () => number
  /** Time-ordered ids. */
  newId: () => string
  /** Called when an erasure was written: there is work. */
  onCreated: () => void
}

export interface ErasureRequest {
  tenant: string
  subject: string
  /** All of them by default. */
  streams?: readonly string[] | undefined
}

/** What one can ask of erasure, for routes and commands alike. */
export class Erasures {
  readonly #options: ErasuresOptions

  constructor (options: ErasuresOptions) {
    this.#options = options
  }

  /**
   * Erases what the streams have accepted of a subject until now. Resolves when every read that begins later
   * hides it. Throws MillraceError for a subject or stream that there cannot be, `erasure_not_configured`,
   * `overloaded` (nothing was erased), and `storage_unavailable`: the erasure may or may not have been
   * stored, asking again is harmless.
   */
  async create ({ tenant, subject, streams = STREAM_NAMES }: ErasureRequest): Promise<Receipt> {
    const { store, hasher, now, newId, onCreated } = this.#options
    checkErasureRequest({ subject, streams })
    if (hasher === undefined) throw new MillraceError('erasure_not_configured', 'There is no ERASURE_KEY')
    const cutoffMs = now()
    if (await answered(store.hidingCount(tenant)) >= HIDING_MAX) {
      throw new MillraceError('overloaded', `${HIDING_MAX} erasures are waiting`)
    }
    const subjectHash = hasher.hash(recordKey(tenant, subject))
    const erasure = { id: newId(), tenant, subjectHash, keyId: hasher.keyId, streams: [...streams], cutoffMs }
    await answered(store.insert(erasure))
    onCreated()
    // Until here somebody may read by what they knew before.
    await sleep(LEASE_MS + LEASE_MARGIN_MS)
    return this.#receipt({ ...erasure, state: 'waiting', insertedAtMs: cutoffMs, batch: 0 }, [])
  }

  /** Newest first; at most `limit`, those before the erasure `before` where it is given. */
  async list (tenant: string, limit: number, before?: string): Promise<Receipt[]> {
    const { store } = this.#options
    const erasures = await answered(store.list(tenant, limit, before))
    const written = await answered(store.tablesOf(erasures.map(({ id }) => id)))
    const tables = Map.groupBy(written, ({ erasureId }) => erasureId)
    return erasures.map((erasure) => this.#receipt(erasure, tables.get(erasure.id) ?? []))
  }

  /** Throws MillraceError `erasure_not_found` where the tenant has none of this id. */
  async show (tenant: string, id: string): Promise<Receipt> {
    const { store } = this.#options
    const erasure = await answered(store.find(tenant, id))
    if (erasure === undefined) throw new MillraceError('erasure_not_found', 'There is no such erasure')
    return this.#receipt(erasure, await answered(store.tablesOf([id])))
  }

  #receipt (erasure: Tombstone, tables: readonly ErasedTable[]): Receipt {
    return toReceipt(erasure, tables, this.#options.logRetentionMs)
  }
}

/** What the database did not do it may do later: the caller may ask again. */
async function answered<T> (work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    throw new MillraceError('storage_unavailable', 'The erasures cannot be reached', { cause })
  }
}
