/**
 * What `POST /query` costs beside the database: the same questions, and the SQL that they become sent
 * straight to ClickHouse, in turns. Writes the ratio of the medians. Ends with 1 where a target is missed.
 */
import { ClickHouseSql } from './clickhouse-sql.ts'
import { LoopbackClient } from './loopback-client.ts'
import { distributionOf, median } from './percentiles.ts'
import { loadConfig, queriesSettings } from './config.ts'
import { parseQuestion, planQuestion } from '../query-api/index.ts'
import { runMeasurement } from './measurement.ts'
import { startSystem } from './system.ts'
import { table, up } from './markdown.ts'
import type { Measured } from './measurement.ts'
import type { QueriesConfig } from './config.ts'
import type { QuestionInput } from '../query-api/index.ts'
import type { Workspace } from './system.ts'

const HOUR_MS = 3_600_000
const TENANT = 'default'
const ROWS_PER_INSERT = 500_000
const WARM_UPS = 3
const RATIO_MAX = 1.5

await runMeasurement({
  name: 'queries', title: 'Questions', settings: loadConfig(queriesSettings, process.env), measure
})

interface Comparison {
  name: string
  source: string
  rows: number
  throughQueryMs: number[]
  straightMs: number[]
}

async function measure (
  settings: QueriesConfig, workspace: Workspace, signal: AbortSignal
): Promise<Measured> {
  const system = await startSystem(workspace, 'queries', signal)
  const sql = new ClickHouseSql(system.clickHouseUrl)
  const client = new LoopbackClient({ baseUrl: system.url, connectionsMax: 1 })
  try {
    // The last day, up to a whole hour, so that the rollup can answer too.
    const toMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    console.error(`bench-queries: storing ${settings.BENCH_STORED_EVENTS} events`)
    await store(sql, settings.BENCH_STORED_EVENTS, toMs, signal)
    const comparisons: Comparison[] = []
    for (const [name, question] of Object.entries(questions(toMs))) {
      const rounds = settings.BENCH_QUERY_ROUNDS
      comparisons.push(await compare({ name, question, client, sql, rounds, signal }))
    }
    return report(settings, comparisons)
  } finally {
    client.close()
    sql.close()
    await system.stop()
  }
}

/** Both group by minute: one is for the rollup, one can only be answered from the raw rows. */
function questions (toMs: number): Record<string, QuestionInput> {
  const time = {
    from: new Date(toMs - 24 * HOUR_MS).toISOString(), to: new Date(toMs).toISOString(), bucket: '1m' as const
  }
  const measures: QuestionInput['measures'] = [{ fn: 'count' }, { fn: 'sum', field: 'price' }]
  return {
    'count and revenue': { stream: 'user_tags', measures, time, limit: 10_000 },
    'count, revenue and highest price': {
      stream: 'user_tags', measures: [...measures, { fn: 'max', field: 'price' }], time, limit: 10_000
    }
  }
}

/** Events of the day before `toMs`, made by ClickHouse itself, with a retailer's cardinalities. */
async function store (sql: ClickHouseSql, events: number, toMs: number, signal: AbortSignal): Promise<void> {
  // No question here is about one shopper; that table alone would take longer than everything else.
  await sql.run('writes', 'DROP VIEW user_tags_by_cookie_view')
  for (let first = 0; first < events; first += ROWS_PER_INSERT) {
    signal.throwIfAborted()
    const count = Math.min(ROWS_PER_INSERT, events - first)
    await sql.run('writes', `
      INSERT INTO user_tags (time, cookie, country, device, action, origin, product_id, product_id_is_number,
        brand_id, category_id, price, event_id, event_id_origin, tenant, received_at, _partition, _offset)
      WITH toUInt32(20000 * pow(rand(1) / 4294967296, 2)) AS product
      SELECT
        fromUnixTimestamp64Milli(toInt64(${toMs - 24 * HOUR_MS} + rand(2) % ${24 * HOUR_MS}), 'UTC'),
        concat('c', toString(rand(3) % 1000000)), concat('L', toString(rand(4) % 100)), 'PC',
        if(rand(5) % 11 = 0, 'BUY', 'VIEW'),
        concat('CAMPAIGN_', toString(toUInt32(1000 * pow(rand(6) / 4294967296, 2)))),
        toString(product), true, concat('brand_', toString(product % 250)),
        concat('category_', toString(intDiv(product, 250) % 67)), toInt32(99 + product % 5000),
        toString(${first} + number), 'SERVER', '${TENANT}', now64(3, 'UTC'), 0, ${first} + number
      FROM numbers(${count})`)
  }
}

interface CompareOptions {
  name: string
  question: QuestionInput
  client: LoopbackClient
  sql: ClickHouseSql
  rounds: number
  signal: AbortSignal
}

/** In turns, so that what the machine does meanwhile falls on both alike. */
async function compare (
  { name, question, client, sql, rounds, signal }: CompareOptions
): Promise<Comparison> {
  const plan = planQuestion(parseQuestion(question), TENANT)
  const parameters = Object.fromEntries(Object.entries(plan.params).map(([key, value]) => {
    return [`param_${key}`, String(value)]
  }))
  const body = JSON.stringify(question)
  const through = async (): Promise<number> => {
    const { status, body: text } = await client.post('/query', body)
    if (status !== 200) throw new Error(`/query answered ${status}: ${text.slice(0, 500)}`)
    return (JSON.parse(text) as { rows: unknown[] }).rows.length
  }
  const straight = async (): Promise<number> => {
    const text = await sql.run('reads', plan.sql, { ...parameters, default_format: 'JSONCompact' })
    return (JSON.parse(text) as { data: unknown[] }).data.length
  }
  const result: Comparison = { name, source: plan.source, rows: 0, throughQueryMs: [], straightMs: [] }
  for (let round = -WARM_UPS; round < rounds; round += 1) {
    signal.throwIfAborted()
    const first = await timed(through)
    const second = await timed(straight)
    if (first.value !== second.value) throw new Error(`${name}: ${first.value} rows, straight ${second.value}`)
    result.rows = first.value
    if (round < 0) continue
    result.throughQueryMs.push(first.ms)
    result.straightMs.push(second.ms)
  }
  return result
}

async function timed (work: () => Promise<number>): Promise<{ value: number, ms: number }> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}

function report (settings: QueriesConfig, comparisons: readonly Comparison[]): Measured {
  const medians = ({ throughQueryMs, straightMs }: Comparison) => {
    return { through: median(throughQueryMs), straight: median(straightMs) }
  }
  return {
    targets: comparisons.map((each) => ({
      name: `${each.name}, from the ${each.source === 'raw' ? 'raw rows' : 'rollup'}: POST /query ÷ the same SQL, medians`,
      unit: '',
      value: medians(each).through / medians(each).straight,
      comparison: '<',
      bound: RATIO_MAX
    })),
    sections: [
      `## ${settings.BENCH_STORED_EVENTS} events of one day, by minute`,
      table(['Question', 'Table', 'Rows', 'POST /query: median', 'max', 'Straight: median', 'max'], comparisons.map((each) => [
        each.name, each.source, String(each.rows),
        `${up(medians(each).through, 1)} ms`, `${up(distributionOf(each.throughQueryMs).max, 1)} ms`,
        `${up(medians(each).straight, 1)} ms`, `${up(distributionOf(each.straightMs).max, 1)} ms`
      ]))
    ],
    conditions: [
      'Everything ran on one machine, the client too. The system ran with its default settings on a fresh folder.',
      `Each question was asked ${settings.BENCH_QUERY_ROUNDS} times, after ${WARM_UPS} that are not counted, in turns with the same ` +
        'SQL, parameters and read-only user at ClickHouse\'s own HTTP interface (JSONCompact); one request at a time.',
      'The events were made by INSERT … SELECT; the table by shopper, which no question here is about, was not filled.'
    ],
    figures: { comparisons }
  }
}
