import { expect, test } from 'vitest'
import { streams } from '../../contract/index.ts'
import { compileValidator } from '../../http/index.ts'
import { createInteractionReader, INTERACTION_EXAMPLE } from '../../ingest/read-interaction.ts'

test.each(streams)('the example of $name is an event of it', ({ eventSchema, example }) => {
  expect(compileValidator(eventSchema)(example)).toBeUndefined()
})

test('the example of an interaction is taken as it stands', () => {
  const read = createInteractionReader()({ app: 'shop', userAgent: () => ({}) })
  expect(read(INTERACTION_EXAMPLE).event).toMatchObject({ app: 'shop', type: 'funnel_change', entered: 'checkout' })
})
