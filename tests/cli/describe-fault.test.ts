import { expect, test } from 'vitest'
import { describeFault } from '../../cli/describe-fault.ts'
import { MillraceError } from '../../contract/index.ts'

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:18123'), { code: 'ECONNREFUSED', syscall: 'connect' })
const HINT = '(CLICKHOUSE_URL, or CLICKHOUSE_PORT, says where ClickHouse is)'

test('a database that is away is named with its address, and with the settings that say where it is', () => {
  const error = new MillraceError('storage_unavailable', 'ClickHouse did not answer', { cause: refused })
  expect(describeFault(error)).toBe(`ClickHouse did not answer: ${refused.message} ${HINT}`)
  expect(describeFault(refused)).toBe(`${refused.message} ${HINT}`)
  expect(describeFault(new AggregateError([refused]))).toBe(refused.message)
})

test('a log that is away says nothing of ClickHouse', () => {
  const error = new MillraceError('log_unavailable', 'The log did not answer', { cause: refused })
  expect(describeFault(error)).toBe(`The log did not answer: ${refused.message}`)
})

test('what a cause only repeats is said once', () => {
  expect(describeFault(new Error('no: why', { cause: new Error('why') }))).toBe('no: why')
})
