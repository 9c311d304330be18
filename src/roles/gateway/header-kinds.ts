import { headerWords } from '../../kit/forwarding/passed-headers.ts'

/**
 * Whether a request header is of a kind by which a client could pose as somebody else, as another place or as a proxy, so that only a
 * gateway may say it. Proxies and identity providers have hundreds of names for these few kinds, and new ones come, so it is the words in a
 * name that decide; servers read `X-User-Id`, `x_user_id` and `X.User.Id` as one name, so the separators don't count.
 * @example claimsOrigin('X-MS-CLIENT-PRINCIPAL-NAME') // true
 * @example claimsOrigin('User-Agent')                 // false
 */
export function claimsOrigin(name: string): boolean {
  const words = headerWords(name)
  if (HARMLESS.has(words)) return false
  const rest = words.replace(/^(?:http-)?(?:x-)?/, '')
  const letters = words.replaceAll('-', '').replaceAll('useragent', '')
  return STEMS.test(letters) || WORDS.test(words) || NAMES.has(rest) || FAMILIES.test(rest)
}

/**
 * Well known, and harmless whatever words they hold: the browser's own (Fetch standard §3.2), CloudEvents' subject (HTTP binding §3.1.3), and what
 * clients and webhooks of well-known APIs send beside their own key. Whole names, since a prefix is anybody's to put before a claim.
 */
const HARMLESS: ReadonlySet<string> = new Set([
  'origin',
  'sec-fetch-user',
  'sec-ch-prefers-color-scheme',
  'ce-subject',
  'stripe-account',
  'openai-organization',
  'paypal-cert-url',
  'x-amz-expected-bucket-owner',
  'x-amz-server-side-encryption',
  'x-amz-server-side-encryption-aws-kms-key-id',
  'x-prometheus-remote-write-version',
  'x-twilio-email-event-webhook-signature',
  'x-twilio-email-event-webhook-timestamp',
])

/** Long enough to mean one thing wherever in a name they stand. */
const STEMS = new RegExp(
  [
    // who asks: Remote-User, X-WEBAUTH-USER, X-Consumer-Username, X-MS-CLIENT-PRINCIPAL, X-Goog-Authenticated-User-Email, Impersonate-Group
    'user|subject|principal|identity|credential|account|consumer|customer|employee|requester|requestor|tenant|organi[sz]ation|remote',
    'webauth|authenticat|authentik|authelia|authori[stz]|impersonat|onbehalf|delegat|nameid|spiffe|msisdn|callingline|entitlement',
    'displayname|fullname|givenname|accesslevel|session(?:data|info)',
    // by which certificate: X-SSL-Client-Cert, Client-Cert (RFC 9440), X-Client-Verify, X-Amzn-Mtls-Clientcert
    'client(?:cert|dn|cn|verif|issuer|serial)|sslclient|tlsclient|mtls',
    // where from: X-Forwarded-For and all its like, X-Real-IP, True-Client-IP, CF-Connecting-IP, X-Azure-SocketIP
    'forwarded|forwarder|forwarding|forward(?:for|host|proto|port|by)|proxied|clientip|realip|socketip|sourceip|connectingip|originating|ipcountry',
    // what was asked for: X-Original-URL, X-Rewrite-URL, X-HTTP-Method-Override
    'original|rewrit|override|requestcontext',
  ].join('|'),
)

/** Short ones, which count as whole words. */
const WORDS = new RegExp(
  `(?:^|-)(?:${[
    // who asks
    'uid|userid|caller|calling|actor|login|logon|e?mail|person|member|owner|partner|company|team|org|orgid|roles?|groups?|scopes?|permissions?|privileges?',
    'grants|granted|rights|capabilit(?:y|ies)|clearance|entra',
    'admin|claims?|jwt|assertion|oidc|iap|saml|sso|shib|vouch|sub|sudo|upn|eppn|eptid|affiliation|uidh|acr',
    // which program asks; a browser's service worker is none
    'service(?!-worker)',
    // by which certificate
    'ssl|tls|certs?|certificate|dn|cn|issuer|fingerprint|xfcc',
    // where from
    '(?:client|real)-?port|ip|ipv4|ipv6|addr|address|host|server|peer|country|proto|scheme|viewer|visitor|internal|trusted',
    // through whom
    'via|proxy|gateway|apigateway|envoy|istio',
    // how long the caller waits
    'deadline',
  ].join('|')})(?:-|$)`,
)

/** Names that no word gives away, without a leading `x-` or `http-`. */
const NAMES: ReadonlySet<string> = new Set([
  'id-token', // the OIDC plugins' of Kong and others
  'access-token',
  'token',
  'auth',
  'client-id',
  'ce-authid', // CloudEvents' Auth Context extension, and below
  'ce-authtype',
  'ce-authclaims',
  'act-as',
  'run-as',
  'persistent-id', // Shibboleth's
  'origin', // X-Origin; a page's own Origin is known above
  'destination', // where WebDAV's COPY and MOVE write, by a URL that no route has judged
  'base-url',
  'path-info',
  'script-name',
  'request-uri',
  'url',
  'uri',
  'path',
  'port',
  'https',
  'front-end-https',
  'http-method',
  'method',
  'http-verb',
  'verb',
  'grpc-timeout',
  'request-timeout',
  'middleware-subrequest', // CVE-2025-29927
])

/**
 * Families of names, all of them said by one maker's proxy, or about who was let in (`AUTH_TYPE`, RFC 3875 §4.1.1) rather than by what: a client
 * says its own token or signature.
 */
const FAMILIES =
  /^(?:auth[nz]?-(?!(?:token|key|signature|sign|timestamp|nonce)$)|(?:token|ms-token|ms-client|cf|cloudfront|azure|mellon|ajp|tailscale|pomerium|appengine|accel|l5d|iv|sm|dapr|invoke)-)/
