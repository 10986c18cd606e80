import { ClickHouseError } from '@clickhouse/client'
import { expect, test } from 'vitest'
import { classifyFault, clickHouseCode } from '../../clickhouse/index.ts'

const fault = (code: string): Error => new ClickHouseError({ message: 'refused_rows', code, type: 'X' })

test.each(['252', '241', '159', '209', '210', '242', '999', '202', '439', '243', '319', '236'])('code %s is sent again', (code) => {
  expect(classifyFault(fault(code))).toBe('retry')
})

test.each(['6', '26', '27', '38', '41', '53', '69', '70', '72', '117', '131', '349', '469', '395'])('code %s refuses rows', (code) => {
  expect(classifyFault(fault(code))).toBe('refused_rows')
})

test.each(['60', '81', '516', '497', '164', '16', '62'])('code %s is fatal', (code) => {
  expect(classifyFault(fault(code))).toBe('fatal')
})

test('what nobody foresaw is sent again: later codes, sockets, aborted requests, things that are no errors', () => {
  const socket = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  for (const error of [fault('123456'), socket, new Error('Timeout error.'), new DOMException('gone', 'AbortError'), 'text', undefined]) {
    expect(classifyFault(error)).toBe('retry')
  }
})

test('the code is never read from the text', () => {
  expect(clickHouseCode(new Error('Code: 60. DB::Exception: Unknown table (UNKNOWN_TABLE)'))).toBeUndefined()
})
