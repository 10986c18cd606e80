import { Type } from 'typebox'
import { envSchema } from 'env-schema'
import type { Static, TObject, TProperties } from 'typebox'

/** Settings of every role. */
export const processSettings = {
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'], {
    default: 'info',
    description: 'Least severe log lines that are written.'
  }),
  LOG_FORMAT: Type.Enum(['auto', 'json', 'pretty'], {
    default: 'auto',
    description: 'JSON lines for machines, or lines for people; auto: for people on a terminal.'
  }),
  SHUTDOWN_MS_MAX: Type.Integer({
    default: 15_000,
    minimum: 100,
    description: 'How long a role may drain after a signal before it is ended.'
  })
}

export type ProcessEnv = Static<TObject<typeof processSettings>>

/** The environment does not fit the settings of a role; `faults` names every variable that is wrong. */
export class SettingsError extends Error {
  readonly code = 'invalid_settings'
  readonly retryable = false
  override readonly name = 'SettingsError'
  readonly faults: readonly string[]

  constructor (faults: readonly string[]) {
    super(faults.join('; '))
    this.faults = faults
  }
}

interface SettingFault {
  instancePath: string
  message?: string
  params: object
}

/** The validated, frozen settings of a role. Throws SettingsError with all faults at once. */
export function loadSettings<P extends TProperties> (
  settings: P, env: NodeJS.ProcessEnv
): Readonly<Static<TObject<P>>> {
  const schema = Type.Object(settings)
  try {
    return Object.freeze(envSchema({ schema, data: env, env: false }) as Static<TObject<P>>)
  } catch (error) {
    const { errors } = error as { errors?: readonly SettingFault[] }
    if (errors === undefined) throw error
    throw new SettingsError(errors.map(({ instancePath, message, params }) => {
      const allowed = 'allowedValues' in params ? ` (${String(params.allowedValues)})` : ''
      return `${instancePath.slice(1)} ${message ?? 'is invalid'}${allowed}`.trim()
    }))
  }
}

/** One line for each environment variable of a role, for its `--help`. */
export function describeSettings (settings: TProperties): string {
  return Object.entries(settings).map(([name, schema]) => {
    const { description, default: fallback } = schema as { description?: string, default?: unknown }
    const standard = fallback === undefined || fallback === '' ? '' : ` [${String(fallback)}]`
    return `  ${name}${standard}\n      ${description ?? ''}`
  }).join('\n')
}
