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

/**
 * What settings must be to each other, or to what they name. `faultOf` gets settings that are right each by
 * itself; it may read files that they name, and opens and changes nothing.
 */
export interface SettingsCheck<Env> {
  /** Those it compares: where one of them is wrong by itself, there is nothing to say yet. */
  settings: ReadonlyArray<keyof Env & string>
  /** What is wrong, with the names of the variables; undefined: nothing. */
  faultOf: (env: Readonly<Env>) => string | undefined | Promise<string | undefined>
}

/** Settings, and what they must be to each other. */
export interface CheckedSettings<P extends TProperties> {
  settings: P
  checks?: ReadonlyArray<SettingsCheck<Static<TObject<P>>>>
}

interface SettingFault {
  name: string
  text: string
}

interface Validated<P extends TProperties> {
  loaded: Readonly<Static<TObject<P>>> | undefined
  faults: SettingFault[]
}

interface SchemaFault {
  instancePath: string
  message?: string
  params: { allowedValues?: unknown, missingProperty?: string }
}

/** The validated, frozen settings. Throws SettingsError with the faults of all of them, each by itself. */
export function loadSettings<P extends TProperties> (
  settings: P, env: NodeJS.ProcessEnv
): Readonly<Static<TObject<P>>> {
  const { loaded, faults } = validate(settings, env)
  if (loaded === undefined) throw new SettingsError(faults.map(({ text }) => text))
  return loaded
}

/** The same, with the faults that they have together: all that an operator has to mend is said at once. */
export async function loadCheckedSettings<P extends TProperties> (
  { settings, checks = [] }: CheckedSettings<P>, env: NodeJS.ProcessEnv
): Promise<Readonly<Static<TObject<P>>>> {
  const { loaded, faults: alone } = validate(settings, env)
  const wrong = new Set(alone.map(({ name }) => name))
  const right = Object.fromEntries(Object.entries(env).filter(([name]) => !wrong.has(name)))
  // Where something is wrong already, defaults stand in for it, and no check looks at them.
  const sound = loaded ?? validate(settings, right).loaded
  const possible = checks.filter((check) => !check.settings.some((name) => wrong.has(name)))
  const together = sound === undefined ? [] : await Promise.all(possible.map(({ faultOf }) => faultOf(sound)))
  const faults = [...alone.map(({ text }) => text), ...together.filter((fault) => fault !== undefined)]
  if (loaded === undefined || faults.length > 0) throw new SettingsError(faults)
  return loaded
}

/** The settings, frozen, or what is wrong with them. */
function validate<P extends TProperties> (settings: P, env: NodeJS.ProcessEnv): Validated<P> {
  const schema = Type.Object(settings)
  try {
    const loaded = envSchema({ schema, data: env, env: false }) as Static<TObject<P>>
    return { loaded: Object.freeze(loaded), faults: [] }
  } catch (error) {
    const { errors } = error as { errors?: readonly SchemaFault[] }
    if (errors === undefined) throw error
    return { loaded: undefined, faults: errors.map(toSettingFault) }
  }
}

function toSettingFault ({ instancePath, message, params }: SchemaFault): SettingFault {
  const variable = instancePath.slice(1)
  const allowed = params.allowedValues === undefined ? '' : ` (${String(params.allowedValues)})`
  return { name: params.missingProperty ?? variable, text: `${variable} ${message ?? 'is invalid'}${allowed}`.trim() }
}

/** One line for each environment variable of a role, for its `--help`. */
export function describeSettings (settings: TProperties): string {
  return Object.entries(settings).map(([name, schema]) => {
    const { description, default: fallback } = schema as { description?: string, default?: unknown }
    const standard = fallback === undefined || fallback === '' ? '' : ` [${String(fallback)}]`
    return `  ${name}${standard}\n      ${description ?? ''}`
  }).join('\n')
}
