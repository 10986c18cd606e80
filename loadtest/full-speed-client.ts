/**
 * A client that sends as fast as it is answered, in a process of its own: load generation must not share an
 * event loop with what it measures. One argument, JSON of `FullSpeedOptions`; sends a `FullSpeedRound` to its
 * parent over IPC.
 */
import autocannon from 'autocannon'
import { createRetailer } from './retailer.ts'
import type { FullSpeedOptions, FullSpeedRound } from './full-speed.ts'

const options = JSON.parse(process.argv[2] ?? '') as FullSpeedOptions
const { url, connections, seconds, bodiesPerConnection, eventsPerRequest = 1, seed } = options
const retailer = createRetailer(seed)
const nowMs = Date.now()
const nextBody = () => eventsPerRequest === 1
  ? retailer.next(nowMs)
  : Array.from({ length: eventsPerRequest }, () => retailer.next(nowMs))
const nextRequest = () => ({ body: JSON.stringify(nextBody()) })

process.once('disconnect', () => { process.exit(1) })
const result = await autocannon({
  url: `${url}${eventsPerRequest === 1 ? '/user_tags' : '/events/user_tags'}`,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  connections,
  duration: seconds,
  // Each connection has bodies of its own; they are serialised before the first one is sent.
  setupClient: (client) => client.setRequests(Array.from({ length: bodiesPerConnection }, nextRequest))
})
const round: FullSpeedRound = {
  seconds: result.duration,
  accepted: result['2xx'] * eventsPerRequest,
  perSecond: result['2xx'] * eventsPerRequest / result.duration,
  refused: result.non2xx,
  errors: result.errors,
  latencyMs: { p50: result.latency.p50, p99: result.latency.p99, max: result.latency.max }
}
process.send?.(round)
process.disconnect?.()
