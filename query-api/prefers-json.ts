/**
 * Whether a client that may get plain text asks for JSON instead: `Accept` names `application/json`, and
 * gives text no equal rank. (Some clients send `application/json, text/plain, *\/*` with everything; who
 * has always read text goes on reading it.)
 */
export function prefersJson (accept: string | undefined): boolean {
  const weights = new Map((accept ?? '').split(',').map((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))
    return [type, weight === undefined ? 1 : Number(weight.slice(2))]
  }))
  const text = weights.get('text/plain') ?? weights.get('text/*') ?? 0
  return (weights.get('application/json') ?? 0) > text
}
