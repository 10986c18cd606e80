/** What clients are told of the reports on apps. */
import { Type } from 'typebox'
import { jsonAnswer } from '../../http/index.ts'
import { JOURNEY_KINDS } from '../parse-report-request.ts'
import { choice, dateOrTime, text } from './parameters.ts'
import type { JsonSchema } from '../../contract/index.ts'
import type { Operation } from '../../http/index.ts'

const COUNT: JsonSchema = { type: 'integer', minimum: 0 }
const SECONDS: JsonSchema = { type: 'number', minimum: 0, description: 'Seconds.' }
const PERCENT: JsonSchema = { type: 'number', minimum: 0, maximum: 100 }
const TEXT: JsonSchema = { type: 'string' }
const STAGE: JsonSchema = { type: ['integer', 'string'], description: 'As it was sent.' }
const AVERAGE: JsonSchema = { type: ['number', 'null'], description: 'Seconds each time; null where there was none.' }

const SHARE = { unique_users: COUNT, total_users: COUNT, percent: PERCENT }
const TIME_SPENT = { elapsed: SECONDS, hit: { ...COUNT, description: 'Times.' }, average: AVERAGE }
const EDGE = { unique_users: COUNT, hits: COUNT }

interface ReportText {
  id: string
  summary: string
  /** Members of each entry. */
  entry: Record<string, JsonSchema>
}

/** By the last part of the path. */
export const REPORT_OPERATIONS = {
  stages: reportOperation({
    id: 'readStages',
    summary: 'Users who entered each funnel stage, by date',
    entry: { date: { type: 'string', format: 'date' }, stage: STAGE, unique_users: COUNT }
  }),
  'stages/time': reportOperation({
    id: 'readStageTimes', summary: 'Time spent on each funnel stage', entry: { stage: STAGE, ...TIME_SPENT }
  }),
  elements: reportOperation({
    id: 'readElements',
    summary: 'Elements that were hovered over, and left or clicked',
    entry: {
      element: TEXT,
      hover_leave: COUNT,
      elapsed_leave: SECONDS,
      hover_click: COUNT,
      elapsed_click: SECONDS,
      hit: COUNT,
      percent_leave: PERCENT,
      percent_click: PERCENT,
      average_elapsed: SECONDS
    }
  }),
  conversion: reportOperation({
    id: 'readConversion', summary: 'What part of all users entered each stage', entry: { stage: STAGE, ...SHARE }
  }),
  devices: reportOperation({
    id: 'readDevices',
    summary: 'What part of the users has each kind of device',
    entry: { device: { type: ['string', 'null'] }, ...SHARE }
  }),
  browsers: reportOperation({
    id: 'readBrowsers',
    summary: 'What part of the users has each browser',
    entry: { browser: { type: ['string', 'null'] }, ...SHARE }
  }),
  pages: reportOperation({
    id: 'readPages', summary: 'Views of each page, and time on it', entry: { page: TEXT, views: COUNT, ...TIME_SPENT }
  }),
  journey: journeyOperation()
} as const

function journeyOperation (): Operation {
  const operation = reportOperation({
    id: 'readJourney',
    summary: 'Steps from stage to stage, or from page to page',
    entry: { from: STAGE, to: STAGE, ...EDGE }
  })
  const kind = Type.Optional(choice(JOURNEY_KINDS, 'Through stages, or through pages; `stage` by default.'))
  return { ...operation, query: Type.Object({ ...operation.query?.properties, kind }) }
}

function reportOperation ({ id, summary, entry }: ReportText): Operation {
  return {
    id,
    tag: 'Interactions',
    summary,
    description: 'Both ends of the window are in; by default it is the last 7 days. An unknown app has no entries.',
    path: Type.Object({ app: text('The app.', 'shop') }),
    query: Type.Object({
      from: Type.Optional(dateOrTime('First instant or day.', '2022-03-22')),
      to: Type.Optional(dateOrTime('Last instant or day.', '2022-03-23'))
    }),
    answers: {
      200: jsonAnswer('One entry a row, in order.', {
        type: 'array', items: { type: 'object', properties: entry, required: Object.keys(entry) }
      })
    },
    refusals: ['invalid_parameter', 'invalid_time', 'invalid_time_range']
  }
}
