import { describe, expect, test, vi } from 'vitest'
import { FencedError } from '../../eventlog/index.ts'
import { toLogError, within } from '../../eventlog/kafka/errors.ts'

/** An error as kafkajs throws it after its retries: the broker's own in the chain of causes. */
function wrapped (type: string): Error {
  return new Error('retries', { cause: new Error('retrier', { cause: Object.assign(new Error(type), { type }) }) })
}

describe('toLogError', () => {
  test.each([
    ['ILLEGAL_GENERATION', 'fenced'],
    ['UNKNOWN_MEMBER_ID', 'fenced'],
    ['REBALANCE_IN_PROGRESS', 'fenced'],
    ['FENCED_INSTANCE_ID', 'fenced'],
    ['MESSAGE_TOO_LARGE', 'record_too_large'],
    ['RECORD_LIST_TOO_LARGE', 'record_too_large'],
    ['NOT_COORDINATOR_FOR_GROUP', 'log_unavailable'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'log_unavailable']
  ])('%s becomes %s', (type, code) => {
    expect(toLogError(wrapped(type), 'test')).toMatchObject({ code, retryable: code === 'log_unavailable' })
  })

  test('what is no broker\'s error is LogUnavailableError and keeps its cause', () => {
    const cause = new Error('socket')
    expect(toLogError(cause, 'test')).toMatchObject({ code: 'log_unavailable', cause })
  })

  test('errors of the interface pass as they are', () => {
    const error = new FencedError('over')
    expect(toLogError(error, 'test')).toBe(error)
  })
})

test('within rejects with LogUnavailableError when the promise is late', async () => {
  vi.useFakeTimers()
  const refused = expect(within(50, 'test', new Promise(() => {}))).rejects.toMatchObject({ code: 'log_unavailable' })
  await vi.advanceTimersByTimeAsync(50)
  await refused
  vi.useRealTimers()
})
