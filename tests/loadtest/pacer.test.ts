import { expect, it } from 'vitest'
import { Pacer } from '../../loadtest/pacer.ts'

const ROOM = Number.POSITIVE_INFINITY

it('hands out exactly the rate, however irregular the ticks', () => {
  const pacer = new Pacer({ perSecond: 1000, startMs: 500, backlogMax: 100 })
  let sent = 0
  for (const nowMs of [500, 501.4, 503, 517.2, 900, 1499.9, 1500, 10_500]) sent += pacer.take(nowMs, ROOM)
  expect(sent).toBe(10_000)
  expect(pacer.skipped).toBe(0)
})

it('does not drift at rates that a tick does not divide', () => {
  const pacer = new Pacer({ perSecond: 3, startMs: 0, backlogMax: 10 })
  let sent = 0
  for (let nowMs = 0; nowMs <= 60_000; nowMs += 50) sent += pacer.take(nowMs, ROOM)
  expect(sent).toBe(180)
})

it('keeps a bounded backlog where there is no room, and counts what it skipped', () => {
  const pacer = new Pacer({ perSecond: 1000, startMs: 0, backlogMax: 50 })
  expect(pacer.take(1000, 400)).toBe(400)
  expect(pacer.skipped).toBe(550)
  expect(pacer.take(1000, ROOM)).toBe(50)
  expect(pacer.take(1000, ROOM)).toBe(0)
  expect(pacer.take(2000, ROOM)).toBe(1000)
})

it('hands out nothing before the start, and nothing where there is no room at all', () => {
  const pacer = new Pacer({ perSecond: 10, startMs: 1000, backlogMax: 5 })
  expect(pacer.take(0, ROOM)).toBe(0)
  expect(pacer.take(2000, -3)).toBe(0)
})
