import { describe, expect, test } from 'vitest'
import { parseBatch, parseLines } from '../../ingest/event-batch.ts'

const code = (parse: () => unknown): unknown => {
  try {
    return parse()
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('lines of JSON', () => {
  test.each<[string, unknown[]]>([
    ['1\n2', [1, 2]], ['1\n2\n', [1, 2]], ['1\r\n2\r\n', [1, 2]], ['\n\n 1 \n\t\n\r\n2\n\n', [1, 2]],
    ['"a\\nb"\n', ['a\nb']], ['\uFEFF1\n2', [1, 2]], ['\n', []], [' ', []], ['[1]\n{}', [[1], {}]]
  ])('%j are its events, blank lines are none', (text, items) => {
    expect(parseLines(text)).toEqual({ items, single: false })
  })

  test('a broken line stands in its place, and costs no other', () => {
    const { items } = parseLines('1\n{"a":\n\n2\n1 2')
    expect(items).toEqual([1, expect.any(Symbol), 2, expect.any(Symbol)])
  })

  test('1,000 are taken, blank ones not counted, and 1,001 are not', () => {
    expect(parseLines('1\n\n'.repeat(1000)).items).toHaveLength(1000)
    expect(code(() => parseLines('1\n'.repeat(1001)))).toBe('too_many_events')
    expect(code(() => parseLines(''))).toBe('empty_body')
  })
})

describe('a batch of JSON', () => {
  test('is an array of events, or one event', () => {
    expect(parseBatch('[1,[2],null]')).toEqual({ items: [1, [2], null], single: false })
    expect(parseBatch('[]')).toEqual({ items: [], single: false })
    expect(parseBatch('\uFEFF{}')).toEqual({ items: [{}], single: true })
    expect(parseBatch('null')).toEqual({ items: [null], single: true })
  })

  test('is refused where it is empty, broken or too many', () => {
    expect(code(() => parseBatch(''))).toBe('empty_body')
    for (const text of [' ', '{', '[1,]', '1 2', 'NaN']) expect(code(() => parseBatch(text))).toBe('malformed_json')
    expect(code(() => parseBatch(JSON.stringify(Array(1001).fill(1))))).toBe('too_many_events')
  })
})
