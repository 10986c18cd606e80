/** The tracker and its demo site in a real browser, on the whole system as its user starts it. */
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { EMPTY_ACCESS_FILE, newKeyId, newSecret, withKey, withOrganisation } from '../../access/index.ts'
import { BROWSER_MS_MAX, findChromium, launchChromium } from '../support/chromium.ts'
import { showLogOfFailures, startMillrace } from '../support/millrace.ts'
import { until } from '../support/until.ts'
import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import type { Millrace } from '../support/millrace.ts'

/** From the page to the answer: the log, a batch of a second, ClickHouse; on a busy machine. */
const COUNTED_MS_MAX = 120_000

const executable = findChromium()
let millrace: Millrace
let browser: Browser
let context: BrowserContext
let site: string
let faults: string[]
const servers: Server[] = []
showLogOfFailures(() => millrace)

/** A page of a visitor of its own; what goes wrong in it is kept in `faults`. */
async function newPage (): Promise<Page> {
  context = await browser.newContext()
  context.setDefaultTimeout(BROWSER_MS_MAX)
  faults = []
  const page = await context.newPage()
  page.on('pageerror', (error) => { faults.push(String(error)) })
  return page
}

/** A site of one page, with an origin of its own, until the tests end. */
async function serveSite (html: string): Promise<string> {
  const server = createServer((_request, response) => response.setHeader('content-type', 'text/html').end(html))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

type Counts = Record<string, Array<{ timeframe: string, visit_count: number }>>

/** Visits of each page by what follows /demo/, as GET /visits answers them to the demo's key. */
async function readVisits (query = ''): Promise<Record<string, number>> {
  const { text: html } = await millrace.http.send({ path: '/demo/' })
  const apiKey = /data-api-key="([^"]+)"/.exec(html)?.[1] ?? ''
  const { text } = await millrace.http.send({ path: `/visits${query}`, headers: { 'x-api-key': apiKey } })
  const { data } = JSON.parse(text) as { data: Counts }
  return Object.fromEntries(Object.entries(data).map(([url, counts]) => {
    return [url.replace(`${site}/demo/`, ''), counts.reduce((sum, count) => sum + count.visit_count, 0)]
  }))
}

async function visitsGrow (before: Record<string, number>, by: Record<string, number>): Promise<void> {
  await until(`visits grow by ${JSON.stringify(by)}`, COUNTED_MS_MAX, async () => {
    const now = await readVisits()
    return Object.entries(by).every(([path, more]) => now[path] === (before[path] ?? 0) + more) || undefined
  })
}

describe.skipIf(executable === undefined)('the tracker in Chromium', () => {
  beforeAll(async () => {
    [millrace, browser] = await Promise.all([
      startMillrace({ kind: 'embedded' }), launchChromium(executable as string)
    ])
    site = `http://127.0.0.1:${millrace.place.ports.http}`
  })
  afterEach(() => context.close())
  afterAll(async () => {
    await browser?.close()
    for (const server of servers) server.close()
    await millrace?.stop()
  })

  test('page loads and single-page navigations arrive, and are counted, as those of one visitor', async () => {
    const before = await readVisits()
    const uniqueBefore = await readVisits('?unique=true')
    const today = new Date().getUTCDate()
    const page = await newPage()
    await page.goto(`${site}/demo/`)
    await page.click('nav >> text=Shop')
    await page.click('[data-product=rye]')
    await page.waitForSelector('#product:not([hidden])')
    await page.click('[data-product=oats]')
    await page.goBack()
    await page.click('nav >> text=About')
    // A script is run in the page that is there, or is about to go.
    await page.waitForURL('**/demo/about')
    const visitor = await page.evaluate("localStorage.getItem('millrace-visitor')")
    await visitsGrow(before, { '': 1, shop: 1, 'shop?product=rye': 2, 'shop?product=oats': 1, about: 1 })
    const unique = (await readVisits('?unique=true'))['shop?product=rye'] ?? 0
    const visitors = unique - (uniqueBefore['shop?product=rye'] ?? 0)
    // Whoever comes before and after midnight is counted on both days.
    expect([1, new Date().getUTCDate() === today ? 1 : 2]).toContain(visitors)
    const [stored] = await millrace.sql<{ visits: number }>(
      `SELECT count() AS visits FROM visits WHERE identifier = '${String(visitor)}' AND tenant = 'demo'`
    )
    expect(stored).toEqual({ visits: 6 })
    expect(faults).toEqual([])
  })

  test('the demo shows what is counted', async () => {
    const page = await newPage()
    await page.goto(`${site}/demo/about`)
    const row = page.locator('#counts tr', { hasText: '/demo/about' })
    await row.waitFor({ timeout: COUNTED_MS_MAX })
    expect(faults).toEqual([])
  })

  test('a page without storage is counted, and notices nothing', async () => {
    const before = await readVisits()
    const page = await newPage()
    await page.addInitScript(`
      Object.defineProperty(window, 'localStorage', { get () { throw new DOMException('blocked', 'SecurityError') } })
    `)
    await page.goto(`${site}/demo/shop`)
    await page.click('[data-product=spelt]')
    await visitsGrow(before, { shop: 1, 'shop?product=spelt': 1 })
    expect(faults).toEqual([])
  })

  test.each([
    ['that nobody listens at', 'http://127.0.0.1:1/visits'], ['that is none', 'http://['], ['without a route', '/nowhere']
  ])('a page with an endpoint %s works on, without an error', async (_name, endpoint) => {
    const page = await newPage()
    await page.route('**/demo/shop', async (route) => {
      const response = await route.fetch()
      const body = (await response.text()).replace('data-endpoint="../visits"', `data-endpoint="${endpoint}"`)
      expect(body).toContain(`"${endpoint}"`)
      await route.fulfill({ response, body })
    })
    await page.goto(`${site}/demo/shop`, { waitUntil: 'load' })
    await page.click('[data-product=rye]')
    await page.waitForSelector('#product:not([hidden])')
    expect(page.url()).toBe(`${site}/demo/shop?product=rye`)
    expect(faults).toEqual([])
  })

  // The last one: the first real key closes the system, and ends the demo.
  test('a site of another origin reports with the key of an organisation that lists it, and no other', async () => {
    const [id, secret] = [newKeyId(), newSecret()]
    const html = `<script src="${site}/user-tracker.js" data-api-key="${secret}" data-endpoint="${site}"></script>`
    const [listed, unlisted] = [await serveSite(html), await serveSite(html)]
    const organisation = 'acme'
    const file = withOrganisation(EMPTY_ACCESS_FILE, { id: organisation, name: '', origins: [listed] }, Date.now())
    writeFileSync(join(millrace.place.directory, 'access.json'), JSON.stringify(withKey(file, {
      id, secret, organisation, name: '', scopes: ['ingest'], expiresAtMs: undefined, rateLimitPerSecond: undefined
    }, Date.now())))
    await until('the system asks for keys', COUNTED_MS_MAX, async () => {
      return (await millrace.http.send({ path: '/streams' })).status === 401 || undefined
    })
    const page = await newPage()
    const refused = page.waitForEvent('requestfailed')
    await page.goto(`${unlisted}/`)
    await refused
    await page.goto(`${listed}/`)
    await until('the visit is stored', COUNTED_MS_MAX, async () => {
      return (await millrace.sql("SELECT 1 FROM visits WHERE tenant = 'acme'")).length > 0 || undefined
    })
    const stored = await millrace.sql("SELECT DISTINCT pageUrl FROM visits WHERE tenant = 'acme'")
    expect(stored).toEqual([{ pageUrl: `${listed}/` }])
    expect(faults).toEqual([])
    await page.goto(`${site}/demo/`)
    await page.locator('#counts', { hasText: 'asks for API keys' }).waitFor()
  })
})
