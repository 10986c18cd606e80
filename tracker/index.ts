export { trackerRoutes } from './tracker-routes.ts'
export type { TrackerOptions } from './tracker-routes.ts'
export { readTrackerScript } from './tracker-script.ts'
