import type { Stream } from '../stream.ts'
import { userTags } from './user_tags/index.ts'

/** Every stream of the pipeline. A new one is added here, in its own folder, and in its own migration. */
export const streams: readonly Stream[] = [userTags as unknown as Stream]

export { userTags }
export type { UserTag, UserTagRecord } from './user_tags/index.ts'
