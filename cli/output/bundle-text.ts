// Bundles, statements and roots as lines for a terminal of 80 columns. Names in them are a stranger's: every character
// that could drive the terminal, or that nobody would see, is shown as an escape.
import { showHidden } from "#compiler";
import type { BundleReport, RootReport, SignatureReport, StatementReport } from "#release";
import { plural } from "./io.ts";
import { wrapText } from "./wrap-text.ts";

const WIDTH = 80;
const NAME_WIDTH = 32;
const FILE_WIDTH = 16;

function describeRetention(retention: BundleReport["retention"]): readonly string[] {
  if (retention === null) return [];
  const { defaultDays, tenants, facts } = retention;
  const listed = Object.entries(tenants).map(([tenant, days]) => `${safe(tenant)} ${days} days`);
  const days = [...(defaultDays === undefined ? [] : [`${defaultDays} days`]), ...listed];
  const modes = [
    ...(facts?.default === undefined ? [] : [facts.default]),
    ...Object.entries(facts?.tenants ?? {}).map(([tenant, mode]) => `${safe(tenant)} ${mode}`),
  ];
  return [
    ...(days.length === 0 ? [] : wrapText(`audit records are kept ${days.join(", ")}`, WIDTH)),
    ...(modes.length === 0 ? [] : wrapText(`facts in decision records: ${modes.join(", ")}`, WIDTH)),
  ];
}

export function describeBundle(report: BundleReport): string {
  const counts = [
    report.policies === 1 ? "1 policy" : `${report.policies} policies`,
    plural(report.slices, "slice"),
    plural(report.residuals, "residual"),
    plural(report.limits, "limit"),
    plural(report.transforms, "transform"),
  ];
  const idWidth = Math.min(NAME_WIDTH, Math.max(0, ...report.servers.map(({ id }) => id.length)));
  const lines = [
    `${safe(report.name)}  sha256:${report.digest}`,
    `format ${report.bundleFormat}, compiler ${safe(report.compilerVersion)}, ${report.sizeBytes} bytes`,
    ...(report.requires.length === 0
      ? []
      : wrapText(`requires ${report.requires.map(safe).join(" ")}`, WIDTH)),
    counts.join(", "),
    plural(report.vectors, "golden vector"),
    ...(report.tenants.length < 2 ? [] : wrapText(`tenants ${report.tenants.map(safe).join(" ")}`, WIDTH)),
    ...describeRetention(report.retention),
    "servers:",
    ...report.servers.map(
      ({ id, tier, leaves }) =>
        `  ${safe(id).padEnd(idWidth)}  tier ${safe(tier)}, ${leaves} ${leaves === 1 ? "leaf" : "leaves"}`,
    ),
    "environments:",
    ...report.environments.flatMap(({ name, routes }) => [
      `  ${safe(name)}`,
      ...routes.map((route) => `    ${safe(route)}`),
    ]),
    "files:",
    ...report.files.map(
      ({ name, sizeBytes, sha256 }) =>
        `  ${safe(name).padEnd(FILE_WIDTH)} ${String(sizeBytes).padStart(9)} bytes  ${sha256.slice(0, 32)}…`,
    ),
  ];
  return text(lines);
}

export function describeStatement({ statement, signatures }: StatementReport): string {
  const { source, plan, tests } = statement;
  return text([
    `release of ${safe(statement.channel)}, sequence ${statement.sequence}, epoch ${statement.epoch} (not verified)`,
    `  bundle   ${statement.digest}`,
    `  issued   ${statement.issuedAt}`,
    `  expires  ${statement.expiresAt}, grace ${duration(statement.graceSeconds)}`,
    `  source   ${source === undefined ? "not recorded" : safe(source.repo)}`,
    ...(source === undefined ? [] : [`           commit ${safe(source.commit)}`]),
    `  plan     ${plan === undefined ? "not recorded" : plan.digest}`,
    ...(tests === undefined
      ? ["  tests    not recorded"]
      : [`  tests    ${tests.passed} passed, ${tests.failed} failed`, `           ${tests.digest}`]),
    ...signatureLines(signatures),
  ]);
}

export function describeRoot({ root, signatures }: RootReport): string {
  const role = (name: "root" | "release"): readonly string[] => {
    const { keyids, threshold } = root.roles[name];
    return [
      `  ${name} keys, ${threshold} of ${keyids.length} needed`,
      ...keyids.map((keyId) => `    ${safe(keyId)}  ${root.keys[keyId]?.alg ?? ""}`),
    ];
  };
  return text([
    `root version ${root.version}, epoch ${root.epoch} (not verified)`,
    `  expires  ${root.expiresAt}`,
    ...role("root"),
    ...role("release"),
    ...(root.revokedDigests.length === 0 ? [] : ["  revoked bundles"]),
    ...root.revokedDigests.map((digest) => `    ${digest}`),
    ...signatureLines(signatures),
  ]);
}

function signatureLines(signatures: readonly SignatureReport[]): readonly string[] {
  return [
    `  ${plural(signatures.length, "signature")}`,
    ...signatures.map(({ keyId, alg }) => `    ${safe(keyId)}  ${alg}`),
  ];
}

/** In the largest unit that says it exactly. */
function duration(seconds: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ];
  const fitting = units.find(([, length]) => seconds > 0 && seconds % length === 0);
  return fitting === undefined ? `${seconds}s` : `${seconds / fitting[1]}${fitting[0]}`;
}

function text(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

const safe = showHidden;
