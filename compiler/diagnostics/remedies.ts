// What to do about each diagnostic where the place that reports it knows nothing more particular. docs/diagnostics.md
// says the same at length.
import type { DIAGNOSTIC_CODES } from "./codes.ts";

export const REMEDIES: Readonly<Record<keyof typeof DIAGNOSTIC_CODES, string>> = {
  AGENTS_UNDECLARED:
    "Set `agents: { claim, values }` of the issuer: `idtyp: app` for Entra ID, `gty: client-credentials` for Auth0.",
  ARGUMENT_CONSTRAINT_IMPOSSIBLE:
    "Compare the rule with the pinned schema, which has changed or was misread.",
  ARGUMENT_CONSTRAINT_INVALID:
    "Use the rule that fits the type in the pinned schema, or write the condition in Cedar.",
  ARGUMENT_CONSTRAINT_VACUOUS: "Leave the rule out, or write the bound that was meant.",
  ARGUMENT_CONSTRAINT_WEAK: "Use host and schemes for URLs, within for paths.",
  ARGUMENT_OPAQUE:
    "Constrain another argument, deny the tool, or ask the server's owner for a narrower schema.",
  ARGUMENT_UNKNOWN:
    "Correct the name; write address.city for a member, recipients[] for the elements of an array.",
  ATTRIBUTE_CONFLICT: "Give the attribute the same type, or two names.",
  BUNDLE_REFUSED:
    "For BUNDLE_TOO_LARGE split the repository. Anything else is a bug of Aegis: report it with the message.",
  CEDAR_DUPLICATE_ID: "Report it as a bug.",
  CEDAR_ENGINE: "Simplify the policy, and report it with the text.",
  CEDAR_HIDDEN_CHARACTER: "Remove it. Inside a string write it as `\\u{200b}`.",
  CEDAR_METHOD_ARGUMENT: "Write the pattern of `.matches` in place; the other methods take nothing.",
  CEDAR_METHOD_RECEIVER: "Name the attribute directly.",
  CEDAR_MIXED_SCRIPT: "Write the word in one script.",
  CEDAR_NEVER_APPLIES: "Correct the scope. A forbid that never applies protects nothing.",
  CEDAR_NUMBER_RANGE: "Use a smaller literal.",
  CEDAR_OPAQUE_ARGUMENT: "Decide on something else, or deny the tool.",
  CEDAR_OPTIONAL_ATTRIBUTE: "Test it first: `context.arguments has limit && context.arguments.limit > 10`.",
  CEDAR_REGEX_ALWAYS_TRUE: "Anchor it with `^` and `$`.",
  CEDAR_REGEX_INVALID: "Write several conditions instead of look-around; use smaller repeat counts.",
  CEDAR_REGEX_PATH: 'Write `.path().normalized like "/srv/public/*"`, or `within` in YAML.',
  CEDAR_REGEX_PREFIX: "Leave `.*` out, or anchor what must come first.",
  CEDAR_REGEX_SQL: "Add `constraints: { sql.query: { operations: [SELECT] } }`, which asks an SQL parser.",
  CEDAR_REGEX_UNANCHORED:
    "Anchor it with `^`, and with `$` where the rest matters. Where it may stand anywhere, say so: `^(?s:.)*project = OPS`.",
  CEDAR_REGEX_URL: 'Write `.url().host == "example.com"`, or `host` in YAML.',
  CEDAR_RESERVED_NAME:
    "Use a method such as `.matches`, or `constraints.operations`; rename your own attribute.",
  CEDAR_SQL_UNDECLARED: "Declare the argument under `sql` in the server document.",
  CEDAR_SYNTAX: "Follow the position and the message, which are the Cedar engine's own.",
  CEDAR_TEMPLATE: "Write the role or user into the scope, one policy for each.",
  CEDAR_TENANT_ESCAPE:
    "Name a role, group or user of the tenant without a prefix, and only its servers. What concerns another tenant belongs in its own documents, or in the platform's.",
  CEDAR_TOO_DEEP:
    'Use a set: `["a", "b"].contains(context.target)`, or `action in [Action::"tools/call", Action::"prompts/get"]`.',
  CEDAR_TOO_LARGE: "Name targets in a set, or split the policy.",
  CEDAR_TOO_MANY:
    "Give policies an action and a resource, write one with a set instead of many, or split the repository.",
  CEDAR_TYPE:
    "Compare values of one type. The type of each argument follows from the pinned schema: the table (docs/policy-language.md#what-cedar-sees-of-an-argument).",
  CEDAR_UNKNOWN_ACTION: "Correct the name.",
  CEDAR_UNKNOWN_ATTRIBUTE:
    '`context.target == "jira.search" && context.arguments.jql == "x"`; for `principal`, map a claim in identity.yaml.',
  CEDAR_UNKNOWN_ENTITY: "Correct or declare the name.",
  CEDAR_UNKNOWN_ENTITY_TYPE: "Correct the type.",
  CEDAR_UNKNOWN_FUNCTION: "Use Cedar's own functions, or the methods of docs/policy-language.md#methods.",
  CEDAR_UNKNOWN_MODE: 'Write `@mode("shadow")`, or leave the annotation out.',
  CEDAR_UNKNOWN_TARGET: "Correct the name, or pin the server that has it.",
  CEDAR_VALUE_IMPOSSIBLE: "Write a value that the pinned schema lists, or pin the server anew.",
  CONDITION_ALWAYS_TRUE: "Write the condition that was meant, or leave the clause out.",
  CONSTRAINT_WITHOUT_PERMIT: "Add a permit. A constraint never grants.",
  DOCUMENT_DUPLICATE: "Rename or remove one.",
  DOCUMENT_INVALID: "Compare with the policy language (docs/policy-language.md).",
  DOCUMENT_UNKNOWN_KEY: "Write one of the known keys.",
  DOCUMENT_UNRECOGNISED:
    "Policies lie in `policies/`, servers in `registry/servers/`, and test suites end in `_test.yaml`.",
  DOCUMENT_UNTESTED: "Add a call to a suite in `tests/`.",
  DURATION_INVALID:
    "Write a whole number and its unit: `30s`, `5m`, `12h` (for records days: `90d`); a size as `512KB` or `16MB`.",
  ENVIRONMENT_UNKNOWN: "Rename it, or add the environment to aegis.yaml.",
  ENVIRONMENT_WITHOUT_ROUTES: "Add endpoints to routes.yaml or `routes/<environment>.yaml`.",
  EVALUATOR_UNSUPPORTED: "Write `cedar`, or leave the key out.",
  EXPOSED_NOT_GRANTED: "Add `scope.principals` to the document, or a permit elsewhere.",
  EXPOSURE_CONFLICT: "Name the target in both documents, or give one of them `scope.principals`.",
  FAIL_MODE_UNSUPPORTED: "Write `closed`, or leave the key out.",
  GRANT_DENIED: "Remove one of the two.",
  IDENTITY_KEYS_INVALID:
    "Use https, or a file of public keys in `identity/`. If a private key was committed, replace it.",
  ID_MIXED_CASE: "Write the id as tokens spell it; most issuers give names and addresses in lower case.",
  ISSUER_UNKNOWN: "Copy the `issuer` from identity.yaml, trailing slash included.",
  ISSUER_UNUSED: "Name it in an endpoint's `issuers`, or remove it.",
  LIMIT_UNUSED: "Correct the names under `tools`, or remove the limit.",
  NAME_AMBIGUOUS:
    "Write `server/name`, or narrow the document with `scope.servers`. (The example needs two servers that have a tool `t`.)",
  NAME_UNKNOWN: "Correct the name; after a server got a new tool, run `aegis pin`.",
  PERMIT_EVERYTHING: "Name roles, methods and servers in its scope, or write a condition.",
  PERMIT_SHADOWED: "Remove the permit, or narrow the forbid: a forbid always wins.",
  PIN_DIGEST_MISMATCH: "Run `aegis pin` and review the difference. Never edit a pin.",
  PIN_DUPLICATE: "Run `aegis pin`; remove the second file.",
  PIN_ERA_CONFLICT: "Pin the server in one era only, or fix the server.",
  PIN_HIDDEN_CHARACTERS:
    "Have the server's owner remove them. To approve them as they are: `aegis pin --accept-hidden`.",
  PIN_INVALID: "Run `aegis pin`.",
  PIN_MISSING: "`aegis pin . wiki`, then review and commit the file.",
  PIN_SECRET_MIRRORED:
    "Have the server's owner take `x-mcp-header` off the argument. If it is no secret, accept the finding by its id.",
  PIN_SERVER_UNKNOWN: "Add `registry/servers/<name>.yaml`, or remove the pin file.",
  PIN_SUSPICIOUS_TEXT:
    "Read the text in the pin file; if it is an attack, remove the server and tell its owner.",
  PIN_UNUSED: "Permit it, deny it, or leave it out of the pins with the server.",
  POLICY_DUPLICATE: "Remove one: a change of the other would not change the rule.",
  POLICY_FAN_OUT: "Give the policies named an action and a resource.",
  POLICY_ID_DUPLICATE: "Give each policy an id of its own.",
  PROJECT_MISSING: "Name the right directory, or start one with `aegis init`.",
  PUBLIC_URL_MISSING: "Write the origin under which clients reach the gateway.",
  RESOURCE_PATTERN_INVALID:
    "Write the URI as the server spells it, in canonical form, with `*` or `**` in its path only.",
  ROLE_UNKNOWN: "Correct it, or declare it under `roles`.",
  ROLE_UNMAPPED: "Add it to `roles.map` in identity.yaml, or correct the name.",
  ROUTE_DUPLICATE: "Give each its own path.",
  ROUTE_NAME_LONG:
    "Give the server an endpoint of its own, or a shorter name: clients call the tool `<server>__<tool>`.",
  ROUTE_NAME_TOO_LONG:
    "Give the server an endpoint of its own, where its tools keep their names, or a shorter name.",
  ROUTE_SERVER_DUPLICATE: "Remove one.",
  ROUTE_SERVER_UNPINNED: "Pin the server, or leave it out of the endpoint.",
  SCHEMA_DIALECT_UNSUPPORTED: "Ask the server's owner; until then its tool cannot be pinned.",
  SCHEMA_ID_NESTED: "The server must drop the nested `$id`.",
  SCHEMA_INVALID: "The server must send a valid schema.",
  SCHEMA_KEYWORD_IGNORED: '`"type": ["string", "null"]`, on the server\'s side.',
  SCHEMA_KEYWORD_UNKNOWN: "Correct it on the server's side.",
  SCHEMA_KEYWORD_UNSUPPORTED: "`additionalProperties`, on the server's side.",
  SCHEMA_PATTERN_UNSUPPORTED: "A pattern without look-around and back-references, on the server's side.",
  SCHEMA_PROJECTION_TOO_LARGE: "Nothing, unless a policy must read that part.",
  SCHEMA_REF_CYCLE: "On the server's side. Recursion through members (a tree) is fine.",
  SCHEMA_REF_REMOTE: "The server must send its schemas whole.",
  SCHEMA_REF_UNRESOLVED: "On the server's side.",
  SCHEMA_ROOT_NOT_OBJECT: "On the server's side.",
  SCHEMA_TOO_LARGE: "A smaller schema, on the server's side.",
  SCOPE_EMPTY: "Correct the labels or tiers, or remove them.",
  SECRET_LITERAL:
    "Revoke the credential, since it is in the history, and refer to secrets from the gateway's configuration.",
  SERVER_UNKNOWN: "Correct the name. It is `metadata.name` of the server, not the file name.",
  SERVER_UNROUTED: "Add an endpoint, or remove the server.",
  SHADOW_TRANSFORM: "Move the transforms to a document that is enforced.",
  SOURCE_ENCODING: "Save it as UTF-8.",
  SOURCE_HIDDEN_CHARACTER: "Remove it, or write it as an escape in a double-quoted string.",
  SOURCE_LIMIT: "Split the file or the repository.",
  SOURCE_MIXED_SCRIPT: "Write the word in one script.",
  SOURCE_UNSAFE: "Make it a regular file with a plain name that the compiler may read, or remove it.",
  SQL_ARGUMENT_UNDECLARED:
    "Declare it in the server's document: `sql: { <tool>: { argument: <name>, dialect: postgresql } }`.",
  SQL_OPERATION_UNKNOWN: "Use one of them. Whatever is not listed is denied already.",
  TENANT_ATTRIBUTE_ABSENT:
    "Let an issuer of the platform identify the tenant's callers (`tenants: { claim, map }`), or write the policy so that a missing attribute is its strictest case.",
  TENANT_ESCAPE:
    "Keep to what the tenant has: its servers, its own roles, groups and users, endpoints below `/<tenant>/`. Anything else belongs in the platform's documents.",
  TENANT_INVALID: "Use lower-case letters, digits and dashes, and no reserved word.",
  TENANT_UNKNOWN: "Declare it under `tenants` in aegis.yaml, or correct the name.",
  TEST_NAME_UNKNOWN: "Correct the name.",
  TEST_PRINCIPAL_INVALID: "Map the claim in identity.yaml, or correct the fixture.",
  TEXT_CASE_NEVER_EQUAL: "Write the text in lower case.",
  TRANSFORM_BREAKS_SCHEMA:
    "Use a verb that leaves a value the schema allows: `redact` for text, `replace` with a value of its type.",
  TRANSFORM_CONFLICT: "Delete one of them.",
  TRANSFORM_PATH_IMPOSSIBLE: "Correct the path.",
  TRANSFORM_PATH_INVALID: "Name each path.",
  TRANSFORM_PATH_UNDECLARED: "Write the member that was meant; nothing, if the path is right. Test it.",
  TRANSFORM_ROOT_UNKNOWN: "`$.response.assignee.email`.",
  TRANSFORM_SCHEMA_UNUSABLE: "On the server's side. Test the transform.",
  TRANSPORT_INVALID: "A program is a logical name; `programs` of gateway.json says what it runs.",
  YAML_INVALID: "Write values out; quote what is text.",
};
