import { Type } from 'typebox'
import type { Static, TObject } from 'typebox'
import type { QuestionLimits } from './ask.ts'

/** Settings of ad-hoc questions, keyed by environment variable. */
export const questionSettings = {
  QUERY_ROWS_MAX: Type.Integer({
    default: 200_000_000,
    minimum: 1,
    description: 'Rows that a question of POST /query may read, by estimate; beyond it the answer is 422.'
  }),
  QUERY_SECONDS_MAX: Type.Integer({
    default: 20,
    minimum: 1,
    description: 'Longest run of a question of POST /query; less than CLICKHOUSE_READ_SECONDS_MAX and the request timeout.'
  }),
  QUERY_IN_FLIGHT_MAX: Type.Integer({
    default: 2,
    minimum: 1,
    maximum: 64,
    description: 'Questions of POST /query in flight at once: they are the heavy ones.'
  }),
  QUERY_WAITING_MAX: Type.Integer({
    default: 100,
    minimum: 1,
    description: 'Questions of POST /query that may wait; one more is answered 503.'
  })
}

export function questionConfig (env: Static<TObject<typeof questionSettings>>): QuestionLimits {
  return {
    rowsReadMax: env.QUERY_ROWS_MAX,
    secondsMax: env.QUERY_SECONDS_MAX,
    inFlightMax: env.QUERY_IN_FLIGHT_MAX,
    queueMax: env.QUERY_WAITING_MAX
  }
}
