import { browsers, devices } from '../reports/shares.ts'
import { clientSignal } from '../client-signal.ts'
import { conversion, stageJourney, stageTimes, stages } from '../reports/stages.ts'
import { elements } from '../reports/elements.ts'
import { pages, urlJourney } from '../reports/pages.ts'
import { parseJourneyRequest, parseReportRequest } from '../parse-report-request.ts'
import { tenantOf } from '../../http/index.ts'
import { REPORT_OPERATIONS } from '../operations/reports.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { RawQuery } from '../../http/index.ts'
import type { Report } from '../reports/report.ts'
import type { ReportRead } from '../readers.ts'
import type { ReportRequest } from '../parse-report-request.ts'
import type { SharedRead } from '../read-sharing.ts'

export interface AppReportsOptions {
  reports: SharedRead<ReportRead, object[]>
  now: () => number
}

interface ReportRoute {
  Params: { app: string }
  Querystring: RawQuery
}

const REPORTS: Readonly<Record<Exclude<keyof typeof REPORT_OPERATIONS, 'journey'>, Report>> = {
  stages,
  'stages/time': stageTimes,
  elements,
  conversion,
  devices,
  browsers,
  pages
}

const JOURNEYS = { stage: stageJourney, url: urlJourney } as const

/**
 * `GET /apps/{app}/{report}?from=&to=`: each answers an array of objects; reports/ says which. Both ends of
 * the window are in; by default it is the last 7 days. `GET /apps/{app}/journey` takes `kind=stage|url` as
 * well, `stage` by default.
 */
export function registerAppReports (server: FastifyInstance, { reports, now }: AppReportsOptions): void {
  const access = { scope: 'query' as const }
  const read = (request: FastifyRequest, reply: FastifyReply, report: Report, asked: ReportRequest) => {
    return reports.read({ tenant: tenantOf(request), request: asked, report }, clientSignal(reply))
  }
  for (const [path, report] of Object.entries(REPORTS)) {
    const operation = REPORT_OPERATIONS[path as keyof typeof REPORTS]
    server.get<ReportRoute>(`/apps/:app/${path}`, { config: { access, operation } }, async (request, reply) => {
      return await read(request, reply, report, parseReportRequest(request.params.app, request.query, now()))
    })
  }
  const operation = REPORT_OPERATIONS.journey
  server.get<ReportRoute>('/apps/:app/journey', { config: { access, operation } }, async (request, reply) => {
    const { kind, ...asked } = parseJourneyRequest(request.params.app, request.query, now())
    return await read(request, reply, JOURNEYS[kind], asked)
  })
}
