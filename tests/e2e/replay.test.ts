/** `millrace replay`, on a system that goes on taking events meanwhile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeOnEachLog } from '../support/each-log.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { PlaceLog } from '../support/place-log.ts'
import { until } from '../support/until.ts'
import { EventSender } from './event-sender.ts'
import { replayCommand, runReplay } from './run-replay.ts'
import type { Millrace } from '../support/millrace.ts'
import type { ReplayCommand } from './run-replay.ts'

const DEADLINE_MS = 180_000
const CONNECTIONS = 8
/** Its events are of subjects who are erased; a rollup, which holds no subject, goes on counting them. */
const OF_ERASED = 2_000_000
const ROLLUP = `SELECT minute, action, origin, brand_id, category_id, sum(count) AS n, sum(sum_price) AS total
  FROM user_tags_by_minute WHERE origin != 'n${OF_ERASED}' GROUP BY ALL ORDER BY ALL`
const ROLLUP_OF_RAW = `SELECT toStartOfMinute(time) AS minute, action, origin, brand_id, category_id, count() AS n,
  sum(toInt64(price)) AS total FROM user_tags GROUP BY ALL ORDER BY ALL`

describeOnEachLog('a replay', (kind) => {
  let millrace: Millrace
  let log: PlaceLog
  let sender: EventSender

  function commandOf (args: readonly string[], batchRowsMax = '200'): ReplayCommand {
    return replayCommand(millrace.place, args, { BATCH_ROWS_MAX: batchRowsMax })
  }

  async function replay (...args: string[]): Promise<string> {
    return await runReplay(commandOf(args))
  }

  async function isBalanced (): Promise<void> {
    await sender.stop()
    await log.drained(DEADLINE_MS)
    expect(await millrace.sql(ROLLUP)).toEqual(await millrace.sql(ROLLUP_OF_RAW))
    const rows = (table: string) => millrace.sql(
      `SELECT _partition, _offset, cookie, time, origin FROM ${table} ORDER BY _partition, _offset`)
    expect(await rows('user_tags_by_cookie')).toEqual(await rows('user_tags'))
    sender = new EventSender({ millrace, connections: CONNECTIONS, after: sender })
  }

  beforeAll(async () => {
    millrace = await startMillrace({ kind, env: { BATCH_AGE_MS_MAX: '50' } })
    log = new PlaceLog(millrace.place)
    sender = new EventSender({ millrace, connections: CONNECTIONS })
    await sender.acknowledgesMore(1000, DEADLINE_MS)
    const repeated = { ...EventSender.eventOf(1_000_000), event_id: 'again' }
    for (let copy = 0; copy < 3; copy++) expect((await millrace.post(repeated)).status).toBe(204)
  })
  showLogOfFailures(() => millrace)
  afterAll(async () => {
    await sender?.stop()
    await log?.close()
    await millrace?.stop()
  })

  test('rebuilds a rollup that was damaged, while events flow, and leaves nothing behind', async () => {
    await millrace.sql('TRUNCATE TABLE user_tags_by_minute')
    expect(await replay('user_tags', '--rebuild', 'user_tags_by_minute')).toMatch(/^user_tags_by_minute: \d+ events\.$/m)
    await isBalanced()
    expect(await millrace.sql("SELECT name FROM system.tables WHERE name LIKE '%replay%'")).toEqual([])
  })

  test('keeps out who was erased before it, or is erased while it runs', async () => {
    const eventsOf = (cookie: string) => {
      return Array.from({ length: 40 }, () => ({ ...EventSender.eventOf(OF_ERASED), cookie }))
    }
    await millrace.postAll([...eventsOf('erased-before'), ...eventsOf('erased-meanwhile')])
    const erase = async (subject: string): Promise<string> => {
      const { status, text } = await millrace.http.send({
        method: 'POST',
        path: '/erasures',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ subject })
      })
      expect(status).toBe(202)
      return (JSON.parse(text) as { id: string }).id
    }
    const removed = (id: string) => until(`${id} is removed`, DEADLINE_MS, async () => {
      const { state } = await millrace.http.getJson(`/erasures/${id}`) as { state: string }
      return state === 'removed' || undefined
    })
    await removed(await erase('erased-before'))
    const [, id] = await Promise.all([
      replay('user_tags', '--rebuild', 'user_tags_by_cookie'), erase('erased-meanwhile')
    ])
    await removed(id)
    await isBalanced()
    for (const table of ['user_tags', 'user_tags_by_cookie']) {
      expect(await millrace.sql(`SELECT * FROM ${table} WHERE cookie LIKE 'erased-%'`)).toEqual([])
    }
  })

  // What does not depend on the log needs one of them.
  if (kind === 'kafka') return

  test('that is killed goes on where it was', async () => {
    // An event to an insert: it is far from its end when it is killed.
    const { argv, env } = commandOf(['user_tags', '--rebuild', 'user_tags_by_cookie'], '1')
    const killed = spawn(process.execPath, argv, { env, stdio: 'ignore' })
    const gone = once(killed, 'exit')
    await until('some of it is rebuilt', DEADLINE_MS, async () => {
      const target = 'user_tags_by_cookie__replay'
      const [found] = await millrace.sql<{ comment: string }>(`SELECT comment FROM system.tables WHERE name = '${target}'`)
      if (found === undefined || found.comment === '') return undefined
      const [row] = await millrace.sql<{ rows: number }>(`SELECT count() AS rows FROM ${target}`)
      return (row?.rows ?? 0) > 50 || undefined
    })
    killed.kill('SIGKILL')
    await gone
    expect(await replay('user_tags', '--rebuild', 'user_tags_by_cookie')).toMatch(/events, resumed\.$/m)
    await isBalanced()
  })

  test('into a table of its own has the events that arrived in time, and refuses names that are taken', async () => {
    await sender.stop()
    await log.drained(DEADLINE_MS)
    const [bounds] = await millrace.sql<{ from: string, to: string, rows: number }>(
      `SELECT formatDateTime(q1, '%Y-%m-%dT%H:%i:%SZ') AS from, formatDateTime(q2, '%Y-%m-%dT%H:%i:%SZ') AS to,
         (SELECT count() FROM user_tags WHERE received_at >= toDateTime(q1) AND received_at < toDateTime(q2)) AS rows
       FROM (SELECT toStartOfSecond(min(received_at)) AS q1, toStartOfSecond(max(received_at)) AS q2 FROM user_tags)`)
    const { from, to, rows } = bounds as { from: string, to: string, rows: number }
    expect(rows).toBeGreaterThan(100)
    await replay('user_tags', '--into', 'user_tags_again', '--from', from, '--to', to)
    const [found] = await millrace.sql<{ rows: number }>('SELECT count() AS rows FROM user_tags_again')
    expect(found?.rows).toBe(rows)
    await expect(replay('user_tags', '--into', 'batches')).rejects.toThrow('exists, and no replay into it')
    await expect(replay('user_tags', '--rebuild', 'batches')).rejects.toThrow('can be rebuilt: user_tags_by_cookie, user_tags_by_minute')
    await expect(replay('user_tags', '--into', 'x; DROP')).rejects.toThrow('is no name for a table')
    await expect(replay('nothing', '--into', 'x')).rejects.toThrow('There is no stream nothing')
  })
})
