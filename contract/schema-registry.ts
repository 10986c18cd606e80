/** The HTTP API of the Confluent schema registry, which Redpanda speaks too. */
const MEDIA_TYPE = 'application/vnd.schemaregistry.v1+json'
const REQUEST_MS_MAX = 5_000

/** What the codec needs of a schema registry. */
export interface SchemaRegistry {
  /** Registers a schema under a subject, or finds it there; its id. Throws RegistryError. */
  register: (subject: string, schema: object) => Promise<number>
  /**
   * The schema of an id, or undefined where the registry knows none. Throws RegistryError when it cannot
   * tell.
   */
  schemaById: (id: number) => Promise<object | undefined>
}

/** The registry did not answer, or refused a schema as incompatible (then it is not retryable). */
export class RegistryError extends Error {
  readonly code = 'registry_unavailable'
  readonly retryable: boolean
  override readonly name = 'RegistryError'

  constructor (message: string, options: { retryable: boolean, cause?: unknown }) {
    super(message, { cause: options.cause })
    this.retryable = options.retryable
  }
}

/** A registry over HTTP; `url` may carry user and password for basic authentication. */
export function connectSchemaRegistry (url: string): SchemaRegistry {
  const { base, headers } = splitCredentials(url)
  const request = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const signal = AbortSignal.timeout(REQUEST_MS_MAX)
    try {
      return await fetch(`${base}${path}`, { ...init, headers, signal })
    } catch (cause) {
      throw new RegistryError('The schema registry does not answer', { retryable: true, cause })
    }
  }
  return {
    register: async (subject, schema) => {
      const body = JSON.stringify({ schemaType: 'AVRO', schema: JSON.stringify(schema) })
      const response = await request(`/subjects/${encodeURIComponent(subject)}/versions`, { method: 'POST', body })
      return (await readAnswer(response) as { id: number }).id
    },
    schemaById: async (id) => {
      const response = await request(`/schemas/ids/${id}`)
      if (response.status === 404) return undefined
      return JSON.parse((await readAnswer(response) as { schema: string }).schema) as object
    }
  }
}

async function readAnswer (response: Response): Promise<unknown> {
  const text = await response.text()
  if (response.ok) return JSON.parse(text)
  throw new RegistryError(`The schema registry answered ${response.status}: ${text.slice(0, 256)}`, {
    retryable: response.status >= 500 || response.status === 429
  })
}

function splitCredentials (url: string): { base: string, headers: Record<string, string> } {
  const parsed = new URL(url)
  const headers: Record<string, string> = { 'content-type': MEDIA_TYPE, accept: MEDIA_TYPE }
  if (parsed.username !== '') {
    const credentials = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`
    parsed.username = ''
    parsed.password = ''
  }
  return { base: parsed.href.replace(/\/$/, ''), headers }
}
