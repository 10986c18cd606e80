/** The embedded default answers as its own description says, whatever is sent; its pages show all of it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileWithKeys } from '../access/access-server.ts'
import { BROWSER_MS_MAX, findChromium, launchChromium } from '../support/chromium.ts'
import { newPlace, showLogOfFailures, startMillraceAt } from '../support/millrace.ts'
import { findSchemathesis, runSchemathesis } from '../support/schemathesis.ts'
import type { Millrace } from '../support/millrace.ts'

const FUZZ_MS_MAX = 600_000
/** Characters of a report that a failed test shows: it quotes requests, which may be large. */
const LINE_LENGTH_SHOWN = 300

const chromium = findChromium()
const schemathesis = findSchemathesis()

let millrace: Millrace
let apiKey: string
let url: string
showLogOfFailures(() => millrace)

beforeAll(async () => {
  const place = await newPlace({ kind: 'embedded' })
  const { file, secrets } = fileWithKeys([{ organisation: 'acme' }])
  writeFileSync(join(place.directory, 'access.json'), JSON.stringify(file))
  apiKey = secrets[0]
  url = `http://127.0.0.1:${place.ports.http}`
  millrace = await startMillraceAt(place)
})

afterAll(async () => { await millrace?.stop() })

test.skipIf(schemathesis === undefined)('no request is answered 5xx, or in a way that is not described', {
  timeout: FUZZ_MS_MAX
}, async () => {
  const { code, output } = await runSchemathesis(schemathesis as string, {
    url, apiKey, directory: millrace.place.directory
  })
  const shown = output.split('\n').map((line) => line.slice(0, LINE_LENGTH_SHOWN)).join('\n')
  expect(code, shown).toBe(0)
})

test.skipIf(chromium === undefined)('the pages show every operation, from this server alone', async () => {
  const browser = await launchChromium(chromium as string)
  try {
    const page = await browser.newPage()
    page.setDefaultTimeout(BROWSER_MS_MAX)
    const foreign: string[] = []
    const complaints: string[] = []
    page.on('request', (request) => { if (!/^(data:|blob:)/.test(request.url())) foreign.push(request.url()) })
    page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()) })
    await page.goto(`${url}/docs`)
    await page.locator('.opblock').first().waitFor()
    const { paths } = await (await fetch(`${url}/openapi.json`)).json() as { paths: Record<string, object> }
    const operations = Object.values(paths).flatMap((methods) => Object.keys(methods))
    await expect.poll(() => page.locator('.opblock').count()).toBe(operations.length)
    expect(foreign.filter((address) => !address.startsWith(`${url}/`))).toEqual([])
    expect(complaints).toEqual([])
  } finally {
    await browser.close()
  }
})
