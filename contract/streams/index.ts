import type { Stream } from '../stream.ts'
import { analytics } from './analytics/index.ts'
import { interactions } from './interactions/index.ts'
import { pageViews } from './page_views/index.ts'
import { userTags } from './user_tags/index.ts'
import { visits } from './visits/index.ts'

/** Every stream of the pipeline. A new one is added here, in its own folder, and in its own migration. */
export const streams = [userTags, pageViews, interactions, analytics, visits] as unknown as readonly Stream[]

export { analytics, interactions, pageViews, userTags, visits }
export type { AnalyticsEvent, AnalyticsEventRecord } from './analytics/index.ts'
export type { Interaction, InteractionRecord } from './interactions/index.ts'
export type { PageView, PageViewRecord } from './page_views/index.ts'
export type { UserTag, UserTagRecord } from './user_tags/index.ts'
export type { Visit, VisitRecord } from './visits/index.ts'
