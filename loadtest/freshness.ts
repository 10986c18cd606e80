/** How long after its 204 an event can be read: measured from outside, as a client meets it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Pacer } from './pacer.ts'
import { createRetailer } from './retailer.ts'
import type { LoopbackClient } from './loopback-client.ts'

/** The delays are upper bounds, too large by at most this and one answer. */
export const POLL_MS = 200
/** Beyond the promise that clients have, so that a late event is told from one that never shows. */
const PROBE_MS_MAX = 10_000
const PROBES_UNDER_WAY_MAX = 200
const MINUTE_MS = 60_000

export interface Freshness {
  sent: number
  /** Answered 204: so many events more are stored. */
  accepted: number
  /** Accepted, but not seen within PROBE_MS_MAX. */
  unseen: number
  /** From the 204 to the answer that showed the event. */
  delaysMs: number[]
}

export type Probe = { accepted: false } | { accepted: true, delayMs: number | undefined }

export interface Prober {
  client: LoopbackClient
  seed: number
}

/** Sends probes at a rate until the signal aborts; resolves when the last one has been seen or given up. */
export async function probeFreshness (
  prober: Prober, { perSecond, signal }: { perSecond: number, signal: AbortSignal }
): Promise<Freshness> {
  const result: Freshness = { sent: 0, accepted: 0, unseen: 0, delaysMs: [] }
  const underWay = new Set<Promise<void>>()
  const pacer = new Pacer({ perSecond, startMs: performance.now(), backlogMax: 1 })
  while (!signal.aborted) {
    for (let due = pacer.take(performance.now(), PROBES_UNDER_WAY_MAX - underWay.size); due > 0; due -= 1) {
      result.sent += 1
      const probe: Promise<void> = probeOnce(prober).then((outcome) => record(outcome, result))
        .finally(() => underWay.delete(probe))
      underWay.add(probe)
    }
    await delay(POLL_MS)
  }
  await Promise.all(underWay)
  return result
}

/** Posts an event of a shopper whom nobody else knows and reads the profile until it shows. Never rejects. */
export async function probeOnce ({ client, seed }: Prober): Promise<Probe> {
  const nowMs = Date.now()
  const cookie = `probe-${randomUUID()}`
  const event = { ...createRetailer(seed).next(nowMs), cookie }
  const { status } = await client.post('/user_tags', JSON.stringify(event)).catch(() => ({ status: 0 }))
  if (status !== 204) return { accepted: false }
  const acceptedMs = performance.now()
  const range = `${isoSeconds(nowMs - MINUTE_MS)}_${isoSeconds(nowMs + MINUTE_MS)}`
  while (performance.now() - acceptedMs < PROBE_MS_MAX) {
    const answer = await client.post(`/user_profiles/${cookie}?time_range=${range}&limit=1`).catch(() => undefined)
    if (answer?.status === 200 && answer.body.includes(event.origin)) {
      return { accepted: true, delayMs: performance.now() - acceptedMs }
    }
    await delay(POLL_MS)
  }
  return { accepted: true, delayMs: undefined }
}

function record (probe: Probe, result: Freshness): void {
  if (!probe.accepted) return
  result.accepted += 1
  if (probe.delayMs === undefined) result.unseen += 1
  else result.delaysMs.push(probe.delayMs)
}

function isoSeconds (ms: number): string {
  return new Date(ms).toISOString().slice(0, 19)
}
