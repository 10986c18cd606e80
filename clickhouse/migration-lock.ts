import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { clickHouseCode } from './faults.ts'
import { MigrationError } from './migration-files.ts'
import { onCluster } from './migration-template.ts'
import { quoteString } from './sql-tokens.ts'
import type { ClickHouseClient } from './client.ts'
import type { TemplateConfig } from './migration-template.ts'

/** How often the owner of the lock renews it, and how long after the last renewal others take it over. */
export interface LockTiming {
  heartbeatMs: number
  staleAfterMs: number
  pollMs: number
}

export const LOCK_TIMING: LockTiming = { heartbeatMs: 5_000, staleAfterMs: 30_000, pollMs: 250 }

const TABLE_ALREADY_EXISTS = 57
const UNKNOWN_TABLE = 60

/** Holds the migration lock of a database while `work` runs. */
export function withMigrationLock<T> (
  options: Omit<LockOptions, 'name'>, work: (assertHeld: () => Promise<void>) => Promise<T>
): Promise<T> {
  return withTableLock({ ...options, name: 'schema_migrations_lock' }, work)
}

/**
 * Holds the lock of this name in a database while `work` runs, so that of several runners one works and the
 * others wait. The lock is a table, because creating one is atomic (and, ON CLUSTER, goes through one queue):
 * error 57 says that another runner was first. Its comment names the owner and the last heartbeat, by the
 * server's clock. A lock whose owner was killed is taken over once its heartbeat is `staleAfterMs` old, by
 * renaming it to a name made of its owner: of several that try, one succeeds.
 *
 * `assertHeld` throws MigrationError `lock_lost` once another runner has taken over; call it before each
 * step.
 */
export async function withTableLock<T> (
  { client, config, name, timing = LOCK_TIMING, signal }: LockOptions,
  work: (assertHeld: () => Promise<void>) => Promise<T>
): Promise<T> {
  const lock = new TableLock(client, config, name, timing)
  await lock.acquire(signal)
  const stop = new AbortController()
  const heartbeat = lock.beat(stop.signal)
  try {
    return await work(() => lock.assertHeld())
  } finally {
    stop.abort()
    await heartbeat
    await lock.release()
  }
}

export interface LockOptions {
  client: ClickHouseClient
  config: Pick<TemplateConfig, 'database' | 'cluster'>
  /** Name of the table that is the lock. */
  name: string
  timing?: LockTiming | undefined
  /** Ends the wait for the lock. */
  signal?: AbortSignal
}

class TableLock {
  private readonly owner = randomUUID()
  private readonly client: ClickHouseClient
  private readonly config: LockOptions['config']
  private readonly name: string
  private readonly timing: LockTiming

  constructor (client: ClickHouseClient, config: LockOptions['config'], name: string, timing: LockTiming) {
    this.client = client
    this.config = config
    this.name = name
    this.timing = timing
  }

  async acquire (signal?: AbortSignal): Promise<void> {
    while (!await this.tryCreate()) {
      signal?.throwIfAborted()
      const { owner, ageMs } = await this.read()
      if (owner !== undefined && ageMs > this.timing.staleAfterMs) await this.takeAway(owner)
      else await sleep(this.timing.pollMs)
    }
  }

  /** Renews the lock until `signal` aborts; a failed renewal is tried again, assertHeld sees a lost lock. */
  async beat (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.timing.heartbeatMs, undefined, { signal }).catch(() => undefined)
      if (!signal.aborted) await this.renew().catch(() => undefined)
    }
  }

  async assertHeld (): Promise<void> {
    if ((await this.read()).owner !== this.owner) {
      throw new MigrationError('lock_lost', `Another runner took ${this.name} over`)
    }
  }

  async release (): Promise<void> {
    if ((await this.read()).owner === this.owner) await this.ddl(`DROP TABLE ${this.table}`, 'SYNC')
  }

  private get table (): string {
    return `${this.config.database}.${this.name}`
  }

  private async tryCreate (): Promise<boolean> {
    try {
      await this.ddl(`CREATE TABLE ${this.table}`,
        `(nothing UInt8) ENGINE = Memory COMMENT ${await this.comment()}`)
      return true
    } catch (error) {
      if (clickHouseCode(error) === TABLE_ALREADY_EXISTS) return false
      throw error
    }
  }

  private async renew (): Promise<void> {
    if ((await this.read()).owner !== this.owner) return
    await this.ddl(`ALTER TABLE ${this.table}`, `MODIFY COMMENT ${await this.comment()}`)
  }

  private async takeAway (owner: string): Promise<void> {
    const abandoned = `${this.table}_${owner.replaceAll('-', '')}`
    try {
      await this.client.command({ query: `RENAME TABLE ${this.table} TO ${abandoned} ${onCluster(this.config)}` })
    } catch (error) {
      const code = clickHouseCode(error)
      if (code !== TABLE_ALREADY_EXISTS && code !== UNKNOWN_TABLE) throw error
    }
  }

  private async read (): Promise<{ owner: string | undefined, ageMs: number }> {
    const result = await this.client.query({
      query: `SELECT comment, toUnixTimestamp64Milli(now64(3)) AS now FROM system.tables
        WHERE database = {database:String} AND name = {name:String}`,
      query_params: { database: this.config.database, name: this.name },
      format: 'JSONEachRow'
    })
    const [row] = await result.json<{ comment: string, now: string }>()
    if (row === undefined) return { owner: undefined, ageMs: 0 }
    const [owner, beatAt] = row.comment.split(' ')
    return { owner, ageMs: Number(row.now) - Number(beatAt) }
  }

  /** Owner and the server's time: runners' clocks need not agree. */
  private async comment (): Promise<string> {
    const result = await this.client.query({
      query: 'SELECT toUnixTimestamp64Milli(now64(3)) AS now', format: 'JSONEachRow'
    })
    const [row] = await result.json<{ now: string }>()
    return quoteString(`${this.owner} ${row?.now ?? 0}`)
  }

  private async ddl (head: string, tail: string): Promise<void> {
    await this.client.command({ query: `${head} ${onCluster(this.config)} ${tail}` })
  }
}
