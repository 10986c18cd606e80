/** What the read-only user can and cannot do, on the embedded server or a real one (CLICKHOUSE_URL). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readerStatements } from '../../clickhouse/index.ts'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  await clickHouse.writeClient.command({ query: 'CREATE TABLE numbered (id UInt64, text String) ENGINE = MergeTree ORDER BY id' })
})
afterAll(() => clickHouse.close())

async function read (query: string, settings: Record<string, string> = {}): Promise<unknown> {
  const result = await clickHouse.readClient.query({ query, format: 'JSONEachRow', clickhouse_settings: settings })
  return result.json()
}

test.each([
  "INSERT INTO numbered VALUES (1, 'x')", 'DROP TABLE numbered', 'TRUNCATE TABLE numbered', 'CREATE TABLE made (id UInt8) ENGINE = Memory',
  'ALTER TABLE numbered DELETE WHERE 1', 'OPTIMIZE TABLE numbered'
])('the reader cannot run %s', async (query) => {
  await expect(read(query)).rejects.toMatchObject({ code: expect.stringMatching(/^(164|497)$/) })
})

test.each([
  "SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
  "SELECT * FROM remote('127.0.0.1:1', 'system.one')", "SELECT file('/etc/passwd')", "SELECT `file`('/etc/passwd')", "SELECT file -- comment\n ('/etc/passwd')",
  "SELECT 1 INTO OUTFILE '/tmp/millrace-outfile'"
])('the reader cannot leave the database by %s', async (query) => {
  await expect(read(query)).rejects.toMatchObject({ code: expect.stringMatching(/^\d+$/) })
})

test('the reader is held to its time, memory and result, whatever it asks for', async () => {
  const unlimited = { max_execution_time: '1', max_memory_usage: '0', max_result_rows: '0' }
  await expect(read('SELECT sum(sipHash64(number)) FROM numbers(100000000000)', unlimited)).rejects.toMatchObject({ code: '159' })
  await expect(read('SELECT length(groupArray(number)) FROM numbers(1000000000)', {})).rejects.toMatchObject({ code: '241' })
  await expect(read('SELECT number FROM numbers(1000000)', { max_result_rows: '1000000000' })).rejects.toMatchObject({ code: '396' })
})

test('the reader cannot switch readonly off', async () => {
  await expect(read('SELECT 1', { readonly: '0' })).rejects.toMatchObject({ code: '164' })
  await expect(read('SELECT 1 SETTINGS readonly = 0')).rejects.toMatchObject({ code: '164' })
})

test.each([undefined, 'main'])('the statements that create the reader are valid SQL, on cluster %s', async (cluster) => {
  const readPassword = "it's \\ secret"
  const statements = readerStatements({ ...clickHouse.config, cluster, readPassword })
  for (const statement of statements) {
    const result = await clickHouse.writeClient.query({
      query: 'SELECT formatQuerySingleLine({statement:String}) AS sql', query_params: { statement }, format: 'JSONEachRow'
    })
    const [row] = await result.json<{ sql: string }>()
    expect(row?.sql).toMatch(/^(CREATE USER|GRANT)/)
  }
})
