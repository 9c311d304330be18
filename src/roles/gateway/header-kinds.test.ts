import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { claimsOrigin } from './header-kinds.ts'

/** What servers in front are known to say, by who says it. */
const CLAIMS = `
  X-User-Id X-User X-User-Role X-User-Scopes X-Caller X-Username X-UserId X-Userinfo
  Remote-User X-Remote-User REMOTE_USER Remote-Groups Remote-Email Remote-Name X-Remote-Group X-Remote-Extra-Scopes
  X-WEBAUTH-USER X-WEBAUTH-EMAIL X-Grafana-User Auth-User X-Auth-User AUTH_USER LOGON_USER AUTH_TYPE X-Email X-Login
  X-MS-CLIENT-PRINCIPAL X-MS-CLIENT-PRINCIPAL-ID X-MS-CLIENT-PRINCIPAL-NAME X-MS-CLIENT-PRINCIPAL-IDP X-MS-TOKEN-AAD-ID-TOKEN
  X-Consumer-Username X-Consumer-ID X-Consumer-Custom-ID X-Consumer-Groups X-Anonymous-Consumer X-Credential-Username X-ID-Token
  X-Authenticated-Userid X-Authenticated-Scope X-Authenticated-User X-Auth-Request-User X-Auth-Request-Email X-Auth-Request-Redirect
  X-Auth-Request-Access-Token X-Authentik-Username X-Authentik-Meta-App X-Amzn-Oidc-Identity X-Amzn-Oidc-Data X-Amzn-Oidc-Accesstoken
  X-Goog-IAP-JWT-Assertion X-Goog-Authenticated-User-Email X-Goog-Authenticated-User-ID X-Endpoint-API-UserInfo X-Apigateway-Api-Userinfo
  Cf-Access-Jwt-Assertion Cf-Access-Authenticated-User-Email Cf-Access-Client-Id Tailscale-User-Login Tailscale-User-Name
  Tailscale-User-Profile-Pic Tailscale-Headers-Info X-Vouch-User X-Vouch-IdP-Claims-Groups X-Pomerium-Jwt-Assertion
  X-Pomerium-Claim-Email X-Token-Subject X-Token-Claims X-Jwt-Payload X-JWT-Claim-Sub OIDC_CLAIM_sub OIDC-Access-Token
  Shib-Identity-Provider Shib-Session-ID iv-user iv-groups iv-creds SM_USER SM-USERDN SMUSER OAM_REMOTE_USER Osso-User-Dn
  Impersonate-User Impersonate-Group Impersonate-Extra-scopes dapr-caller-app-id X-Principal X-Subject X-Identity X-Account-Id
  X-Tenant X-Tenant-ID X-Scope-OrgID X-Org-Id X-Role X-Roles X-Group X-Groups X-Scopes X-Permissions X-Admin X-Is-Admin X-On-Behalf-Of
  X-SSL-Client-Cert SSL-Client-Cert SSL_CLIENT_S_DN SSL-Client-Verify X-SSL-Client-Verify X-SSL-Client-DN X-SSL-Cert X-Client-Cert
  X-Client-Certificate X-Client-Cert-Chain Client-Cert Client-Cert-Chain X-Client-DN X-Client-Verify X-ARR-ClientCert X-ARR-SSL
  X-TLS-Client-Cert X-Amzn-Mtls-Clientcert-Subject X-Amzn-Mtls-Clientcert X-Forwarded-Client-Cert X-Forwarded-Tls-Client-Cert XFCC
  X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded X-Forwarded-Prefix X-Forwarded-Server X-Forwarded-User
  Forwarded Forwarded-For X-Original-Forwarded-For X-Vercel-Forwarded-For CloudFront-Forwarded-Proto Via X-Via X-Real-IP X_REAL_IP
  X-RealIP True-Client-IP Client-IP X-Client-IP X-ClientIP X-Cluster-Client-IP CF-Connecting-IP CF-Connecting-IPv6 CF-Pseudo-IPv4
  CF-IPCountry Fastly-Client-IP Fly-Client-IP X-Azure-ClientIP X-Azure-SocketIP X-Nf-Client-Connection-Ip X-Appengine-User-IP
  X-AppEngine-Inbound-Appid X-Originating-IP X-Remote-IP X-Remote-Addr Remote-Addr WL-Proxy-Client-IP Proxy-Client-IP X-ProxyUser-Ip
  Ali-CDN-Real-IP CloudFront-Viewer-Address X-Envoy-External-Address X-Envoy-Original-Path X-Envoy-Internal X-Istio-Attributes X-Source-IP
  X-Original-URL X-Original-URI X-Original-Host X-Original-Method X-Rewrite-URL X-Host X-HTTP-Host-Override X-Backend-Host X-Url-Scheme
  X-Scheme X-Proto Front-End-Https X-HTTP-Method-Override X-HTTP-Method X-Method-Override X-Method SCRIPT_NAME X-Script-Name PATH_INFO
  X-Request-URI X-Accel-Internal X-Middleware-Subrequest X-Internal X-Internal-Request X-Proxy-User Proxy Proxy-Foo X-IP X-Client-Addr
  l5d-client-id X-Credential-Identifier X-SPIFFE-ID Spiffe-Id eppn eptid affiliation entitlement displayName Sudo X-Sudo
  X-WAP-MSISDN X-Nokia-MSISDN MSISDN X-Up-Calling-Line-Id X-UIDH X-ACR X-Owner-Id X-Customer-Id X-Member-Id X-Requester-Id X-Requestor
  X-Organization-Id X-Organisation X-Company-Id X-Partner-Id X-Employee-Id X-Person-Id X-Team-Id X-Authorization X-Authorities
  X-Privileges X-Upn X-Sub X-Name-Id NameID X-Act-As X-Run-As X-Delegated-For X-Delegation X-Forward-For X-Forward-Host X-Forward-Proto
  X-Client-Proto X-Client-Scheme X-Rewritten-Url X-HTTP-Verb X-Verb CF-Visitor CF-Worker CF-Ray X-Azure-FDID CloudFront-Is-Mobile-Viewer
  X-Service-Name X-Service-Id X-Calling-Service X-Source-Service X-Gateway X-Apigateway-Event MELLON_NAME_ID AJP_eppn
  ce-authid ce-authtype ce-authclaims
  Sec-User Sec-Remote-IP Content-User-Id Accept-Tenant If-Forwarded-For Access-Control-User Access-Control-Request-User ce-userid ce-tenant
  X-Country X-Peer X-Peer-Id X-Origin X-Server-Name X-Amzn-Request-Context X-Auth X-Access-Token X-Token mail X-Mail persistent-id
  Remote-Authelia X-Authelia-URL Authelia-Groups X-Client-Id dapr-api-token dapr-app-id Destination Base-Url X-Base-Url
  X-Invoke-Path X-Invoke-Query grpc-timeout X-Request-Deadline X-Request-Timeout
  X-Client-Verified X-Client-Verification X-Client-CN X-Client-Issuer X-Client-Issuer-DN X-Client-Serial X-Client-Subject X-CN X-Issuer
  X-Fingerprint X-Client-Fingerprint SSL_CLIENT_M_SERIAL X-Real-Port X-Client-Port X-Remote-Port X-Forwarder-For X-Forwarder X-Forwarding-For
  X-Auth-Level X-Auth-Roles X-Auth-Name X-Auth-Id X-Auth-Method X-Auth-Context Auth-Level X-Authn-Level X-Authz-Role X-Access-Level
  X-Entra-Id X-Entra-Object-Id X-Azure-AD-Id X-Session-Data X-Session-Info X-Display-Name X-Full-Name X-Grants X-Granted X-Rights
  X-Access-Rights X-Capabilities X-Capability`
  .trim()
  .split(/\s+/)

/** What clients send of themselves. */
const USUAL = `
  User-Agent X-Amz-User-Agent X-Stripe-Client-User-Agent Accept Accept-Encoding Accept-Language Accept-Charset Accept-Datetime
  Content-Type Content-Encoding Content-Language Content-Disposition Content-Location Content-MD5 Content-Digest Content-Range
  Cookie Cache-Control Pragma Date DNT Origin Referer From Range Prefer Priority Max-Forwards Save-Data Early-Data Warning
  If-Match If-None-Match If-Modified-Since If-Unmodified-Since If-Range If-Schedule-Tag-Match Last-Event-ID Idempotency-Key
  Sec-Fetch-Site Sec-Fetch-Mode Sec-Fetch-User Sec-Fetch-Dest Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-GPC Sec-WebSocket-Key
  Sec-WebSocket-Protocol Access-Control-Request-Method Access-Control-Request-Headers Access-Control-Request-Private-Network
  Upgrade-Insecure-Requests Device-Memory Viewport-Width RTT Downlink ECT Service-Worker Purpose X-Purpose
  X-Requested-With X-Requested-By X-CSRF-Token X-XSRF-Token X-Api-Key Api-Key X-API-Version X-Auth-Token X-Session-Id
  X-Client-Version X-Client-Name X-App-Version X-Device-Id X-Platform X-Locale X-Timezone X-Correlation-ID X-Thing
  tracestate baggage b3 X-B3-TraceId X-B3-SpanId X-B3-ParentSpanId X-B3-Sampled X-Amzn-Trace-Id X-Cloud-Trace-Context uber-trace-id
  X-Datadog-Trace-Id X-Datadog-Sampling-Priority newrelic elastic-apm-traceparent Digest Want-Digest Signature Signature-Input
  X-Amz-Date X-Amz-Content-Sha256 X-Amz-Security-Token X-Amz-Target X-Amz-Sns-Message-Type X-Goog-Api-Client X-Goog-Api-Key
  X-Hub-Signature-256 X-GitHub-Event X-GitHub-Delivery X-Gitlab-Token Stripe-Signature X-Slack-Signature X-Slack-Request-Timestamp
  X-Shopify-Topic X-Shopify-Hmac-Sha256 X-Shopify-Shop-Domain X-Twilio-Signature
  ce-id ce-source ce-type ce-subject ce-specversion ce-time ce-datacontenttype ce-dataschema ce-traceparent SOAPAction Depth Overwrite
  Lock-Token Timeout Tus-Resumable Upload-Length Upload-Offset Upload-Metadata X-Grpc-Web CDN-Loop X-Wap-Profile
  Tus-Version Tus-Extension Upload-Concat Upload-Checksum Upload-Defer-Length Upload-Expires Upload-Complete Upload-Draft-Interop-Version If
  TE Content-Length Content-Security-Policy DAV Ordering-Type Position Schedule-Reply Brief Translate Apply-To-Redirect-Ref Keep-Alive Alt-Used
  traceparent X-B3-Flags X-Datadog-Parent-Id X-Datadog-Tags X-Ot-Span-Context X-Request-Id X-Trace-Id sentry-trace X-Instana-T X-Instana-S
  uberctx-tenancy ot-tracer-traceid ot-tracer-spanid ot-baggage-key jaeger-baggage jaeger-debug-id dynatrace X-DynaTrace request-id
  grpc-encoding grpc-accept-encoding grpc-status grpc-message grpc-trace-bin grpc-tags-bin grpc-previous-rpc-attempts Connect-Timeout-Ms
  Connect-Protocol-Version X-User-Agent
  X-Amz-Acl X-Amz-Server-Side-Encryption X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id X-Amz-Expected-Bucket-Owner X-Amz-Algorithm X-Amz-Signature X-Amz-Storage-Class X-Amz-Tagging X-Amz-Copy-Source X-Amz-Copy-Source-Range X-Amz-Meta-Color
  X-Amz-Checksum-Sha256 X-Amz-Sdk-Checksum-Algorithm X-Amz-Decoded-Content-Length X-Amz-Trailer X-Amz-Mfa X-Amz-Request-Payer X-Amz-Website-Redirect-Location
  X-Amz-Grant-Read X-Amz-Grant-Full-Control X-Amz-Sns-Message-Id X-Amz-Sns-Topic-Arn X-Amz-Sns-Subscription-Arn X-Amz-Invocation-Type X-Amz-Log-Type
  X-Amz-Object-Attributes X-Amz-Expected-Bucket-Region Amz-Sdk-Invocation-Id Amz-Sdk-Request X-Amzn-Requestid X-Ms-Date X-Ms-Version
  X-Ms-Blob-Type X-Ms-Lease-Id X-Ms-Range X-Ms-Meta-Color
  X-Goog-Hash X-Goog-Meta-Color X-Goog-Resumable X-Goog-Channel-Id X-Goog-Channel-Token X-Goog-Channel-Expiration X-Goog-Resource-Id
  X-Goog-Resource-State X-Goog-Message-Number X-Goog-FieldMask X-Goog-Upload-Protocol X-Goog-Upload-Command X-Goog-If-Generation-Match X-Goog-Request-Params
  X-Upload-Content-Type X-Upload-Content-Length
  X-GitHub-Api-Version X-GitHub-Hook-ID X-Github-Media-Type X-Hub-Signature X-Gitlab-Event X-Gitlab-Event-UUID X-Gitlab-Webhook-UUID X-Gitlab-Instance
  X-Gitea-Event X-Gitea-Signature X-Event-Key X-Hook-UUID X-Attempt-Number
  Stripe-Version Stripe-Account Stripe-Context I-Twilio-Idempotency-Token X-Twilio-Email-Event-Webhook-Signature X-Twilio-Email-Event-Webhook-Timestamp
  X-Shopify-Shop-Id X-Shopify-API-Version X-Shopify-Webhook-Id X-Shopify-Event-Id X-Shopify-Triggered-At X-Shopify-Access-Token
  X-Shopify-Storefront-Access-Token Shopify-Storefront-Private-Token X-Slack-Retry-Num X-Slack-Retry-Reason
  OpenAI-Beta OpenAI-Organization OpenAI-Project OpenAI-Processing-Ms Anthropic-Version Anthropic-Beta X-Stainless-Lang X-Stainless-Package-Version X-Stainless-OS
  X-Stainless-Arch X-Stainless-Runtime X-Stainless-Runtime-Version X-Stainless-Retry-Count X-Stainless-Timeout HTTP-Referer X-Title
  webhook-id webhook-timestamp webhook-signature svix-id svix-timestamp svix-signature Paypal-Transmission-Id Paypal-Transmission-Sig
  Paypal-Transmission-Time Paypal-Cert-Url Paypal-Auth-Algo Paypal-Auth-Version X-Square-Hmacsha256-Signature X-Zm-Signature X-Signature-Ed25519 X-Signature-Timestamp Linear-Signature
  X-Contentful-Topic X-Sentry-Auth Sentry-Hook-Resource Sentry-Hook-Signature X-PM-Message-Stream X-Mailgun-Variables X-Intercom-Webhook
  X-Discord-Locale X-Super-Properties X-RateLimit-Precision X-Line-Signature X-Telegram-Bot-Api-Secret-Token X-Viber-Content-Signature
  X-Client-Data X-Client-Transaction-Id X-Client-Trace-Id X-Client-Request-Id X-Client-Session-Id X-Session-Token X-Session X-Auth-Key X-Auth-Signature X-Auth-Timestamp X-Auth-Nonce
  X-Parse-Application-Id X-Parse-REST-API-Key X-Firebase-AppCheck X-Firebase-GMPID X-Algolia-API-Key X-Algolia-Application-Id X-Requested-Id
  X-Vault-Token X-Vault-Request Docker-Content-Digest X-Registry-Config Helm-Version HX-Request HX-Target HX-Trigger HX-Current-URL HX-Boosted Turbo-Frame
  X-Inertia X-Inertia-Version X-Livewire X-PJAX X-Turbolinks X-Nextjs-Data RSC Next-Action Next-Router-State-Tree Next-Router-Prefetch
  Sec-CH-UA-Arch Sec-CH-Prefers-Color-Scheme Sec-Purpose Sec-WebSocket-Version Sec-WebSocket-Extensions Available-Dictionary Attribution-Reporting-Eligible
  X-Atlassian-Token X-Elastic-Product X-Opaque-Id X-Prometheus-Remote-Write-Version`
  .trim()
  .split(/\s+/)

/** Spellings that some server or other reads as the same name. */
const spellings = (name: string) => [
  name,
  name.toLowerCase(),
  name.toUpperCase(),
  name.replaceAll('-', '_'),
  name.replaceAll('-', '.'),
  `HTTP_${name.replaceAll('-', '_')}`,
]

describe('claimsOrigin', () => {
  it.each(CLAIMS)('knows %s as a claim, however it is spelled', (name) => {
    expect(spellings(name).filter((spelling) => !claimsOrigin(spelling))).toEqual([])
  })

  it.each(USUAL)('leaves %s alone', (name) => {
    expect(claimsOrigin(name)).toBe(false)
    expect(claimsOrigin(name.toLowerCase())).toBe(false)
  })

  it('knows a claim by any separators, and within any maker’s name', () => {
    const separator = fc.constantFrom('-', '_', '.', '~', '!', '--', '')
    const claim = fc.constantFrom(
      ['Remote', 'User'],
      ['Forwarded', 'For'],
      ['Client', 'Cert'],
      ['Method', 'Override'],
      ['Real', 'IP'],
    )
    const maker = fc.stringMatching(/^[A-Za-z]{1,12}$/)
    fc.assert(
      fc.property(claim, separator, maker, ([one, two], between, who) => {
        expect(claimsOrigin(`X-${who}-${one}${between}${two}`)).toBe(true)
        expect(claimsOrigin(`${who}-${one}${between}${two}`)).toBe(true)
      }),
    )
  })
})
