/* global __ENV */
/**
 * The retailer's load at constant arrival rates: events, profile reads and aggregates, whether or not the
 * system keeps up. Iterations that no VU was free for are counted as dropped. Settings, by `-e NAME=value`:
 * BASE_URL (loopback only), DURATION_SECONDS, EVENTS_PER_SECOND, PROFILES_PER_SECOND, AGGREGATES_PER_SECOND,
 * SEED, SUMMARY_FILE.
 */
import { check } from 'k6'
import { Counter } from 'k6/metrics'
import { SharedArray } from 'k6/data'
import exec from 'k6/execution'
import http from 'k6/http'
import { createRetailer, withTime } from '../retailer.ts'

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:8080'
const SECONDS = Number(__ENV.DURATION_SECONDS || 60)
const EVENTS = Number(__ENV.EVENTS_PER_SECOND || 1000)
const PROFILES = Number(__ENV.PROFILES_PER_SECOND || 100)
const AGGREGATES = Number(__ENV.AGGREGATES_PER_SECOND || 1)
const SEED = Number(__ENV.SEED || 1)
const SUMMARY_FILE = __ENV.SUMMARY_FILE || 'firehose-summary.json'

/** Every event of a run up to this many is another one; a longer run sends them again with new times. */
const POOL_MAX = 100_000
const SCENARIOS = ['user_tags', 'user_profiles', 'aggregates']
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

if (!/^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(BASE_URL)) {
  throw new Error(`BASE_URL must be on loopback, without a path, and is ${BASE_URL}`)
}

const pool = new SharedArray('events without their time', () => {
  const retailer = createRetailer(SEED)
  const size = Math.min(POOL_MAX, Math.max(1, EVENTS * SECONDS))
  return Array.from({ length: size }, () => JSON.stringify(retailer.nextTimeless()))
})
const accepted = new Counter('events_accepted')

/** All virtual users are made before the start: making one takes longer than an arrival may wait. */
function arrivals (exec, rate, vus) {
  return {
    executor: 'constant-arrival-rate',
    exec,
    rate,
    timeUnit: '1s',
    duration: `${SECONDS}s`,
    preAllocatedVUs: vus,
    maxVUs: vus,
    gracefulStop: '30s'
  }
}

export const options = {
  scenarios: {
    ...(EVENTS > 0 && { user_tags: arrivals('postEvent', EVENTS, 250) }),
    ...(PROFILES > 0 && { user_profiles: arrivals('readProfile', PROFILES, 100) }),
    ...(AGGREGATES > 0 && { aggregates: arrivals('readAggregates', AGGREGATES, 20) })
  },
  // k6 sums up by scenario what a threshold names; the targets are held by who reads the summary.
  thresholds: Object.fromEntries(SCENARIOS.flatMap((name) => [
    [`http_reqs{scenario:${name}}`, ['count>=0']],
    [`http_req_failed{scenario:${name}}`, ['rate>=0']],
    [`http_req_duration{scenario:${name}}`, ['p(99)>=0']]
  ])),
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
  discardResponseBodies: true,
  systemTags: ['scenario', 'status']
}

const JSON_BODY = { headers: { 'content-type': 'application/json' } }
const answers204 = { 'event answered 204': (response) => response.status === 204 }
const answers200 = { 'read answered 200': (response) => response.status === 200 }

export function postEvent () {
  const timeless = pool[exec.scenario.iterationInTest % pool.length]
  const response = http.post(`${BASE_URL}/user_tags`, withTime(timeless, Date.now()), JSON_BODY)
  if (check(response, answers204)) accepted.add(1)
}

/** The last hour of a shopper picked by activity: the busy ones are asked for most. */
export function readProfile () {
  const { cookie } = JSON.parse(pool[Math.floor(Math.random() * pool.length)])
  const nowMs = Date.now()
  const range = `${isoSeconds(nowMs - HOUR_MS)}_${isoSeconds(nowMs + MINUTE_MS)}`
  check(http.post(`${BASE_URL}/user_profiles/${cookie}?time_range=${range}`), answers200)
}

/** The last ten minutes, this one included, by one to three dimensions. */
export function readAggregates () {
  const { origin, product_info: product, action } = JSON.parse(pool[Math.floor(Math.random() * pool.length)])
  const toMs = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS
  const filters = [`&brand_id=${product.brand_id}`, `&category_id=${product.category_id}`, `&origin=${origin}`]
  const query = `time_range=${isoSeconds(toMs - 10 * MINUTE_MS)}_${isoSeconds(toMs)}&action=${action}` +
    '&aggregates=COUNT&aggregates=SUM_PRICE' + filters.slice(0, exec.scenario.iterationInTest % 4).join('')
  check(http.post(`${BASE_URL}/aggregates?${query}`), answers200)
}

export function handleSummary (data) {
  return { [SUMMARY_FILE]: JSON.stringify(data, undefined, 2) }
}

function isoSeconds (ms) {
  return new Date(ms).toISOString().slice(0, 19)
}
