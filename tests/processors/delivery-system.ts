/**
 * The delivery of one partition, by owners that stand still before and after each of their effects until they
 * are let on: so that any interleaving of them can be played, and each can die anywhere.
 */
import { createDecoder, streams } from '../../contract/index.ts'
import { NOTHING_ERASED, runPartitionWorker } from '../../processors/index.ts'
import { PartitionDouble, SinkDouble } from '../support/delivery-doubles.ts'
import { MemoryStoredIds } from '../support/memory-stored-ids.ts'
import type { Stream } from '../../contract/index.ts'
import type { PartitionSession } from '../../eventlog/index.ts'
import type { Sink, StoredId, StoredIds } from '../../processors/index.ts'
import type { UserTagRecords } from './user-tag-records.ts'

export const WINDOW_MS = 1_000
const REFUSED_PRICE = 13
const TABLES = { rows: 'user_tags', books: { deadLetters: 'dead_letters', batches: 'batches' } }
const stream = streams[0] as Stream

/** A step of the protocol, or something that a step rests on, which a test may leave out. */
export const OMISSIONS = [
  'announcing a batch', 'redoing the batch that was announced', 'inserting', 'naming inserts by a token',
  'committing a batch', 'fencing', 'looking ids up', 'looking below the batch only'
] as const
export type Omission = typeof OMISSIONS[number]

export interface OwnerLimits {
  rowsMax: number
  idsMax: number
}

export interface Appended {
  id: number
  receivedAtMs: number
  mayComeAgain: boolean
  flaw: 'none' | 'undecodable' | 'refused by storage'
}

type Effect = <T>(call: () => Promise<T>) => Promise<T>

/** A worker that does one effect at a time, when it is told to. */
export class Owner {
  ended = false
  #gate = Promise.withResolvers<void>()
  #arrived = Promise.withResolvers<void>()

  constructor (work: (effect: Effect) => Promise<void>) {
    const effect: Effect = async (call) => {
      await this.#stand()
      const result = await call()
      await this.#stand()
      return result
    }
    work(effect).then(() => this.#end(), (error: unknown) => this.#end(error))
  }

  /** Until the next place at which it stands still, or its end; rejects where a broken invariant ended it. */
  async step (failure?: Error): Promise<void> {
    await this.#arrived.promise
    if (this.ended) return
    this.#arrived = Promise.withResolvers()
    const gate = this.#gate
    this.#gate = Promise.withResolvers()
    if (failure === undefined) gate.resolve()
    else gate.reject(failure)
    await this.#arrived.promise
  }

  async runToEnd (): Promise<void> {
    while (!this.ended) await this.step()
  }

  async #stand (): Promise<void> {
    this.#arrived.resolve()
    await this.#gate.promise
  }

  #end (error?: unknown): void {
    this.ended = true
    if (error === undefined) this.#arrived.resolve()
    else this.#arrived.reject(error)
  }
}

export class DeliverySystem {
  readonly partition = new PartitionDouble()
  readonly sink = new SinkDouble()
  /** Those that live, oldest first; all but the newest are zombies. */
  readonly owners: Owner[] = []
  readonly #records: UserTagRecords
  readonly #without: Omission | undefined
  #inserts = 0

  constructor (records: UserTagRecords, without?: Omission) {
    this.#records = records
    this.#without = without
    this.sink.refuses = (row) => row['price'] === REFUSED_PRICE
  }

  append ({ id, receivedAtMs, mayComeAgain, flaw }: Appended): void {
    const value = this.#records.bytes({
      eventId: String(id),
      eventIdOrigin: mayComeAgain ? 'BODY' : 'SERVER',
      price: flaw === 'refused by storage' ? REFUSED_PRICE : 1
    })
    this.partition.append(flaw === 'undecodable' ? Buffer.from('junk') : value, receivedAtMs)
  }

  /** A new owner; whoever owned the partition before goes on as a zombie. */
  take (limits: OwnerLimits): Owner {
    const session = this.#session()
    const owner = new Owner((effect) => runPartitionWorker({
      session: {
        ...session,
        read: (options) => effect(() => session.read(options)),
        commit: (commit) => effect(() => session.commit(commit))
      },
      stream,
      decoder: createDecoder(stream),
      sink: { insert: (request) => effect(() => this.#sink().insert(request)) },
      tables: TABLES,
      storedIds: gated(this.#storedIds(), effect),
      erasures: NOTHING_ERASED,
      limits: { rowsMax: limits.rowsMax, bytesMax: 1_000_000, ageMsMax: 1 },
      duplicates: { windowMs: WINDOW_MS, idsMax: limits.idsMax },
      retryMsMax: 1,
      schemaWaitMs: 0,
      monotonicMs: () => 0,
      observer: { stored: () => {}, retrying: () => {}, missing: () => {} }
    }))
    this.owners.push(owner)
    return owner
  }

  /** Delivers what is left by one more owner; then every zombie does what it still can. */
  async finish (): Promise<void> {
    await this.take({ rowsMax: 3, idsMax: 2 }).runToEnd()
    for (const zombie of this.owners) await zombie.runToEnd()
  }

  offsets (table: 'user_tags' | 'dead_letters'): number[] {
    return this.sink.rows(table).map((row) => Number(row['_offset'] ?? row['offset']))
  }

  /** The ledger, in order of offsets. */
  get ledger (): Array<{ first: number, last: number, records: number, duplicates: number }> {
    const batches = this.sink.rows('batches').map((row) => ({
      first: Number(row['first_offset']),
      last: Number(row['last_offset']),
      records: Number(row['stored']) + Number(row['dead_lettered']) + Number(row['duplicates']),
      duplicates: Number(row['duplicates'])
    }))
    return batches.toSorted((a, b) => a.first - b.first)
  }

  #session (): PartitionSession {
    const session = this.partition.open()
    const { committed, commit } = session
    switch (this.#without) {
      case 'announcing a batch':
        return { ...session, commit: async (to) => { if (to.metadata === '') await commit(to) } }
      case 'committing a batch':
        return { ...session, commit: async (to) => { if (to.metadata !== '') await commit(to) } }
      case 'redoing the batch that was announced':
        return { ...session, committed: { ...committed, metadata: '' } }
      case 'fencing':
        return { ...session, commit: async (to) => { this.partition.committed = to } }
      default:
        return session
    }
  }

  #sink (): Sink {
    switch (this.#without) {
      case 'inserting':
        return { insert: async () => {} }
      case 'naming inserts by a token':
        return { insert: (request) => this.sink.insert({ ...request, token: String(this.#inserts++) }) }
      default:
        return this.sink
    }
  }

  #storedIds (): StoredIds {
    const inTable = new MemoryStoredIds({ rows: () => this.sink.rows('user_tags'), subject: 'cookie' })
    switch (this.#without) {
      case 'looking ids up':
        return new MemoryStoredIds({ rows: () => [], subject: 'cookie' })
      case 'looking below the batch only':
        return {
          newest: (range, limit) => inTable.newest({ ...range, below: Infinity }, limit),
          find: (range, wanted) => inTable.find({ ...range, below: Infinity }, wanted)
        }
      default:
        return inTable
    }
  }
}

function gated (storedIds: StoredIds, effect: Effect): StoredIds {
  return {
    newest: async function * (...options) {
      yield * await effect(async () => {
        const parts: Array<readonly StoredId[]> = []
        for await (const part of storedIds.newest(...options)) parts.push(part)
        return parts
      })
    },
    find: (...options) => effect(() => storedIds.find(...options))
  }
}
