/**
 * The tables of erasure: `erasures`, whose rows are rewritten with a higher version, and `erasure_tables`.
 */
import { insertBatch } from '../clickhouse/index.ts'
import { toDateTime } from '../contract/index.ts'
import { STATES } from './tombstone.ts'
import type { ClickHouseClient } from '../clickhouse/index.ts'
import type { ErasureState, Tombstone } from './tombstone.ts'
import type { TombstonesRead } from './tombstone-lease.ts'

/** What is written of one table into a receipt. */
export interface ErasedTable {
  erasureId: string
  table: string
  rowsMasked: number
  rowsLeft: number
  maskedAtMs: number
  removedAtMs: number | undefined
}

interface ErasureRow {
  id: string
  tenant: string
  subject_hash: string
  key_id: string
  streams: string[]
  cutoff_ms: number | string
  inserted_ms: number | string
  batch: number | string
  version: number
}

type ErasureCells = [
  string, string, string, string, string[], number | string, number | string, number | string, number
]

interface ChangedRow {
  now_ms: number | string
  erasures: ErasureCells[]
  key_ids: string[]
  /** How many were left out, and the newest cut-off of these. */
  left_out: number | string
  forgotten_ms: number | string
}

export interface StoredTombstones extends TombstonesRead {
  /** The keys that they were made with, and those that were left out. */
  keyIds: string[]
}

const COLUMNS = `id, tenant, subject_hash, key_id, streams, batch, version,
  toUnixTimestamp64Milli(cutoff) AS cutoff_ms, toUnixTimestamp64Milli(inserted_at) AS inserted_ms`

export class ErasureStore {
  readonly #client: ClickHouseClient

  constructor (client: ClickHouseClient) {
    this.#client = client
  }

  /**
   * ClickHouse's clock, and the erasures that changed at `sinceMs` of it or later. Where `sinceMs` is 0 or
   * less, complete ones whose cut-off is more than `keepMs` ago are left out; later they are not, so that who
   * still knows one as incomplete is told.
   */
  async changedSince (sinceMs: number, keepMs: number): Promise<StoredTombstones> {
    const [row] = await this.rows<ChangedRow>(`
WITH
  toUnixTimestamp64Milli(now64(3)) AS now,
  {since_ms:Int64} > 0 OR version < {complete:UInt8} OR toUnixTimestamp64Milli(cutoff) >= now - {keep_ms:Int64}
    AS is_kept
SELECT now AS now_ms, groupArrayIf((
  id, tenant, subject_hash, key_id, streams, toUnixTimestamp64Milli(cutoff), toUnixTimestamp64Milli(inserted_at),
  batch, version), is_kept) AS erasures,
  groupUniqArray(key_id) AS key_ids,
  countIf(NOT is_kept) AS left_out, toUnixTimestamp64Milli(maxIf(cutoff, NOT is_kept)) AS forgotten_ms
FROM erasures FINAL
WHERE changed_at >= fromUnixTimestamp64Milli({since_ms:Int64})`, {
      since_ms: Math.max(0, sinceMs),
      keep_ms: Math.min(keepMs, Number.MAX_SAFE_INTEGER),
      complete: STATES.indexOf('removed')
    })
    const changed = (row?.erasures ?? []).map((cells) => {
      const [id, tenant, hash, keyId, streams, cutoffMs, insertedMs, batch, version] = cells
      const keyed = { id, tenant, subject_hash: hash, key_id: keyId, streams }
      return toTombstone({ ...keyed, cutoff_ms: cutoffMs, inserted_ms: insertedMs, batch, version })
    })
    const isAll = Number(row?.left_out ?? 0) === 0
    const read = { nowMs: Number(row?.now_ms ?? 0), changed, keyIds: row?.key_ids ?? [] }
    return isAll ? read : { ...read, forgottenUntilMs: Number(row?.forgotten_ms) }
  }

  /** Inserts a new erasure; ClickHouse's clock says when. */
  async insert ({ id, tenant, subjectHash, keyId, streams, cutoffMs }: NewErasure): Promise<void> {
    const cutoff = toDateTime(cutoffMs)
    const row = { id, tenant, subject_hash: subjectHash, key_id: keyId, streams, cutoff }
    await this.#insert('erasures', [{ ...row, batch: 0, version: 0 }], `${id}-0`)
  }

  /** Writes how far erasures of one batch have come. Repeating it changes nothing. */
  async advance (erasures: readonly Tombstone[], batch: number, state: ErasureState): Promise<void> {
    const version = STATES.indexOf(state)
    await this.#insert('erasures', erasures.map((erasure) => ({
      id: erasure.id,
      tenant: erasure.tenant,
      subject_hash: erasure.subjectHash,
      key_id: erasure.keyId,
      streams: erasure.streams,
      cutoff: toDateTime(erasure.cutoffMs),
      inserted_at: toDateTime(erasure.insertedAtMs),
      batch,
      version
    })), `${batch}-${version}-${erasures[0]?.id ?? ''}-${erasures.length}`)
  }

  /** Erasures that are not complete, oldest first. */
  async open (): Promise<Tombstone[]> {
    const rows = await this.rows<ErasureRow>(
      `SELECT ${COLUMNS} FROM erasures FINAL WHERE version < {end:UInt8} ORDER BY id`, { end: STATES.length - 1 })
    return rows.map(toTombstone)
  }

  async newestBatch (): Promise<number> {
    const [row] = await this.rows<{ newest: number | string }>('SELECT max(batch) AS newest FROM erasures')
    return Number(row?.newest ?? 0)
  }

  /** Erasures of a tenant that reads still have to hide. */
  async hidingCount (tenant: string): Promise<number> {
    const [row] = await this.rows<{ n: number | string }>(
      'SELECT count() AS n FROM erasures FINAL WHERE tenant = {tenant:String} AND version < {masked:UInt8}',
      { tenant, masked: STATES.indexOf('masked') })
    return Number(row?.n ?? 0)
  }

  /** A tenant's erasures, newest first, `before` an id where it is given. */
  async list (tenant: string, limit: number, before: string | undefined): Promise<Tombstone[]> {
    const rows = await this.rows<ErasureRow>(
      `SELECT ${COLUMNS} FROM erasures FINAL
       WHERE tenant = {tenant:String}${before === undefined ? '' : ' AND id < {before:String}'}
       ORDER BY id DESC LIMIT {limit:UInt32}`, { tenant, limit, ...(before === undefined ? {} : { before }) })
    return rows.map(toTombstone)
  }

  async find (tenant: string, id: string): Promise<Tombstone | undefined> {
    const rows = await this.rows<ErasureRow>(
      `SELECT ${COLUMNS} FROM erasures FINAL WHERE tenant = {tenant:String} AND id = {id:String}`, { tenant, id })
    return rows.map(toTombstone)[0]
  }

  async writeTables (tables: readonly ErasedTable[], batch: number, state: ErasureState): Promise<void> {
    const version = STATES.indexOf(state)
    await this.#insert('erasure_tables', tables.map((table) => ({
      erasure_id: table.erasureId,
      table: table.table,
      rows_masked: table.rowsMasked,
      rows_left: table.rowsLeft,
      masked_at: toDateTime(table.maskedAtMs),
      removed_at: table.removedAtMs === undefined ? null : toDateTime(table.removedAtMs),
      version
    })), `${batch}-${version}-${tables[0]?.erasureId ?? ''}-${tables.length}`)
  }

  /** The tables of erasures, in the order of their names. */
  async tablesOf (ids: readonly string[]): Promise<ErasedTable[]> {
    const rows = await this.rows<Record<'erasure_id' | 'table', string> &
      Record<'masked' | 'left' | 'masked_ms', number | string> & { removed_ms: number | string | null }>(`
SELECT erasure_id, table, rows_masked AS masked, rows_left AS left,
  toUnixTimestamp64Milli(masked_at) AS masked_ms, toUnixTimestamp64Milli(removed_at) AS removed_ms
FROM erasure_tables FINAL WHERE erasure_id IN {ids:Array(String)} ORDER BY erasure_id, table`, { ids })
    return rows.map((row) => ({
      erasureId: row.erasure_id,
      table: row.table,
      rowsMasked: Number(row.masked),
      rowsLeft: Number(row.left),
      maskedAtMs: Number(row.masked_ms),
      removedAtMs: row.removed_ms === null ? undefined : Number(row.removed_ms)
    }))
  }

  async rows<T> (query: string, params: Record<string, unknown> = {}): Promise<T[]> {
    const answer = await this.#client.query({
      query, query_params: params, use_multipart_params_auto: true, format: 'JSONEachRow'
    })
    return await answer.json<T>()
  }

  async #insert (table: string, rows: Array<Record<string, unknown>>, token: string): Promise<void> {
    await insertBatch({ client: this.#client, table, rows, token })
  }
}

/** An erasure as it is asked for. */
export type NewErasure = Pick<Tombstone, 'id' | 'tenant' | 'subjectHash' | 'keyId' | 'streams' | 'cutoffMs'>

function toTombstone (row: ErasureRow): Tombstone {
  return {
    id: row.id,
    tenant: row.tenant,
    subjectHash: row.subject_hash,
    keyId: row.key_id,
    streams: row.streams,
    cutoffMs: Number(row.cutoff_ms),
    insertedAtMs: Number(row.inserted_ms),
    batch: Number(row.batch),
    state: STATES[row.version] as ErasureState
  }
}
