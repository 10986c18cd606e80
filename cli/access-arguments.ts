import { InvalidArgumentError } from 'commander'
import { SCOPES } from '../access/index.ts'
import { parseTime } from '../contract/index.ts'
import type { Scope } from '../http/index.ts'

const UNIT_MS = { d: 86_400_000, h: 3_600_000 } as const

/** Scopes separated by commas. Throws InvalidArgumentError. */
export function parseScopes (text: string): Scope[] {
  const scopes = text.split(',').map((scope) => scope.trim())
  const unknown = scopes.find((scope) => !SCOPES.includes(scope as Scope))
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is none of ${SCOPES.join(', ')}.`)
  return [...new Set(scopes as Scope[])]
}

/** Epoch milliseconds of an RFC 3339 time, or of `nowMs` and a period after it; in the future. */
export function parseExpiry (text: string, nowMs: number): number {
  const [, count, unit] = /^([1-9]\d{0,4})([dh])$/.exec(text) ?? []
  const ms = count === undefined ? parseTime(text) : nowMs + Number(count) * UNIT_MS[unit as 'd' | 'h']
  if (ms === undefined) throw new InvalidArgumentError('It is neither an RFC 3339 time nor a period such as 90d.')
  if (ms <= nowMs) throw new InvalidArgumentError('It has passed.')
  return ms
}

/** Requests a second: a whole number from 1 to 1,000,000. */
export function parseRate (text: string): number {
  if (!/^[1-9]\d{0,5}$|^1000000$/.test(text)) throw new InvalidArgumentError('It is no number from 1 to 1000000.')
  return Number(text)
}
