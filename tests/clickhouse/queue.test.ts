import { expect, test } from 'vitest'
import { BoundedQueue } from '../../clickhouse/embedded-server/queue.ts'

function gate (): { open: () => void, opened: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { open: resolve, opened: promise }
}

const live = new AbortController().signal

test('no more than the limit run at once, and those that wait run in their order', async () => {
  const queue = new BoundedQueue({ runningMax: 2, waitingMax: 10 })
  const gates = Array.from({ length: 5 }, gate)
  const started: number[] = []
  const tasks = gates.map(({ opened }, index) => queue.run(live, async () => {
    started.push(index)
    await opened
    return index
  }))
  await Promise.resolve()
  expect(started).toEqual([0, 1])
  for (const { open } of gates) open()
  expect(await Promise.all(tasks)).toEqual([0, 1, 2, 3, 4])
  expect(started).toEqual([0, 1, 2, 3, 4])
})

test('one more than may wait is refused with code 202; a failed task frees its place', async () => {
  const queue = new BoundedQueue({ runningMax: 1, waitingMax: 1 })
  const { open, opened } = gate()
  const failing = queue.run(live, () => opened.then(() => { throw new Error('failed') }))
  const waiting = queue.run(live, async () => 'ran')
  await expect(queue.run(live, async () => 'never')).rejects.toMatchObject({ code: 202 })
  open()
  await expect(failing).rejects.toThrow('failed')
  expect(await waiting).toBe('ran')
})

test('a task that is aborted while it waits leaves the queue and never runs', async () => {
  const queue = new BoundedQueue({ runningMax: 1, waitingMax: 1 })
  const { open, opened } = gate()
  const first = queue.run(live, () => opened)
  const gone = new AbortController()
  let ran = false
  const second = queue.run(gone.signal, async () => { ran = true })
  gone.abort(new Error('gone'))
  await expect(second).rejects.toThrow('gone')
  const third = queue.run(live, async () => 'third')
  open()
  await first
  expect([await third, ran]).toEqual(['third', false])
})
