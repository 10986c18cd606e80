/** The whole system with a schema registry: its ids stand before every record and are looked up there. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { startRegistryDouble } from '../support/schema-registry.ts'
import { until } from '../support/until.ts'
import { range, tag } from './user-tag-events.ts'
import type { Millrace } from '../support/millrace.ts'
import type { RegistryDouble } from '../support/schema-registry.ts'

const SETTLED_MS_MAX = 60_000

let registry: RegistryDouble
let millrace: Millrace
showLogOfFailures(() => millrace)
beforeAll(async () => {
  registry = await startRegistryDouble()
  millrace = await startMillrace({ kind: 'embedded', env: { SCHEMA_REGISTRY_URL: registry.url } })
})
afterAll(async () => {
  await millrace?.stop()
  await registry?.close()
})

/** Schemas that were asked for: nobody asks for one whose id stands before no record. */
function asked (): number {
  return registry.requests.filter((request) => request.startsWith('GET /schemas/ids/')).length
}

async function post (path: string, body?: object): Promise<{ status: number, text: string }> {
  return await millrace.http.send({
    method: 'POST',
    path,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  })
}

test('an event goes from its request to its answer in the framing of the registry', async () => {
  expect((await millrace.post(tag())).status).toBe(204)
  const { views } = await until('the event is read', SETTLED_MS_MAX, async () => {
    const profile = await millrace.profile('cookie', range('2022-03-22T12:00:00', '2022-03-22T13:00:00'))
    return profile.views.length > 0 ? profile : undefined
  })
  expect(views).toEqual([tag()])
  expect(registry.requests).toContain('POST /subjects/user_tags-value/versions')
  expect(asked()).toBeGreaterThan(0)
})

test('a dead letter is mended, sent again in the same framing, and stored', async () => {
  const before = asked()
  const seconds = Math.floor(Date.now() / 1000)
  expect((await post(`/analytics?timestamp=${seconds}&user=u1&event=buy`)).status).toBe(204)
  const [letter] = await until('the dead letter is there', SETTLED_MS_MAX, async () => {
    const { text } = await millrace.http.send({ path: '/dead-letters' })
    const { dead_letters: letters } = JSON.parse(text)
    return letters.length > 0 ? letters : undefined
  })
  expect(letter).toMatchObject({ stream: 'analytics', reason: 'rejected_at_ingest' })
  const event = { timestamp: new Date(seconds * 1000).toISOString(), user: 'u1', event: 'click' }
  expect((await post(`/dead-letters/${letter.id}/retry`, event)).status).toBe(200)
  const rows = await until('the event is stored', SETTLED_MS_MAX, async () => {
    const found = await millrace.sql<object>('SELECT user, event FROM analytics')
    return found.length > 0 ? found : undefined
  })
  expect(rows).toEqual([{ user: 'u1', event: 'click' }])
  expect(asked()).toBeGreaterThan(before)
})
