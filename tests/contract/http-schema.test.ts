import { expect, test } from 'vitest'
import { EVENT_TIME_MS_MAX, FORMATS, formatTime, userTags } from '../../contract/index.ts'

test('storable text is what UTF-8 gives back exactly', () => {
  const storable = FORMATS['storable-text']
  for (const text of ['x', '\u0001', '\uffff', '\u{10ffff}', '___', '\n']) {
    expect(storable(text)).toBe(true)
    expect(Buffer.from(text).toString()).toBe(text)
  }
  for (const text of ['\0', 'a\0b', '\ud800', '\udc00x', '\udc00\ud800']) expect(storable(text)).toBe(false)
})

test('event times are those that every table holds', () => {
  const inRange = FORMATS['event-time']
  expect(inRange('1970-01-01T00:00:00Z')).toBe(true)
  expect(inRange(formatTime(EVENT_TIME_MS_MAX))).toBe(true)
  expect(inRange('1969-12-31T23:59:59.999Z')).toBe(false)
  expect(inRange('1970-01-01T00:00:00+00:01')).toBe(false)
  expect(inRange(formatTime(EVENT_TIME_MS_MAX + 1))).toBe(false)
})

test('a client sends the fields of the stream and an optional event_id, and nothing of the envelope', () => {
  const { properties, required, additionalProperties } = userTags.eventSchema as {
    properties: Record<string, { description?: string }>, required: string[], additionalProperties: boolean
  }
  const names = ['time', 'cookie', 'country', 'device', 'action', 'origin', 'product_info']
  expect(Object.keys(properties)).toEqual([...names, 'event_id'])
  expect(required).toEqual(names)
  expect(additionalProperties).toBe(false)
  for (const property of Object.values(properties)) expect(property.description).toMatch(/\w/)
})
