/**
 * `/openapi.json`, the description of every route that this listener has, and `/docs`, the same to read and
 * try. docs/api.md says what a route does for it.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import manifest from '../package.json' with { type: 'json' }
import { ERROR_CODES } from '../contract/index.ts'
import { TAGS, refusalsOf } from './operation.ts'
import { publishSchema } from './published-schema.ts'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import type { ErrorCode, JsonSchema } from '../contract/index.ts'
import type { Answer, Content, Operation } from './operation.ts'
import type { NamedSchemas } from './published-schema.ts'
import type { RouteAccess } from './principal.ts'

const HIDDEN = { hide: true } as object
const ANY_KEY = [{ apiKey: [] }, { bearer: [] }]

const SECURITY_SCHEMES = {
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An API key of an organisation.' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key.' }
} as const

const PROBLEM_SCHEMA: JsonSchema = {
  title: 'Problem',
  description: 'Problem details, RFC 9457.',
  type: 'object',
  properties: {
    type: { type: 'string', format: 'uri' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people; branch on `code`.' },
    code: { type: 'string', enum: Object.keys(ERROR_CODES) },
    request_id: { type: 'string', description: 'Of a 5xx: what the log knows it by, as the header x-request-id.' },
    errors: {
      type: 'array',
      description: 'What is wrong with the request, where it is more than one thing or has a place.',
      items: {
        type: 'object',
        properties: {
          path: { type: 'string', description: 'A JSON pointer, or the name of a parameter or header.' },
          code: { type: 'string', enum: Object.keys(ERROR_CODES) },
          message: { type: 'string' }
        },
        required: ['path', 'code', 'message']
      }
    }
  },
  required: ['type', 'title', 'status', 'detail', 'code']
}

/** `/openapi.json`. To be called before the routes are registered: those of before are left out. */
export async function registerOpenApi (server: FastifyInstance): Promise<void> {
  const bodies: Bodies = new Map()
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: manifest.name,
        version: manifest.version,
        description: `${manifest.description}.`,
        license: { name: manifest.license, identifier: manifest.license }
      },
      servers: [{ url: '/' }],
      components: { securitySchemes: SECURITY_SCHEMES }
    },
    transform: ({ url, route, ...document }) => {
      const { operation, access } = route.config ?? {}
      if (operation === undefined) return { url, schema: HIDDEN }
      const named = (document as object as NewDocument).openapiObject.components.schemas
      const body = bodyOf(route, operation, named)
      const required = operation.bodyOptional !== true
      if (body !== undefined) bodies.set(operation.id, { content: body, required })
      return { url, schema: describe(operation, access, body, named) }
    },
    transformObject: (document) => complete((document as object as NewDocument).openapiObject, bodies)
  })
  server.get('/openapi.json', { schema: HIDDEN }, async () => server.swagger())
}

/** `/docs`. To be called after the routes are registered: what guards them guards the pages too. */
export async function registerDocs (server: FastifyInstance): Promise<void> {
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    logo: null as never,
    theme: { title: manifest.name },
    uiConfig: { displayOperationId: true, displayRequestDuration: true, tryItOutEnabled: true }
  })
}

/** What the plugin hands on while it makes the document. */
interface NewDocument {
  openapiObject: OpenApiDocument
}

interface OpenApiDocument {
  components: { schemas: NamedSchemas }
  paths: Record<string, Record<string, DocumentedOperation>>
}

/** By operation: its body, by media type. */
type Bodies = Map<string, { content: Contents, required: boolean }>
type Contents = Readonly<Record<string, Content>>

interface DocumentedOperation {
  operationId: string
  tags: string[]
  requestBody?: { required: boolean, content: Record<string, { example?: unknown }> }
}

/** What the plugin leaves out: the tags in use, which bodies may be left out, and their examples. */
function complete (document: OpenApiDocument, bodies: Bodies): object {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
  for (const { operationId, requestBody } of operations) {
    const body = bodies.get(operationId)
    if (requestBody === undefined || body === undefined) continue
    requestBody.required = body.required
    for (const [type, { example }] of Object.entries(body.content)) {
      const content = requestBody.content[type]
      if (content !== undefined && example !== undefined) content.example = example
    }
  }
  const used = new Set(operations.flatMap(({ tags }) => tags))
  const tags = Object.entries(TAGS).filter(([name]) => used.has(name))
  return { ...document, tags: tags.map(([name, description]) => ({ name, description })) }
}

function bodyOf (
  { schema }: RouteOptions, { body, bodyExample }: Operation, named: NamedSchemas
): Contents | undefined {
  if (body !== undefined) return publishContent(body, named)
  if (schema?.body === undefined) return undefined
  return { 'application/json': { schema: publishSchema(schema.body as object, named), example: bodyExample } }
}

function describe (
  operation: Operation, access: RouteAccess | undefined, body: Contents | undefined, named: NamedSchemas
): FastifySchema {
  const { id, tag, summary, description, path, query, headers, answers } = operation
  const parameters = { params: path, querystring: query, headers }
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: access === undefined ? [] : ANY_KEY,
    ...Object.fromEntries(Object.entries(parameters).flatMap(([name, schema]) => {
      return schema === undefined ? [] : [[name, publishSchema(schema, named)]]
    })),
    ...(body === undefined ? {} : { body: { content: body } }),
    response: {
      ...refusals(refusalsOf({ operation, access, hasBody: body !== undefined }), named),
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => {
        return [status, publishAnswer(answer, named)]
      }))
    }
  } as FastifySchema
}

function publishAnswer ({ description, content, headers }: Answer, named: NamedSchemas): object {
  return {
    description,
    ...(content === undefined ? { type: 'null' } : { content: publishContent(content, named) }),
    ...(headers === undefined ? {} : { headers })
  }
}

function publishContent (content: Contents, named: NamedSchemas): Contents {
  return Object.fromEntries(Object.entries(content).map(([type, { schema, ...rest }]) => {
    return [type, { ...rest, schema: publishSchema(schema, named) }]
  }))
}

/** Errors by status, each with the codes that it can have. */
function refusals (codes: readonly ErrorCode[], named: NamedSchemas): Record<string, object> {
  const problem = publishSchema(PROBLEM_SCHEMA, named)
  const byStatus = Object.groupBy(codes, (code) => `${ERROR_CODES[code].status}`) as Record<string, ErrorCode[]>
  return Object.fromEntries(Object.entries(byStatus).map(([status, ofStatus]) => {
    const code = { type: 'string', enum: ofStatus }
    const schema = { allOf: [problem, { type: 'object', properties: { code } }] }
    const retryable = ofStatus.some((code) => ERROR_CODES[code].retryable)
    const headers = { 'Retry-After': { type: 'integer', description: 'Seconds.' } }
    return [status, {
      description: ofStatus.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}.`).join('\n\n'),
      content: { 'application/problem+json': { schema } },
      ...(retryable ? { headers } : {})
    }]
  }))
}
