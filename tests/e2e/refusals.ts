/** What a request that takes one JSON event refuses, whatever its stream. */
import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { posting } from '../support/keyed-system.ts'
import type { HttpAnswer, HttpRequest } from '../support/http-client.ts'

export type Refusal = [what: string, request: HttpRequest, status: number, code: string]

export const EVENT_BYTES_MAX = 64 * 1024

export function expectProblem (answer: HttpAnswer, status: number, code: string): void {
  expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  const problem = JSON.parse(answer.text) as Record<string, unknown>
  expect({ status: answer.status, ...problem }).toMatchObject({
    status, code, type: expect.stringMatching(/^\S+$/), title: expect.any(String), detail: expect.any(String)
  })
  for (const fault of (problem['errors'] ?? []) as unknown[]) {
    expect(fault).toMatchObject({ path: expect.any(String), message: expect.any(String) })
  }
}

/** `event` is a valid one; `text` names a field of any text, `time` the one that says when. */
export function eventRefusals (
  path: string, event: object, { text, time }: { text: string, time: string }
): Refusal[] {
  const changed = (change: object) => posting(path, { ...event, ...change })
  const sent = (body: string | Buffer, headers: Record<string, string> = {}) => posting(path, body, headers)
  const whole = JSON.stringify(event)
  return [
    ...Object.keys(event).flatMap((name): Refusal[] => [
      [`no ${name}`, changed({ [name]: undefined }), 400, 'missing_field'],
      [`${name}: null`, changed({ [name]: null }), 400, 'wrong_type'],
      [`${name}: 1`, changed({ [name]: 1 }), 400, 'wrong_type']
    ]),
    [`empty ${text}`, changed({ [text]: '' }), 400, 'invalid_text'],
    [`${text} of 1025 characters`, changed({ [text]: '🛒'.repeat(1025) }), 400, 'invalid_text'],
    [`NUL in ${text}`, changed({ [text]: 'a\0b' }), 400, 'invalid_text'],
    [`half a surrogate pair in ${text}`, changed({ [text]: '\udc00' }), 400, 'invalid_text'],
    ...[
      'yesterday', '2024-02-30T00:00:00Z', '2024-02-29T00:00:00', '2024-02-29', '1969-12-31T23:59:59.999Z',
      '2106-01-01T00:00:00Z', '2024-02-29T23:59:60Z', '2024-02-29T00:00:00.1234567890Z', '1709164800'
    ].map((value): Refusal => [`${time} ${value}`, changed({ [time]: value }), 400, 'invalid_time']),
    ['an unknown field', changed({ colour: 'red' }), 400, 'unknown_field'],
    ['an empty event_id', changed({ event_id: '' }), 400, 'invalid_text'],
    ['an event_id of 129 characters', changed({ event_id: 'x'.repeat(129) }), 400, 'invalid_text'],
    ['an Idempotency-Key beside another event_id', posting(path, { ...event, event_id: 'a' }, {
      'idempotency-key': 'b'
    }), 400, 'invalid_parameter'],
    ['no body', { method: 'POST', path, headers: { 'content-type': 'application/json' } }, 400, 'empty_body'],
    ['broken JSON', sent(whole.slice(0, -1)), 400, 'malformed_json'],
    ['an array', sent(`[${whole}]`), 400, 'wrong_type'],
    ['more than 64 KiB', sent(whole.padEnd(EVENT_BYTES_MAX + 1)), 413, 'body_too_large'],
    ['more than 64 KiB inside gzip', sent(gzipSync(whole.padEnd(EVENT_BYTES_MAX + 1)), {
      'content-encoding': 'gzip'
    }), 413, 'body_too_large'],
    ['no gzip', sent(whole, { 'content-encoding': 'gzip' }), 400, 'malformed_encoding'],
    ['brotli', sent(whole, { 'content-encoding': 'br' }), 415, 'unsupported_encoding'],
    ['text', sent(whole, { 'content-type': 'text/plain' }), 415, 'unsupported_media_type'],
    ['PUT', { ...sent(whole), method: 'PUT' }, 405, 'method_not_allowed'],
    ['an unknown path', posting(`${path}/more`, event), 404, 'route_not_found']
  ]
}
