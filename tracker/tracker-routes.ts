/**
 * What browsers fetch: the tracker's script, for any site, and a demo site that shows it at work. The script
 * sends its visits to the ingest routes; nothing here takes or answers data.
 */
import { readFile } from 'node:fs/promises'
import { readTrackerScript } from './tracker-script.ts'
import { createAsset, sendAsset } from './asset.ts'
import type { FastifyPluginAsync } from 'fastify'
import type { Asset } from './asset.ts'

export interface TrackerOptions {
  /** With it the demo site is served at /demo/, and reports its visits with this key. */
  demo?: { apiKey: string }
}

/** A new script reaches every site within an hour; sites keep working while they fetch it. */
const SCRIPT_CACHING = 'public, max-age=3600, stale-while-revalidate=86400'
/** The demo's pages carry a key that ends with the process: they are asked for each time. */
const DEMO_CACHING = 'no-cache'

/** What people and browsers fetch is no part of the API that is documented. */
const schema: object = { hide: true }

const HTML = 'text/html; charset=utf-8'
const JAVASCRIPT = 'text/javascript; charset=utf-8'

/** Path below /demo/ to the file that is served there. */
const DEMO_FILES = {
  '': { file: 'index.html', type: HTML },
  shop: { file: 'shop.html', type: HTML },
  about: { file: 'about.html', type: HTML },
  'demo.js': { file: 'demo.js', type: JAVASCRIPT },
  'demo.css': { file: 'demo.css', type: 'text/css; charset=utf-8' }
} as const

/** `GET /user-tracker.js`, and the demo site where one is asked for. */
export const trackerRoutes: FastifyPluginAsync<TrackerOptions> = async (server, { demo }) => {
  const add = (path: string, asset: Asset): void => {
    server.get(path, { schema }, (request, reply) => sendAsset(request, reply, asset))
  }
  add('/user-tracker.js', createAsset({
    content: await readTrackerScript(),
    type: JAVASCRIPT,
    caching: SCRIPT_CACHING,
    // Any site may include it, also one that asks for CORS or isolates itself.
    headers: { 'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin' }
  }))
  if (demo === undefined) return
  server.get('/demo', { schema }, async (_request, reply) => reply.redirect('/demo/', 308))
  for (const [path, { file, type }] of Object.entries(DEMO_FILES)) {
    const source = await readFile(new URL(`demo/${file}`, import.meta.url), 'utf8')
    const content = source.replaceAll('{{apiKey}}', escapeAttribute(demo.apiKey))
    add(`/demo/${path}`, createAsset({ content, type, caching: DEMO_CACHING }))
  }
}

function escapeAttribute (text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
