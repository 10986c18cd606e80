/**
 * A release that adds a field to a stream is rolled out in the least careful order, while events flow: old
 * and new producers and processors run side by side, and no event is lost, doubled, or robbed of the field.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { exitOf, startNode } from '../../loadtest/child-process.ts'
import { describeOnEachLog } from '../support/each-log.ts'
import { HttpClient } from '../support/http-client.ts'
import { newPlace } from '../support/millrace.ts'
import { writeNextRelease } from '../support/next-release.ts'
import { until } from '../support/until.ts'
import type { StartedRole } from '../../loadtest/child-process.ts'
import type { MillracePlace } from '../support/millrace.ts'

const THIS_RELEASE = join(import.meta.dirname, '../..')
const DEADLINE_MS = 180_000
const TABLES = ['page_views', 'page_views_by_user']
const PAUSE_MS = 20
const EVENTS_PER_POST = 10

/** Posts numbered views to one ingest process, until it is stopped; event n is of user `<name>-<n>`. */
class ViewSender {
  readonly acknowledged: string[] = []
  readonly #client: HttpClient
  readonly #sending: Promise<void>
  #stopped = false

  constructor ({ name, url, extra }: { name: string, url: string, extra: object }) {
    this.#client = new HttpClient({ port: Number(new URL(url).port) })
    this.#sending = this.#run(name, extra)
  }

  async acknowledgesMore (count: number): Promise<void> {
    const goal = this.acknowledged.length + count
    await until(`${count} more views are accepted`, DEADLINE_MS, () => this.acknowledged.length >= goal || undefined)
  }

  async stop (): Promise<void> {
    this.#stopped = true
    await this.#sending
    this.#client.close()
  }

  async #run (name: string, extra: object): Promise<void> {
    for (let post = 0; !this.#stopped; post++) {
      const users = Array.from({ length: EVENTS_PER_POST }, (_, index) => `${name}-${post * EVENTS_PER_POST + index}`)
      const views = users.map((user) => ({ user_id: user, name: 'home', timestamp: '2026-01-01T00:00:00Z', ...extra }))
      const { status, text } = await this.#client.send({
        method: 'POST',
        path: '/events/page_views',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(views)
      })
      if (status !== 200) throw new Error(`${status} ${text}`)
      this.acknowledged.push(...users)
      await pause(PAUSE_MS)
    }
  }
}

describeOnEachLog('a release with one more field', (kind) => {
  let place: MillracePlace
  let nextRelease: string
  let logFile: string
  let clickHouse: HttpClient
  const running: StartedRole[] = []

  async function start (release: string, role: string): Promise<StartedRole> {
    const output = openSync(logFile, 'a')
    const httpPort = role === 'clickhouse' ? {} : { HTTP_PORT: '0' }
    const started = await startNode(
      ['--disable-warning=TimeoutNegativeWarning', join(release, 'cli/main.ts'), role],
      {
        PATH: process.env['PATH'] ?? '',
        DATA_DIR: place.directory,
        CLICKHOUSE_PORT: String(place.ports.clickHouse),
        CLICKHOUSE_URL: `http://127.0.0.1:${place.ports.clickHouse}`,
        LOG_FORMAT: 'json',
        INGEST_BUDGET_MS: '20000',
        BATCH_AGE_MS_MAX: '50',
        // Until the new processors are there, however long that takes.
        SCHEMA_WAIT_MS: '600000',
        ...httpPort,
        ...place.logEnv
      },
      AbortSignal.timeout(DEADLINE_MS), output)
    closeSync(output)
    running.push(started)
    return started
  }

  async function migrate (release: string): Promise<void> {
    const migrating = await start(release, 'migrate')
    expect(await exitOf(migrating.process)).toBe(0)
  }

  async function sql<Row> (statement: string): Promise<Row[]> {
    const { status, text } = await clickHouse.send({
      method: 'POST',
      path: '/?database=millrace&output_format_json_quote_64bit_integers=0&default_format=JSONEachRow',
      headers: { 'x-clickhouse-user': 'millrace' },
      body: statement
    })
    if (status !== 200) throw new Error(`ClickHouse answered ${status}: ${text}`)
    return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Row)
  }

  async function countOf (condition: string, table = 'page_views'): Promise<number> {
    const [row] = await sql<{ rows: number }>(`SELECT count() AS rows FROM ${table} WHERE ${condition}`)
    return row?.rows ?? 0
  }

  beforeAll(async () => {
    place = await newPlace({ kind })
    logFile = join(place.directory, 'roles.log')
    nextRelease = join(place.directory, 'next-release')
    mkdirSync(nextRelease)
    writeNextRelease(nextRelease)
    clickHouse = new HttpClient({ port: place.ports.clickHouse })
    await start(THIS_RELEASE, 'clickhouse')
    await migrate(THIS_RELEASE)
  })
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => { console.error(readFileSync(logFile, 'utf8').slice(-8000)) })
  })
  afterAll(async () => {
    for (const role of running.reverse()) await role.stop()
    clickHouse?.close()
    rmSync(place.directory, { recursive: true, force: true })
  })

  test('loses nothing, stores nothing twice, and keeps the new field of every event that has it', async () => {
    const oldProcessors = await start(THIS_RELEASE, 'processors')
    const oldIngest = await start(THIS_RELEASE, 'ingest')
    const oldViews = new ViewSender({ name: 'old', url: oldIngest.url, extra: {} })
    await oldViews.acknowledgesMore(300)

    await migrate(nextRelease)
    await oldViews.acknowledgesMore(300)

    // New events while only old processors run: they wait for somebody who can read them.
    const newIngest = await start(nextRelease, 'ingest')
    const newViews = new ViewSender({ name: 'new', url: newIngest.url, extra: { referrer: '/start' } })
    await newViews.acknowledgesMore(300)

    // Old and new processors share the partitions.
    await start(nextRelease, 'processors')
    await until('a new processor stores new events', DEADLINE_MS, async () => {
      return await countOf("user_id LIKE 'new-%'") > 0 || undefined
    })
    await oldViews.acknowledgesMore(300)
    await newViews.acknowledgesMore(300)

    await oldViews.stop()
    await oldIngest.stop()
    await oldProcessors.stop()
    await newViews.acknowledgesMore(300)
    await newViews.stop()

    const sent = [...oldViews.acknowledged, ...newViews.acknowledged]
    for (const table of TABLES) {
      // An insert reaches one table after the other.
      await until(`${table} has it all`, DEADLINE_MS, async () => await countOf('true', table) >= sent.length || undefined)
      const rows = await sql<{ user_id: string, referrer: string | null, times: number }>(
        `SELECT user_id, any(referrer) AS referrer, count() AS times FROM ${table} GROUP BY user_id`)
      const found = new Map(rows.map((row) => [row.user_id, row]))
      expect({ table, lost: sent.filter((user) => !found.has(user)) }).toEqual({ table, lost: [] })
      expect({ table, twice: rows.filter(({ times }) => times !== 1) }).toEqual({ table, twice: [] })
      const expected = (user: string) => user.startsWith('new-') ? '/start' : null
      const wrong = rows.filter(({ user_id: user, referrer }) => referrer !== expected(user))
      expect({ table, wrong }).toEqual({ table, wrong: [] })
    }
    expect(await sql('SELECT reason, detail FROM dead_letters')).toEqual([])
    console.log(`${kind}: ${oldViews.acknowledged.length} old and ${newViews.acknowledged.length} new events`)
  })
})
