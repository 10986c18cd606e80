/** What clients are told of profiles and aggregates. */
import { Type } from 'typebox'
import { jsonAnswer } from '../../http/index.ts'
import { userTags } from '../../contract/index.ts'
import { ACTIONS, AGGREGATES, RANGE_MINUTES_MAX } from '../parse-aggregates-request.ts'
import { PROFILE_LIMIT_MAX } from '../parse-profile-request.ts'
import { choice, text, timeRange } from './parameters.ts'
import type { Operation } from '../../http/index.ts'

/** Both routes read a body, of any type, to its end. */
const REFUSALS = ['invalid_request', 'body_too_large', 'invalid_parameter', 'invalid_time_range'] as const

const TAGS = {
  type: 'array', items: userTags.eventSchema, maxItems: PROFILE_LIMIT_MAX, description: 'Newest first, as they were sent.'
}

export const PROFILE_OPERATION: Operation = {
  id: 'readUserProfile',
  tag: 'User tags',
  summary: 'Read a shopper\'s newest views and purchases',
  description: 'An unknown shopper has empty lists. A body is ignored.',
  path: Type.Object({ cookie: text('The shopper.', '9WkYGxkiXBfpMIjBGURC') }),
  query: Type.Object({
    time_range: timeRange('Two times, UTC without zone, `[from, to)`, to the millisecond.',
      '2022-03-22T12:15:00.000_2022-03-22T12:30:00.000', '(\\.\\d{1,3})?'),
    limit: Type.Optional(Type.Integer({
      minimum: 0, maximum: PROFILE_LIMIT_MAX, default: PROFILE_LIMIT_MAX, description: 'Of each list.', examples: [10]
    }))
  }),
  answers: {
    200: jsonAnswer('The profile.', {
      title: 'UserProfile',
      type: 'object',
      properties: { cookie: { type: 'string' }, views: TAGS, buys: TAGS },
      required: ['cookie', 'views', 'buys']
    }, { cookie: '9WkYGxkiXBfpMIjBGURC', views: [userTags.example], buys: [] })
  },
  refusals: [...REFUSALS, 'invalid_limit']
}

const COLUMNS = ['1m_bucket', 'action', 'origin', 'brand_id', 'category_id', 'count', 'sum_price']

export const AGGREGATES_OPERATION: Operation = {
  id: 'readAggregates',
  tag: 'User tags',
  summary: 'Count events and sum prices, minute by minute',
  description: 'One row for every minute of the range, zeros included. A body is ignored.',
  query: Type.Object({
    time_range: timeRange(
      `Two UTC times on whole minutes, without zone, \`[from, to)\`, at most ${RANGE_MINUTES_MAX} minutes.`,
      '2022-03-22T12:15:00_2022-03-22T12:18:00'
    ),
    action: choice(ACTIONS, 'What is counted.'),
    aggregates: Type.Unsafe({
      type: 'array',
      items: { type: 'string', enum: AGGREGATES },
      minItems: 1,
      maxItems: AGGREGATES.length,
      uniqueItems: true,
      description: 'Repeated for both; `aggregates[]` is the same.',
      examples: [['COUNT', 'SUM_PRICE']]
    }),
    origin: Type.Optional(text('Only events of this origin.', 'CAMPAIGN_321')),
    brand_id: Type.Optional(text('Only events of this brand.', 'Ebros_Gift')),
    category_id: Type.Optional(text('Only events of this category.', 'Trousers'))
  }),
  answers: {
    200: jsonAnswer('The table.', {
      title: 'Aggregates',
      type: 'object',
      properties: {
        columns: {
          type: 'array',
          items: { type: 'string', enum: COLUMNS },
          description: 'Those that the query names, the aggregates in its order.'
        },
        rows: { type: 'array', items: { type: 'array', items: { type: 'string' } }, maxItems: RANGE_MINUTES_MAX }
      },
      required: ['columns', 'rows']
    }, { columns: ['1m_bucket', 'action', 'count'], rows: [['2022-03-22T12:15:00', 'VIEW', '3']] })
  },
  refusals: [...REFUSALS, 'invalid_action', 'invalid_aggregates']
}
