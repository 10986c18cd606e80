import { setTimeout as delay } from 'node:timers/promises'
import { Pacer } from './pacer.ts'
import { distributionOf } from './percentiles.ts'
import type { Answer } from './loopback-client.ts'
import type { Distribution } from './percentiles.ts'

export interface PacedOptions {
  perSecond: number
  seconds: number
  /** Requests that may be under way; what is due beyond them is not sent, and counts as failed. */
  underWayMax: number
  /** Sends the request of this number, from 0. */
  send: (index: number) => Promise<Answer>
  signal: AbortSignal
}

export interface PacedFigures {
  requests: number
  /** Not answered 200, those included that were due and never sent. */
  failed: number
  /** Of the answered ones: milliseconds from sending to the end of the answer. */
  latencyMs: Distribution
}

const TICK_MS = 2

/** Sends at a constant rate whether or not earlier requests were answered; resolves when all have been. */
export async function sendPaced (
  { perSecond, seconds, underWayMax, send, signal }: PacedOptions
): Promise<PacedFigures> {
  const underWay = new Set<Promise<void>>()
  const latencies: number[] = []
  let failed = 0
  let sent = 0
  const one = async (index: number): Promise<void> => {
    const startMs = performance.now()
    const status = await send(index).then((answer) => answer.status, () => 0)
    if (status === 200) latencies.push(performance.now() - startMs)
    else failed += 1
  }
  const startMs = performance.now()
  const pacer = new Pacer({ perSecond, startMs: 0, backlogMax: 0 })
  let elapsedMs = 0
  while (elapsedMs < seconds * 1000) {
    signal.throwIfAborted()
    elapsedMs = Math.min(performance.now() - startMs, seconds * 1000)
    for (let due = pacer.take(elapsedMs, underWayMax - underWay.size); due > 0; due -= 1) {
      const request: Promise<void> = one(sent).finally(() => underWay.delete(request))
      sent += 1
      underWay.add(request)
    }
    await delay(TICK_MS)
  }
  await Promise.all(underWay)
  const { skipped } = pacer
  return { requests: sent + skipped, failed: failed + skipped, latencyMs: distributionOf(latencies) }
}
