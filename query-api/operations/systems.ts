/** What clients are told of the reads of page views, analytics and visits. */
import { Type } from 'typebox'
import { jsonAnswer } from '../../http/index.ts'
import { DAYS_DEFAULT, DAYS_MAX } from '../parse-user-statistics-request.ts'
import { AGGREGATIONS } from '../parse-visits-request.ts'
import { choice, dateOrTime, text } from './parameters.ts'
import type { Operation } from '../../http/index.ts'

const COUNT = { type: 'integer', minimum: 0 }

export const USER_STATISTICS_OPERATION: Operation = {
  id: 'readUserStatistics',
  tag: 'Page views',
  summary: 'Read what a user viewed',
  description: 'In the days up to `as_of`. An unknown user has zeros and null. ' +
    'The members keep their names for every number of days.',
  path: Type.Object({ user_id: text('The user.', 'u1') }),
  query: Type.Object({
    days: Type.Optional(Type.Integer({
      minimum: 1, maximum: DAYS_MAX, default: DAYS_DEFAULT, description: 'Length of the window.'
    })),
    as_of: Type.Optional(dateOrTime('End of the window; now by default.', '2022-03-23T00:00:00Z'))
  }),
  answers: {
    200: jsonAnswer('The statistics.', {
      title: 'UserStatistics',
      type: 'object',
      properties: {
        user_id: { type: 'string' },
        number_pages_viewed_the_last_7_days: { ...COUNT, description: 'Views.' },
        time_spent_on_site_last_7_days: { type: 'number', minimum: 0, description: 'Minutes.' },
        number_of_days_active_last_7_days: { ...COUNT, description: 'UTC dates with a view.' },
        most_viewed_page_last_7_days: { type: ['string', 'null'], description: 'Of equal ones, the one viewed last.' }
      },
      required: [
        'user_id', 'number_pages_viewed_the_last_7_days', 'time_spent_on_site_last_7_days',
        'number_of_days_active_last_7_days', 'most_viewed_page_last_7_days'
      ]
    }, {
      user_id: 'u1',
      number_pages_viewed_the_last_7_days: 21,
      time_spent_on_site_last_7_days: 18,
      number_of_days_active_last_7_days: 7,
      most_viewed_page_last_7_days: '/home'
    })
  },
  refusals: ['invalid_parameter', 'invalid_time']
}

const ANALYTICS_ANSWER = jsonAnswer('The hour, both ends in. Text, or JSON where `Accept` asks for it.', {
  title: 'AnalyticsHour',
  type: 'object',
  properties: { unique_users: COUNT, clicks: COUNT, impressions: COUNT },
  required: ['unique_users', 'clicks', 'impressions']
}, { unique_users: 2, clicks: 1, impressions: 1 })

export const ANALYTICS_OPERATION: Operation = {
  id: 'readAnalytics',
  tag: 'Analytics',
  summary: 'Count users, clicks and impressions of an hour',
  query: Type.Object({
    timestamp: Type.String({
      pattern: '^\\d{1,20}$',
      description: 'End of the hour: seconds, or from 10^11 on milliseconds, since 1970.',
      examples: ['1224567999']
    })
  }),
  answers: {
    200: {
      ...ANALYTICS_ANSWER,
      content: {
        'text/plain': { schema: { type: 'string' }, example: 'unique_users,2\nclicks,1\nimpressions,1' },
        ...ANALYTICS_ANSWER.content
      }
    }
  },
  refusals: ['invalid_parameter', 'invalid_time', 'out_of_range']
}

export const VISITS_OPERATION: Operation = {
  id: 'readVisits',
  tag: 'Visits',
  summary: 'Count visits by page and time',
  description: 'Pages in the order of their bytes, UTC buckets of time ascending; what has no visits is left out. ' +
    'At most 10,000 buckets.',
  query: Type.Object({
    aggregation: Type.Optional(choice(AGGREGATIONS, 'Length of a bucket; `day` by default.')),
    unique: Type.Optional(choice(['true', 'false'], 'Distinct visitors instead of visits.')),
    dateFrom: Type.Optional(dateOrTime('First instant or day; by default as far back as suits the buckets.',
      '2023-11-01')),
    dateTo: Type.Optional(dateOrTime('Last instant or day; now by default.', '2023-11-30'))
  }),
  answers: {
    200: jsonAnswer('Visits by page.', {
      title: 'Visits',
      type: 'object',
      properties: {
        data: {
          type: 'object',
          description: 'By URL of the page.',
          additionalProperties: {
            type: 'array',
            items: {
              type: 'object',
              properties: { timeframe: { type: 'string', format: 'date-time' }, visit_count: COUNT },
              required: ['timeframe', 'visit_count']
            }
          }
        }
      },
      required: ['data']
    }, { data: { 'https://shop.example/cart': [{ timeframe: '2023-11-01T00:00:00.000Z', visit_count: 26 }] } })
  },
  refusals: ['invalid_parameter', 'invalid_time', 'invalid_time_range']
}
