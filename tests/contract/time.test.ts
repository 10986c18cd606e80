import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, civilToMs, formatTime, parseTime } from '../../contract/index.ts'
import { timeTextToKeep } from '../../contract/time.ts'

const instants = fc.integer({ min: EVENT_TIME_MS_MIN, max: EVENT_TIME_MS_MAX })

describe('parseTime', () => {
  test('agrees with Date on every time that Date writes, years 0 to 9999', () => {
    const [min, max] = [new Date('0000-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')]
    const dates = fc.date({ min, max, noInvalidDate: true })
    fc.assert(fc.property(dates, (date) => { expect(parseTime(date.toISOString())).toBe(date.getTime()) }))
  })

  test('agrees with Date on offsets', () => {
    const offsets = fc.tuple(fc.constantFrom('+', '-'), fc.nat(23), fc.nat(59))
    fc.assert(fc.property(instants, offsets, (ms, [sign, hours, minutes]) => {
      const offset = `${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
      const text = formatTime(ms).replace('Z', offset)
      expect(parseTime(text)).toBe(new Date(text).getTime())
    }))
  })

  test('cuts a fraction of any length to milliseconds', () => {
    fc.assert(fc.property(instants, fc.stringMatching(/^\d{1,9}$/), (ms, fraction) => {
      const seconds = formatTime(ms).slice(0, 19)
      const expected = new Date(`${seconds}.${fraction.padEnd(3, '0').slice(0, 3)}Z`).getTime()
      expect(parseTime(`${seconds}.${fraction}Z`)).toBe(expected)
    }))
  })

  test.each([
    ['2022-03-22T12:15:00Z', Date.UTC(2022, 2, 22, 12, 15)],
    ['2022-03-22t12:15:00z', Date.UTC(2022, 2, 22, 12, 15)],
    ['2022-03-22T12:15:00.999999999Z', Date.UTC(2022, 2, 22, 12, 15, 0, 999)],
    ['2022-03-22T00:15:00+01:00', Date.UTC(2022, 2, 21, 23, 15)],
    ['2022-03-22T12:15:00.5-00:30', Date.UTC(2022, 2, 22, 12, 45, 0, 500)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)]
  ])('reads %s', (text, ms) => { expect(parseTime(text)).toBe(ms) })

  test.each([
    '', 'now', '2022-03-22', '2022-03-22T12:15Z', '2022-03-22T12:15:00', '2022-03-22 12:15:00Z',
    '2022-03-22T12:15:00.Z', '2022-03-22T12:15:00.1234567890Z', '2022-03-22T12:15:00,5Z', '2022-3-22T12:15:00Z',
    '+02022-03-22T12:15:00Z', '2022-00-22T12:15:00Z', '2022-13-22T12:15:00Z', '2022-03-00T12:15:00Z',
    '2022-04-31T12:15:00Z', '2023-02-29T00:00:00Z', '1900-02-29T00:00:00Z', '2022-03-22T24:00:00Z',
    '2022-03-22T12:60:00Z', '2022-03-22T12:15:60Z', '2016-12-31T23:59:60Z', '2022-03-22T12:15:00+24:00',
    '2022-03-22T12:15:00+01:60', '2022-03-22T12:15:00+0100', '2022-03-22T12:15:00+01', '2022-03-22T12:15:00ZZ',
    ' 2022-03-22T12:15:00Z', '2022-03-22T12:15:00Z\n', '２022-03-22T12:15:00Z', '1647951300000'
  ])('refuses %j', (text) => { expect(parseTime(text)).toBeUndefined() })

  test('reads or refuses any text, and never throws', () => {
    const noise = fc.stringMatching(/^[0-9TZtz:.+-]{0,40}$/)
    fc.assert(fc.property(fc.oneof(fc.string(), noise), (text) => {
      const ms = parseTime(text)
      expect(ms === undefined || Number.isSafeInteger(ms)).toBe(true)
    }))
  })
})

test('civilToMs is undefined where there is no such day or time of day', () => {
  expect(civilToMs(99, 12, 31, 23, 59, 59)).toBe(new Date('0099-12-31T23:59:59Z').getTime())
  const missing = [[0, 1, 0], [13, 1, 0], [2, 30, 0], [1, 32, 0], [1, 0, 0], [1, 1, 24]] as const
  for (const [month, day, hour] of missing) {
    expect(civilToMs(2024, month, day, hour, 0, 0)).toBeUndefined()
  }
})

describe('the text of a time', () => {
  test.each([
    ['2022-03-22T12:15:00.000Z', null],
    ['2022-03-22T12:15:00.123456Z', null],
    ['2022-03-22T12:15:00Z', '2022-03-22T12:15:00Z'],
    ['2022-03-22T12:15:00.5Z', '2022-03-22T12:15:00.5Z'],
    ['2022-03-22t12:15:00.000Z', '2022-03-22t12:15:00.000Z'],
    ['2022-03-22T12:15:00.000z', '2022-03-22T12:15:00.000z'],
    ['2022-03-22T12:15:00.1239+02:00', '2022-03-22T12:15:00.123+02:00'],
    ['2022-03-22T12:15:00+02:00', '2022-03-22T12:15:00+02:00']
  ])('of %s is kept as %j', (text, kept) => { expect(timeTextToKeep(text)).toBe(kept) })

  test('is dropped only where the milliseconds give it back', () => {
    const texts = fc.tuple(instants, fc.constantFrom('Z', 'z', '+00:00'), fc.constantFrom(0, 19, 21, 23))
    fc.assert(fc.property(texts, ([ms, zone, cut]) => {
      const text = (cut === 0 ? `${formatTime(ms).slice(0, 23)}999` : formatTime(ms).slice(0, cut)) + zone
      const wanted = text.replace(/(\.\d{3})\d+/, '$1')
      expect(timeTextToKeep(text) ?? formatTime(parseTime(text) as number)).toBe(wanted)
    }))
  })
})
