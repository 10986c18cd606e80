/** What the demo prints: pure functions from figures to text. */

export interface DemoSecond {
  elapsedSeconds: number
  accepted: number
  acceptedThisSecond: number
  /** Undefined where the processors' metrics do not answer. */
  stored: number | undefined
  lag: number | undefined
  /** Milliseconds from a 204 to a read that shows the event; undefined until the first probe is back. */
  freshnessMs: number | undefined
  /** NaN in a second without an answer. */
  postP99Ms: number
  example: string
}

export interface DemoTotals {
  elapsedSeconds: number
  accepted: number
  stored: number | undefined
  refused: number
  skipped: number
}

const NONE = '–'

/** One line of the demo. */
export function renderSecond (second: DemoSecond): string {
  const { accepted, acceptedThisSecond, stored, lag, freshnessMs, postP99Ms, example } = second
  return [
    clock(second.elapsedSeconds),
    `accepted ${count(accepted)} (+${count(acceptedThisSecond)})`.padEnd(27),
    `stored ${count(stored)}`.padEnd(17),
    `lag ${count(lag)}`.padEnd(11),
    `fresh ${freshnessMs === undefined ? NONE : `${(freshnessMs / 1000).toFixed(2)} s`}`.padEnd(13),
    `p99 ${Number.isNaN(postP99Ms) ? NONE : `${postP99Ms.toFixed(1)} ms`}`.padEnd(14),
    example
  ].join(' ').trimEnd()
}

/** The closing summary. */
export function renderTotals ({ elapsedSeconds, accepted, stored, refused, skipped }: DemoTotals): string {
  const rate = elapsedSeconds === 0 ? 0 : accepted / elapsedSeconds
  const missing = stored === undefined ? undefined : Math.max(0, accepted - stored)
  return [
    `${count(accepted)} events accepted in ${clock(elapsedSeconds)} (${count(Math.floor(rate))} a second), ` +
      `${count(stored)} stored, ${missing === 0 ? 'none missing' : `${count(missing)} not stored yet`}.`,
    `${count(refused)} refused or unanswered (some may be stored all the same), ` +
      `${count(skipped)} not sent because too many were under way.`
  ].join('\n')
}

/** The newest action of a profile's answer, as `cookie… VIEW brand, 0.8 s ago`; empty where there is none. */
export function newestAction (profile: string, nowMs: number): string {
  const { cookie, views, buys } = JSON.parse(profile) as Record<'views' | 'buys', NewestTag[]> & { cookie: string }
  const [newest] = [...views.slice(0, 1), ...buys.slice(0, 1)]
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time))
  if (newest === undefined) return ''
  const agoSeconds = Math.max(0, (nowMs - Date.parse(newest.time)) / 1000)
  return `${cookie.slice(0, 6)}… ${newest.action} ${newest.product_info.brand_id}, ${agoSeconds.toFixed(1)} s ago`
}

/** The last row of an answer of /aggregates, as `12:15 VIEW: 54,321 events, prices add up to 123`. */
export function aggregateRow (answer: string): string {
  const row = (JSON.parse(answer) as { rows: string[][] }).rows.at(-1)
  if (row === undefined) return ''
  const [bucket, action, events, sum] = row as [string, string, string, string]
  return `${bucket.slice(11, 16)} ${action}: ${count(Number(events))} events, prices add up to ${count(Number(sum))}`
}

/** The sum over all series of a metric with a label of this value; undefined where there are none. */
export function metricSum (exposition: string, name: string, label: string): number | undefined {
  const values = exposition.split('\n')
    .filter((line) => line.startsWith(`${name}{`) && line.includes(`="${label}"`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0)
}

interface NewestTag {
  time: string
  action: string
  product_info: { brand_id: string }
}

function count (value: number | undefined): string {
  return value === undefined ? NONE : value.toLocaleString('en-US')
}

function clock (seconds: number): string {
  const whole = Math.floor(seconds)
  return `${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}`
}
