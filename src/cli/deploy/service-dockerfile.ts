import type { DeployFile, Deployment } from './deployment.ts'

/** Dockerfiles of the user's services, with what of their folders is no part of an image. */
export function serviceDockerfiles(_deployment: Deployment): readonly DeployFile[] {
  return []
}
