import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestClickHouse } from '../../support/clickhouse.ts'
import { codeBlocks } from '../../support/markdown.ts'
import { compareKeys, evaluate, localBuckets } from './model.ts'
import { engineClient, modelTag, questionServer, randomOf, randomTags, store, userTagStream } from './question-server.ts'
import type { FastifyInstance } from 'fastify'
import type { Cell } from '../../../query-api/questions/answer.ts'
import type { QuestionInput } from '../../../query-api/questions/parse-question.ts'
import type { TestClickHouse } from '../../support/clickhouse.ts'

/** Lines of an answer that the page shows: the names of the columns and the first rows. */
const LINES_SHOWN = 4

const blocks = codeBlocks('docs/query.md').filter(({ section }) => section === 'Ten questions of a retailer')
const questions = blocks.filter(({ language }) => language === 'json').map(({ text }) => JSON.parse(text) as QuestionInput)
const shown = blocks.filter(({ language }) => language === 'csv').map(({ text }) => text.trim().split('\n').map((line) => line.trim()))
const tags = randomTags(20_000, Date.UTC(2026, 9, 23), Date.UTC(2026, 9, 30), randomOf(1))
const events = tags.map(modelTag).map(({ ms, fields }) => ({ ms, fields: { ...fields, time: ms } }))

let clickHouse: TestClickHouse
let server: FastifyInstance
beforeAll(async () => {
  clickHouse = await startTestClickHouse()
  await store(clickHouse, userTagStream, tags)
  server = await questionServer({ client: engineClient(clickHouse) })
})
afterAll(async () => {
  await server?.close()
  await clickHouse?.close()
})

it('has ten questions', () => { expect(questions).toHaveLength(10) })

it.each(questions.map((question, index) => [index + 1, question] as const))('question %i of docs/query.md has the answer that the page shows', async (number, question) => {
  const { body } = await server.inject({ method: 'POST', url: '/query', payload: question, headers: { accept: 'text/csv' } })
  expect(shown[number - 1]).toEqual(body.trimEnd().split('\r\n').slice(0, LINES_SHOWN))
})

it.each(questions.map((question, index) => [index + 1, question] as const))('question %i of docs/query.md is answered as a plain evaluator does', async (_number, question) => {
  const answer = await server.inject({ method: 'POST', url: '/query', payload: question })
  const { rows, columns } = answer.json<{ rows: Cell[][], columns: Array<{ type: string }> }>()
  expect(rows.length).toBeGreaterThan(0)
  const label = question.time.bucket === undefined
    ? (text: string) => Date.parse(text)
    : (text: string) => localBuckets(question.time.bucket as string, question.time.timezone ?? 'UTC')(Date.parse(text))
  const comparable = (cells: Cell[][]): Cell[][] => cells.map((row) => row.map((cell) => {
    return typeof cell === 'number' ? Number(cell.toPrecision(12)) : cell
  })).toSorted(compareKeys)
  const found = rows.map((row) => row.map((cell, index) => {
    return columns[index]?.type === 'time' && cell !== null ? label(String(cell)) : cell
  }))
  const expected = evaluate(question, events)
  if (question.fill === true) expect(found.filter((row) => row.at(-1) !== 0)).toHaveLength(expected.length)
  else if (rows.length < (question.limit ?? 1000)) expect(comparable(found)).toEqual(comparable(expected))
})
