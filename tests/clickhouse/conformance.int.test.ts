/**
 * The official client against the ClickHouse HTTP interface: the embedded server, or a real one where
 * CLICKHOUSE_URL is set. Whatever passes here behaves the same on both.
 */
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { createClient } from '@clickhouse/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestClickHouse } from '../support/clickhouse.ts'
import type { TestClickHouse } from '../support/clickhouse.ts'

let clickHouse: TestClickHouse

beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  await command('CREATE TABLE numbered (id UInt64, text String) ENGINE = MergeTree ORDER BY id')
})
afterAll(() => clickHouse.close())

async function command (query: string): Promise<void> {
  await clickHouse.writeClient.command({ query })
}

type Row = Record<string, unknown>

async function rows<T = Row> (query: string, params: Row = {}): Promise<T[]> {
  const result = await clickHouse.readClient.query({ query, query_params: params, format: 'JSONEachRow' })
  return result.json<T>()
}

function fetchRaw (path: string, init: RequestInit = {}): Promise<Response> {
  const { user, password, database } = clickHouse.config
  return fetch(clickHouse.url + path, {
    ...init,
    headers: {
      'X-ClickHouse-User': user, 'X-ClickHouse-Key': password, 'X-ClickHouse-Database': database, ...init.headers
    }
  })
}

describe('requests', () => {
  test('ping succeeds, as a path and as a SELECT', async () => {
    expect(await clickHouse.writeClient.ping()).toMatchObject({ success: true })
    expect(await clickHouse.readClient.ping({ select: true })).toMatchObject({ success: true })
  })

  test('GET / and GET /ping answer Ok', async () => {
    expect(await (await fetchRaw('/')).text()).toBe('Ok.\n')
    expect(await (await fetchRaw('/ping')).text()).toBe('Ok.\n')
  })

  test('a query may stand in the URL, in the body, or begin in one and end in the other', async () => {
    expect(await (await fetchRaw('/?query=SELECT+1')).text()).toBe('1\n')
    expect(await (await fetchRaw('/', { method: 'POST', body: 'SELECT 2' })).text()).toBe('2\n')
    expect(await (await fetchRaw('/?query=SELECT', { method: 'POST', body: '3' })).text()).toBe('3\n')
  })

  test('a GET writes nothing', async () => {
    const response = await fetchRaw('/?query=' + encodeURIComponent("INSERT INTO numbered VALUES (1, 'x')"))
    expect(response.headers.get('x-clickhouse-exception-code')).toBe('164')
    await response.text()
  })

  test('the format comes from the text, or else from default_format, or is TSV', async () => {
    expect(await (await fetchRaw('/?query=SELECT+1+AS+a+FORMAT+JSONEachRow&default_format=CSV')).text()).toBe('{"a":1}\n')
    expect(await (await fetchRaw("/?query=SELECT+1,'b'&default_format=CSV")).text()).toBe('1,"b"\n')
    expect(await (await fetchRaw("/?query=SELECT+1,'b'")).text()).toBe('1\tb\n')
  })
})

describe('formats', () => {
  const query = 'SELECT number, toString(number) AS text FROM numbers(3)'

  test('JSON, JSONCompact, JSONEachRow and CSV come back as ClickHouse writes them', async () => {
    const read = async (format: 'JSON' | 'JSONCompact' | 'JSONEachRow' | 'CSV') => {
      const result = await clickHouse.readClient.query({ query, format })
      return result.text()
    }
    expect(JSON.parse(await read('JSON'))).toMatchObject({ rows: 3, meta: [{ name: 'number', type: 'UInt64' }, { name: 'text' }] })
    expect(JSON.parse(await read('JSONCompact'))).toMatchObject({
      data: ['0', '1', '2'].map((text) => [expect.anything(), text])
    })
    expect((await read('JSONEachRow')).trimEnd().split('\n')).toHaveLength(3)
    expect(await read('CSV')).toBe('0,"0"\n1,"1"\n2,"2"\n')
  })

  test('a stream yields every row of a large result', async () => {
    const result = await clickHouse.readClient.query({
      query: 'SELECT number AS n FROM numbers(50000)', format: 'JSONEachRow'
    })
    let count = 0
    for await (const chunk of result.stream()) count += chunk.length
    expect(count).toBe(50_000)
  })
})

describe('parameters', () => {
  const hostile = ["'", '\\', "\\'", "'; DROP TABLE numbered; --", '"`', '{x:String}', 'zażółć 🐟', 'a\tb\nc\r', '%s$1', '']

  test.each(hostile)('the text %j arrives unchanged', async (text) => {
    expect(await rows('SELECT {text:String} AS text', { text })).toEqual([{ text }])
  })

  test('an array of texts arrives unchanged', async () => {
    expect(await rows('SELECT {texts:Array(String)} AS texts', { texts: hostile })).toEqual([{ texts: hostile }])
  })

  test('every type that queries use is bound by its type', async () => {
    const params = {
      u8: 255,
      i64: '-9223372036854775808',
      u64: '18446744073709551615',
      f: 1.5,
      b: true,
      nothing: null,
      list: [1, 2, 3],
      time: '2022-03-22 12:15:00.123',
      date: '2022-03-22',
      none: []
    }
    const query = `SELECT {u8:UInt8} AS u8, toString({i64:Int64}) AS i64, toString({u64:UInt64}) AS u64,
      {f:Float64} AS f, {b:Bool} AS b, {nothing:Nullable(String)} AS nothing, {list:Array(UInt32)} AS list,
      toString({time:DateTime64(3, 'UTC')}) AS time, toString({date:Date}) AS date, {none:Array(String)} AS none`
    expect(await rows(query, params)).toEqual([params])
  })

  test('a name can be a parameter', async () => {
    const query = 'SELECT count() AS n FROM {table:Identifier} WHERE {column:Identifier} > 10'
    expect(await rows(query, { table: 'numbered', column: 'id' })).toEqual([{ n: expect.anything() }])
  })

  test('parameters that are too long for a URL are sent in the body', async () => {
    const texts = Array.from({ length: 5000 }, (_, index) => `it's number ${index}\\`)
    const result = await clickHouse.readClient.query({
      query: 'SELECT length({texts:Array(String)}) AS n, {texts:Array(String)}[5000] AS last',
      query_params: { texts },
      format: 'JSONEachRow',
      use_multipart_params: true
    })
    expect(await result.json()).toEqual([{ n: expect.anything(), last: texts.at(-1) }])
  })

  test('a parameter that is not set is error 456, also after a request that set it', async () => {
    await rows('SELECT {text:String}', { text: 'set' })
    await expect(rows('SELECT {text:String}')).rejects.toMatchObject({ code: '456' })
  })
})

describe('inserts', () => {
  const count = async (text: string): Promise<number> => {
    const [row] = await rows<{ n: string }>('SELECT count() AS n FROM numbered WHERE text = {text:String}', { text })
    return Number(row?.n)
  }

  test('arrays of objects and streams are stored', async () => {
    const { writeClient } = clickHouse
    const table = 'numbered'
    await writeClient.insert({ table, values: [{ id: 1, text: 'array' }, { id: 2, text: 'array' }], format: 'JSONEachRow' })
    expect(await count('array')).toBe(2)
    const values = Readable.from([{ id: 1, text: 'stream' }, { id: 2, text: 'stream' }, { id: 3, text: 'stream' }])
    await writeClient.insert({ table, values, format: 'JSONEachRow' })
    expect(await count('stream')).toBe(3)
  })

  test.each([
    ['JSONEachRow', '{"id":1,"text":"raw JSONEachRow"}\n'],
    ['JSONCompactEachRow', '[1,"raw JSONCompactEachRow"]\n'],
    ['CSV', '1,"raw CSV"\n'],
    ['TSV', '1\traw TSV\n'],
    ['JSONCompactEachRowWithNames', '["id","text"]\n[1,"raw JSONCompactEachRowWithNames"]\n']
  ])('rows in %s are stored, with the statement in the URL or in front of the rows', async (format, data) => {
    const statement = `INSERT INTO numbered (id, text) FORMAT ${format}`
    const inUrl = await fetchRaw(`/?query=${encodeURIComponent(statement)}`, { method: 'POST', body: data })
    expect([inUrl.status, await inUrl.text()]).toEqual([200, ''])
    const inBody = await fetchRaw('/', { method: 'POST', body: `${statement}\n${data}` })
    expect([inBody.status, await inBody.text()]).toEqual([200, ''])
    expect(await count(`raw ${format}`)).toBe(2)
  })

  test('text with quotes, braces, line ends and semicolons is data, not SQL', async () => {
    const text = "'); DROP TABLE numbered; --\n{\"}\\"
    await clickHouse.writeClient.insert({ table: 'numbered', values: [{ id: 9, text }], format: 'JSONEachRow' })
    expect(await count(text)).toBe(1)
  })

  test('INSERT … VALUES and INSERT … SELECT work as commands', async () => {
    await command("INSERT INTO numbered VALUES (1, 'values; --'), (2, 'values; --')")
    expect(await count('values; --')).toBe(2)
    await command("INSERT INTO numbered SELECT number, 'selected' FROM numbers(4)")
    expect(await count('selected')).toBe(4)
  })

  test('the summary says how many rows were written', async () => {
    const values = [{ id: 1, text: 'summary' }, { id: 2, text: 'summary' }]
    const { summary } = await clickHouse.writeClient.insert({ table: 'numbered', values, format: 'JSONEachRow' })
    expect(summary).toMatchObject({ written_rows: '2' })
    expect(Number(summary?.elapsed_ns)).toBeGreaterThan(0)
  })

  test('exec gives the result as a stream', async () => {
    const { stream } = await clickHouse.writeClient.exec({ query: 'SELECT 7 FORMAT CSV' })
    expect(Buffer.concat(await stream.toArray()).toString()).toBe('7\n')
  })
})

describe('errors', () => {
  test.each([
    ['SELECT * FROM no_such_table', '60', 404],
    ['SELECT no_such_column FROM numbered', '47', 404],
    ['SELECT no_such_function()', '46', 404],
    ['SELECT FROM WHERE', '62', 400],
    ['CREATE TABLE numbered (id UInt8) ENGINE = MergeTree ORDER BY id', '57', 500],
    ["SELECT toUInt8('x')", '6', 400],
    ["SELECT throwIf(1, 'no')", '395', 500],
    ['SELECT 1; SELECT 2', '62', 400],
    ['SELECT 1 SETTINGS no_such_setting = 1', '115', 404]
  ])('%s is code %s with status %d', async (query, code, status) => {
    await expect(command(query)).rejects.toMatchObject({ code })
    const response = await fetchRaw('/', { method: 'POST', body: query })
    expect(response.headers.get('x-clickhouse-exception-code')).toBe(code)
    expect(response.status).toBe(status)
    expect(await response.text()).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: `))
  })

  test('a database that does not exist is code 81', async () => {
    const response = await fetchRaw('/?database=no_such_database', { method: 'POST', body: 'SELECT 1' })
    expect(response.headers.get('x-clickhouse-exception-code')).toBe('81')
    await response.text()
  })

  test('an unknown user and a wrong password are both code 516', async () => {
    for (const wrong of [{ username: 'nobody', password: '' }, { username: clickHouse.config.user, password: 'wrong' }]) {
      const client = createClient({ url: clickHouse.url, ...wrong, log: { level: 127 } })
      await expect(client.query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '516' })
      await client.close()
    }
  })
})

describe('settings', () => {
  const blockSize = async (settings: Record<string, string>): Promise<unknown> => {
    const result = await clickHouse.writeClient.query({
      query: "SELECT getSetting('max_block_size') AS size", format: 'JSONEachRow', clickhouse_settings: settings
    })
    const [row] = await result.json<{ size: string }>()
    return Number(row?.size)
  }

  test('a setting holds for its own request and for no other', async () => {
    const before = await blockSize({})
    expect(await blockSize({ max_block_size: '12345' })).toBe(12_345)
    expect(await blockSize({})).toBe(before)
    const mixed = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(
      (n) => blockSize(n % 2 === 0 ? {} : { max_block_size: `${1000 + n}` })))
    expect(mixed).toEqual([1001, before, 1003, before, 1005, before, 1007, before])
  })
})

describe('compression', () => {
  test('requests and answers may be gzip', async () => {
    const { url, config } = clickHouse
    const client = createClient({
      url,
      username: config.user,
      password: config.password,
      database: config.database,
      compression: { request: true, response: true }
    })
    const text = 'gzip '.repeat(10_000)
    await client.insert({ table: 'numbered', values: [{ id: 1, text }], format: 'JSONEachRow' })
    const result = await client.query({
      query: 'SELECT text FROM numbered WHERE text = {text:String}', query_params: { text: text.slice(0, 5) }, format: 'JSONEachRow'
    })
    expect(await result.json()).toEqual([])
    const stored = await client.query({ query: "SELECT text FROM numbered WHERE text LIKE 'gzip gzip%'", format: 'JSONEachRow' })
    expect(await stored.json()).toEqual([{ text }])
    await client.close()
  })

  test('a body that is no gzip is refused', async () => {
    const response = await fetchRaw('/?query=SELECT+1', {
      method: 'POST', body: gzipSync('x').subarray(5), headers: { 'Content-Encoding': 'gzip' }
    })
    expect(response.ok).toBe(false)
    expect(response.headers.get('x-clickhouse-exception-code')).not.toBeNull()
    await response.text()
  })
})
