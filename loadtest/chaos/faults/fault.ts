import type { Deployment } from '../deployment.ts'
import type { PlannedFault } from '../schedule.ts'

/**
 * Does what is planned to a deployment and undoes it; resolves when it is undone, with what there is to say
 * about it.
 */
export type Inject = (deployment: Deployment, fault: PlannedFault) => Promise<string>

/** What a fault names. Throws where the schedule and the deployment do not fit. */
export function targetOf<T> (targets: ReadonlyMap<string, T>, { target }: PlannedFault): T {
  const found = targets.get(target)
  if (found === undefined) throw new Error(`There is no ${target} in this deployment`)
  return found
}
