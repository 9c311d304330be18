import { AppError } from '../../../kit/errors.ts'
import type { DeployFile, Deployment } from '../deployment.ts'
import { serviceDockerfiles } from '../docker/service-dockerfile.ts'
import { remarksOn } from '../docker/service-remarks.ts'
import { buildingImages, loadingImage, makingToken, settingSecrets } from '../first-steps.ts'
import { imageParts, ownImage, serviceImage } from '../image-name.ts'
import type { SecretText, Written } from '../kinds.ts'
import { platformSecrets, SECRETS, secretName } from '../platform-secrets.ts'
import { defaultPolicies } from './links.ts'
import { manifestFile, yamlOf } from './manifests.ts'
import { roleFile, serviceFile, variablesSecret } from './parts.ts'
import { CONFIG_SECRET } from './pods.ts'
import { storeFile } from './stores.ts'

/** Of secrets: kustomize reads them as whoever calls it. */
const SECRET = 0o400
/** Where kustomize finds the platform's file: it reads nothing above its own folder. It may hold passwords, so that it is a secret too. */
const CONFIG = `${SECRETS}/msvc.yaml`

/** Writes a kustomization: a file for each role, service and store, the secrets that they mount, and who may talk to whom. */
export async function writeKubernetes(planned: Deployment, secret: SecretText): Promise<Written> {
  const deployment = { ...planned, name: namespaceOf(planned) }
  const { roles, services, stores, file } = deployment
  checkNames(services)
  const here = stores.filter(({ elsewhere }) => elsewhere === undefined)
  const secrets = await platformSecrets(stores, secret, SECRET)
  const parts: readonly DeployFile[] = [
    { path: 'namespace.yaml', text: namespaceFile(deployment) },
    { path: 'network.yaml', text: networkFile() },
    ...here.map(({ kind }) => ({ path: `${kind}.yaml`, text: storeFile(deployment, kind) })),
    ...roles.map((role) => ({ path: `${role.name}.yaml`, text: roleFile(deployment, role) })),
    // apart: one may be called as a file of the platform's
    ...services.map((service) => ({ path: `services/${service.name}.yaml`, text: serviceFile(deployment, service) })),
  ]
  return {
    remarks: services.flatMap(remarksOn),
    files: [
      { path: 'kustomization.yaml', text: kustomization(deployment, parts, secrets) },
      ...parts,
      { path: '.gitignore', text: `${SECRETS}/\nmsvc.tar\n` },
      ...serviceDockerfiles(deployment),
      ...secrets,
      ...(file === undefined ? [] : [{ path: CONFIG, text: file, mode: SECRET, isSecret: true }]),
    ],
    next: firstSteps(deployment),
  }
}

/** A namespace of its own: those of Kubernetes itself are none of ours to close. */
function namespaceOf({ name }: Deployment): string {
  return /^(?:default|kube-.*)$/.test(name) ? `msvc-${name}` : name
}

function firstSteps(deployment: Deployment): readonly string[] {
  const { name, image, version, services, roles } = deployment
  const kubectl = `kubectl -n ${name}`
  const isLocal = image === ownImage(version)
  const push = (what: string) => (isLocal ? '' : ` && docker push ${what}`)
  const secrets = settingSecrets(deployment)
  const token = makingToken(deployment)
  const gateway = roles.find(({ isEntrance }) => isEntrance)
  return [
    ...(isLocal ? [`# for a registry: msvc deploy kubernetes --image registry.example/shop/msvc:${version}`] : []),
    `${loadingImage(deployment)}${push(image)}`,
    ...buildingImages(deployment).map((one) => `${one.command}${push(one.image)}`),
    'kubectl apply -k .',
    ...services.flatMap((service) => {
      const literals = service.variables.filter(({ hasDefault }) => !hasDefault)
      if (literals.length === 0) return []
      const given = literals.map((variable) => ` --from-literal=${variable.name}=…`).join('')
      return [`${kubectl} create secret generic ${variablesSecret(service.name)}${given}`]
    }),
    // a service that wants a secret is ready once it has it
    ...(secrets.length > 0 ? [`${kubectl} rollout status deploy/config-server --timeout=5m`] : []),
    ...secrets.map(({ command, secret }) => `${kubectl} exec -i deploy/config-server -- ${command} < ${secret}`),
    `${kubectl} wait --for=condition=Available deployment --all --timeout=5m`,
    ...(token === undefined ? [] : [`${kubectl} exec deploy/gateway -- ${token}`]),
    ...(gateway
      ? [`${kubectl} port-forward svc/gateway ${gateway.port}   # then http://localhost:${gateway.port}`]
      : []),
  ]
}

/** Refuses what a Service of Kubernetes can't be called (RFC 1035), though the registry knows it. */
function checkNames(services: Deployment['services']): void {
  const wrong = services.find(({ name }) => !/^[a-z]/.test(name))
  if (wrong)
    throw new AppError(
      'CONFIG_INVALID',
      `services.${wrong.name}: the name of a Service of Kubernetes begins with a letter; give it another name`,
    )
}

function kustomization(deployment: Deployment, parts: readonly DeployFile[], secrets: readonly DeployFile[]): string {
  const { name, version, file, fileName, sources, services } = deployment
  const local = { ...deployment, image: ownImage(version) }
  const images = [
    [local.image, deployment.image],
    ...services.map((service) => [serviceImage(local, service.name), serviceImage(deployment, service.name)]),
  ].map(([from = '', to = '']) => ({ from: imageParts(from).name, to: imageParts(to) }))
  const body = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    namespace: name,
    resources: parts.map(({ path }) => path),
    images: images.map(({ from, to }) => ({ name: from, newName: to.name, newTag: to.tag })),
    secretGenerator: [
      ...secrets.map((secret) => ({ name: secretName(secret), files: [secret.path] })),
      ...(file === undefined ? [] : [{ name: CONFIG_SECRET, files: [CONFIG] }]),
    ],
  }
  const heading = `# msvc ${version}${file === undefined ? '' : `, by ${sources}/${fileName}`}: kubectl apply -k .
# Needs Kubernetes 1.30, metrics-server for the autoscalers, and a network plugin that enforces NetworkPolicies.
`
  return `${heading}${yamlOf(body, {
    'Kustomization.images': 'where nodes pull from: msvc deploy kubernetes --image registry.example/shop/msvc:1.0',
    'Kustomization.secretGenerator': `made once, never committed: keep a copy of ${SECRETS}/.${file === undefined ? '' : ` ${CONFIG_SECRET} is ${sources}/${fileName}, copied by each msvc deploy kubernetes.`}
To take Secrets from elsewhere (External Secrets, Sealed Secrets), remove this; pods expect the same names, each with a key of that name`,
  })}`
}

function namespaceFile({ name }: Deployment): string {
  const level = 'restricted'
  return manifestFile('Pod Security Standards: restricted', [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        labels: {
          'pod-security.kubernetes.io/enforce': level,
          'pod-security.kubernetes.io/warn': level,
          'pod-security.kubernetes.io/audit': level,
        },
      },
    },
  ])
}

function networkFile(): string {
  return manifestFile(
    "Default deny, both ways; each part's file allows what it needs. What msvc.yaml calls elsewhere (telemetry.export, addresses in services)\nneeds a policy with its egress: add one here.",
    defaultPolicies(),
  )
}
