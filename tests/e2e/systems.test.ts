/**
 * What clients of page_views, interactions, analytics, visits and of the routes for all streams may rely on,
 * on the whole system, on both logs. One system a log serves all of it.
 */
import { afterAll, beforeAll } from 'vitest'
import { KeyedSystem } from '../support/keyed-system.ts'
import { describeAnalytics } from './systems/analytics.ts'
import { describeEventBatches } from './systems/event-batches.ts'
import { describeInteractions } from './systems/interactions.ts'
import { describeOnEachLog } from '../support/each-log.ts'
import { describePageViews } from './systems/page-views.ts'
import { describeQuestions } from './systems/questions.ts'
import { describeVisits } from './systems/visits.ts'
import { showLogOfFailures } from '../support/millrace.ts'

describeOnEachLog('the systems', (kind) => {
  let system: KeyedSystem
  const running = () => system

  beforeAll(async () => { system = await KeyedSystem.start(kind) })
  showLogOfFailures(() => system?.millrace)
  afterAll(async () => { await system?.stop() })

  describePageViews(running)
  describeInteractions(running)
  describeAnalytics(running)
  describeVisits(running)
  describeEventBatches(running)
  describeQuestions(running)
})
