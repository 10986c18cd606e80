export { roles } from './roles/index.ts'
export type { Role } from './role.ts'
