export { deadLetterRoutes } from './app.ts'
export { DeadLetters } from './dead-letters.ts'
export type { BulkAnswer, DeadLettersOptions, LetterList } from './dead-letters.ts'
export { parseBulkRequest, parseLetterId, parseListRequest } from './parse-request.ts'
