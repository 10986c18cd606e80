import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createReadClient } from '../../clickhouse/index.ts'
import { MillraceError } from '../../contract/index.ts'
import { NOTHING_HIDDEN, clickHouseQueryClient } from '../../query-api/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse
beforeAll(async () => { clickHouse = await startTestClickHouse() })
afterAll(async () => { await clickHouse?.close() })

const query = (sql: string) => ({ name: 'test', sql, params: {} })
const never = new AbortController().signal

describe('the ClickHouse query client', () => {
  it('reports an unreachable server as storage_unavailable', async () => {
    const client = createReadClient({ ...clickHouse.config, url: 'http://127.0.0.1:1' })
    await expect(clickHouseQueryClient(client, NOTHING_HIDDEN).query(query('SELECT 1'), never))
      .rejects.toMatchObject({ code: 'storage_unavailable', retryable: true })
    await client.close()
  })

  it('reports a fault of ours as internal, and writes as refused', async () => {
    const client = clickHouseQueryClient(clickHouse.readClient, NOTHING_HIDDEN)
    for (const sql of ['SELECT nonsense', 'SELECT * FROM no_such_table', 'TRUNCATE TABLE user_tags']) {
      await expect(client.query(query(sql), never)).rejects.toMatchObject({ code: 'internal' })
    }
  })

  it('rejects with the reason of its signal', async () => {
    const reason = new MillraceError('storage_unavailable', 'No answer in time')
    const client = clickHouseQueryClient(clickHouse.readClient, NOTHING_HIDDEN)
    await expect(client.query(query('SELECT 1'), AbortSignal.abort(reason))).rejects.toBe(reason)
    const controller = new AbortController()
    const running = client.query(query('SELECT sleep(1)'), controller.signal)
    controller.abort(reason)
    await expect(running).rejects.toBe(reason)
  })
})
