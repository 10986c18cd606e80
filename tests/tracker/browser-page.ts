import { runInNewContext } from 'node:vm'
import { readTrackerScript } from '../../tracker/index.ts'

export const ENDPOINT = 'https://collect.example/visits'

export interface SentRequest {
  url: string
  headers: Record<string, string>
  body: { identifier: string, pageUrl: string, visitedAt: string }
  options: Record<string, unknown>
}

export interface PageOptions {
  dataset?: Record<string, string>
  /** Answers of fetch in order, the last one again and again: a status, or an error that it rejects with. */
  answers?: Array<number | Error>
  /** Globals that differ from those of an ordinary page; undefined: missing. */
  globals?: Record<string, unknown>
  storage?: Map<string, string>
  prerendering?: boolean
}

interface FetchOptions extends Record<string, unknown> {
  headers: Record<string, string>
  body: string
}

type Listener = (event: Record<string, unknown>) => void

/** The tracker in a page of stubs. Throws whatever the script throws. */
export async function openPage (url: string, options: PageOptions = {}) {
  const { dataset = { apiKey: 'key', endpoint: ENDPOINT }, answers = [202] } = options
  const script = await readTrackerScript()
  const sent: SentRequest[] = []
  const timers: Array<{ work: () => void, delayMs: number }> = []
  const listeners = new Map<string, Listener>()
  const storage = options.storage ?? new Map<string, string>()
  const location = { href: url }
  const navigate = (_state: unknown, _title: string, to?: string): string => {
    if (to !== undefined) location.href = new URL(to, location.href).href
    return 'returned'
  }
  const listen = (name: string, listener: Listener): void => { listeners.set(name, listener) }
  const context: Record<string, unknown> = {
    location,
    history: { pushState: navigate, replaceState: navigate },
    document: {
      currentScript: { src: 'https://collect.example/user-tracker.js', dataset },
      prerendering: options.prerendering ?? false,
      addEventListener: listen
    },
    localStorage: {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => { storage.set(key, value) }
    },
    crypto: globalThis.crypto,
    URL,
    setTimeout: (work: () => void, delayMs: number) => { timers.push({ work, delayMs }) },
    fetch: async (target: string, { headers, body, ...rest }: FetchOptions) => {
      sent.push({ url: target, headers, body: JSON.parse(body), options: rest })
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer instanceof Error) throw answer
      return { status: answer }
    },
    addEventListener: listen,
    ...options.globals
  }
  for (const [name, value] of Object.entries(context)) if (value === undefined) delete context[name]
  context['window'] = context
  const run = (): void => { runInNewContext(script, context) }
  run()
  await settled()
  return {
    run,
    sent,
    timers,
    storage,
    location,
    history: context['history'] as { pushState: typeof navigate, replaceState: typeof navigate },
    urls: () => sent.map(({ body }) => body.pageUrl),
    emit: (name: string, event: Record<string, unknown> = {}) => { listeners.get(name)?.(event) },
    /** Runs what waits, as if its time had come; resolves when its answers are in. */
    runTimers: async () => {
      for (const { work } of timers.splice(0)) work()
      await settled()
    }
  }
}

/** Resolves when all promises that are settled have been heard. */
async function settled (): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
