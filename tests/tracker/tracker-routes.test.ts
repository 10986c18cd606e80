import { pino } from 'pino'
import { expect, test } from 'vitest'
import { collectPaths, createServer, finishRoutes } from '../../http/index.ts'
import { trackerRoutes } from '../../tracker/index.ts'
import type { TrackerOptions } from '../../tracker/index.ts'

async function build (options: TrackerOptions) {
  const server = createServer({ log: pino({ level: 'silent' }) })
  const paths = collectPaths(server)
  await server.register(trackerRoutes, options)
  finishRoutes(server, paths)
  return (url: string, headers: Record<string, string> = {}, method: 'GET' | 'HEAD' | 'POST' = 'GET') => {
    return server.inject({ method, url, headers })
  }
}

test('the script is served to any site, to be kept for an hour', async () => {
  const get = await build({})
  const { statusCode, headers } = await get('/user-tracker.js')
  expect(statusCode).toBe(200)
  expect(headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'cache-control': expect.stringMatching(/^public, max-age=3600\b/),
    etag: expect.stringMatching(/^"[\w-]+"$/)
  })
  expect((await get('/user-tracker.js', {}, 'HEAD')).headers['content-length']).toBe(headers['content-length'])
  expect((await get('/user-tracker.js', {}, 'POST')).statusCode).toBe(405)
})

test('whoever has the script is answered 304, also behind a proxy that compresses', async () => {
  const get = await build({})
  const etag = String((await get('/user-tracker.js')).headers.etag)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await get('/user-tracker.js', { 'if-none-match': known })
    expect([answer.statusCode, answer.body, answer.headers.etag]).toEqual([304, '', etag])
    expect(answer.headers).toHaveProperty('cache-control')
  }
  expect((await get('/user-tracker.js', { 'if-none-match': '"other"' })).statusCode).toBe(200)
})

test('the demo has three pages that report with its key, and is asked for each time', async () => {
  const get = await build({ demo: { apiKey: 'a"<&key' } })
  for (const path of ['/demo/', '/demo/shop', '/demo/about']) {
    const { headers, body } = await get(path)
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' })
    expect(body).toContain('<script src="../user-tracker.js" data-api-key="a&#34;&#60;&#38;key"')
    expect(body).not.toContain('{{')
  }
  expect((await get('/demo/demo.css')).headers['content-type']).toMatch(/^text\/css/)
  expect((await get('/demo/demo.js')).headers['content-type']).toMatch(/^text\/javascript/)
  expect((await get('/demo')).headers.location).toBe('/demo/')
})

test('there is no demo where none is asked for', async () => {
  const get = await build({})
  expect((await get('/demo/')).statusCode).toBe(404)
})
