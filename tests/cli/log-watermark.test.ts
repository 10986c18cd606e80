import { afterEach, expect, test, vi } from 'vitest'
import { logWatermark } from '../../cli/log-watermark.ts'
import type { LogWatermark } from '../../cli/log-watermark.ts'

const watermarks: LogWatermark[] = []
afterEach(() => { for (const watermark of watermarks.splice(0)) watermark.close() })

/** A log of two partitions whose ends and commits a test sets; every look is a second after the last. */
function start () {
  const log = {
    ends: [0, 0],
    commits: [] as Array<number | undefined>,
    failing: false,
    spooled: false,
    offsets: vi.fn(async () => {
      if (log.failing) throw new Error('told to fail')
      return log.ends.map((end, partition) => ({ partition, begin: 0, end }))
    }),
    committedOffsets: async () => log.commits.flatMap((offset, partition) => {
      return offset === undefined ? [] : [{ partition, offset, metadata: '' }]
    })
  }
  let nowMs = 0
  const watermark = logWatermark({
    eventLog: log, group: 'g', topics: new Map([['s', 's']]), hasSpooled: () => log.spooled, now: () => nowMs
  })
  watermarks.push(watermark)
  const look = async (ends: number[], commits: Array<number | undefined>, afterMs = 1_000) => {
    Object.assign(log, { ends, commits })
    nowMs += afterMs
    return (await watermark.stateOf('s')).completeUpToMs
  }
  return { log, look, watermark, at: () => nowMs }
}

test('where all that there is was stored, the answer is complete up to the look itself', async () => {
  const { look, at } = start()
  expect(await look([0, 0], [])).toBe(at())
  expect(await look([5, 7], [5, 7])).toBe(at())
})

test('where a partition lags, it is complete up to the last look whose end was stored', async () => {
  const { look } = start()
  expect(await look([5, 0], [5])).toBe(1_000)
  expect(await look([10, 0], [5])).toBe(1_000)
  expect(await look([20, 3], [10, 3])).toBe(2_000)
  expect(await look([30, 4], [19, 3])).toBe(2_000)
  expect(await look([30, 4], [30, 3])).toBe(3_000)
  expect(await look([30, 4], [30, 4])).toBe(6_000)
})

test('a process that starts while the processors are behind promises nothing until they caught up', async () => {
  const { look } = start()
  expect(await look([100, 0], [50])).toBeUndefined()
  expect(await look([200, 0], [99])).toBeUndefined()
  expect(await look([300, 0], [100])).toBe(1_000)
})

test('a log that does not answer makes no promise, and the next look is as good as ever', async () => {
  const { log, look, watermark } = start()
  expect(await look([5, 0], [5])).toBe(1_000)
  log.failing = true
  expect(await look([5, 0], [5])).toBeUndefined()
  expect((await watermark.stateOf('s')).version).toBeUndefined()
  log.failing = false
  expect(await look([6, 0], [5])).toBe(1_000)
})

test('a look during which accepted events wait in the spool promises nothing, whatever is stored', async () => {
  const { log, look } = start()
  expect(await look([5, 0], [5])).toBe(1_000)
  log.spooled = true
  expect(await look([5, 0], [5])).toBe(1_000)
  expect(await look([9, 0], [9])).toBe(1_000)
  log.spooled = false
  expect(await look([20, 0], [9])).toBe(1_000)
  expect(await look([20, 0], [20])).toBe(5_000)
})

test('one look serves a quarter of a second, and the version changes with what is stored alone', async () => {
  const { log, look, watermark } = start()
  await look([5, 5], [5, 4])
  const { version } = await watermark.stateOf('s')
  await look([9, 9], [5, 4], 100)
  expect(log.offsets).toHaveBeenCalledTimes(1)
  await look([9, 9], [5, 4], 200)
  expect(log.offsets).toHaveBeenCalledTimes(2)
  expect((await watermark.stateOf('s')).version).toBe(version)
  await look([9, 9], [5, 5])
  expect((await watermark.stateOf('s')).version).not.toBe(version)
  expect(await watermark.stateOf('unknown')).toEqual({ completeUpToMs: undefined, version: undefined })
})
